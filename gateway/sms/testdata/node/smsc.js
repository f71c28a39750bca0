// An SMSC on npm's smpp, driven by lines of JSON: commands on stdin, events on
// stdout. It answers message ids in decimal and writes them in hexadecimal in
// receipts, as some do.
"use strict";

const smpp = require("smpp");
const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");
const links = new Set();
let lastId = 4095, throttle = 0, silent = false;

const server = smpp.createServer((link) => {
  links.add(link);
  link.on("close", () => links.delete(link));
  link.on("error", () => links.delete(link));
  link.on("bind_transceiver", (pdu) => {
    const good = pdu.system_id === "deskbell" && pdu.password === "secret";
    link.send(pdu.response({ command_status: good ? smpp.ESME_ROK : smpp.ESME_RINVPASWD, system_id: "node" }));
  });
  link.on("enquire_link", (pdu) => link.send(pdu.response()));
  link.on("unbind", (pdu) => { link.send(pdu.response()); say({ event: "unbind" }); link.close(); });
  link.on("submit_sm", (pdu) => {
    if (throttle > 0) {
      throttle--;
      link.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      return;
    }
    const id = ++lastId;
    say({
      event: "submit", id: String(id), from: pdu.source_addr, to: pdu.destination_addr, text: pdu.short_message.message,
      udh: pdu.short_message.udh ? Buffer.concat([].concat(pdu.short_message.udh)).toString("hex") : "",
      coding: pdu.data_coding, validity: String(pdu.validity_period), priority: pdu.priority_flag,
    });
    if (silent) return;
    link.send(pdu.response({ message_id: String(id) }));
    if (pdu.registered_delivery) {
      link.deliver_sm({
        source_addr: pdu.destination_addr, source_addr_ton: 1, destination_addr: pdu.source_addr, dest_addr_ton: 1, esm_class: 4,
        short_message: `id:${id} sub:001 dlvrd:001 submit date:2611220000 done date:2611220000 stat:DELIVRD err:000 text:`,
        receipted_message_id: id.toString(16).toUpperCase(), message_state: smpp.MESSAGE_STATE.DELIVERED,
      });
    }
  });
});

const commands = {
  throttle: (c) => { throttle = c.n; },
  silent: (c) => { silent = c.on; },
  drop: () => links.forEach((link) => link.destroy ? link.destroy() : link.close()),
  send: (c) => links.forEach((link) => {
    if (c.pdu.udh) {
      c.pdu.short_message = { udh: Buffer.from(c.pdu.udh, "hex"), message: c.pdu.short_message };
      delete c.pdu.udh;
    }
    link[c.command](c.pdu, (answer) => say({ event: "answer", status: answer.command_status, command: answer.command }));
  }),
};

require("readline").createInterface({ input: process.stdin })
  .on("line", (line) => { const c = JSON.parse(line); commands[c.do](c); say({ event: "done" }); })
  .on("close", () => process.exit(0));
server.listen(0, "127.0.0.1", function () { say({ event: "listening", port: this.address().port }); });
