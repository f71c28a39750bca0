"""An agent's chat client on slixmpp. Prints one JSON object of what it saw.

usage: agent.py PORT CA JID PASSWORD DESK
"""

import asyncio
import json
import sys

import slixmpp

port, ca, jid, password, desk = sys.argv[1:]
seen = {}


class Agent(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(jid + "/slixmpp", password)
        self.ca_certs = ca
        for plugin in ("xep_0004", "xep_0030", "xep_0050", "xep_0085", "xep_0184", "xep_0199", "xep_0308", "xep_0444"):
            self.register_plugin(plugin)
        self["xep_0184"].auto_ack = True
        self.over = asyncio.get_event_loop().create_future()
        self.there = asyncio.get_event_loop().create_future()
        self.bodies = asyncio.Queue()
        self.receipts = asyncio.Queue()
        self.composing = asyncio.Event()
        self.add_event_handler("session_start", lambda _: asyncio.ensure_future(self.play()).add_done_callback(self.end))
        self.add_event_handler("presence_available", self.on_presence)
        self.add_event_handler("message", lambda m: m["body"] and self.bodies.put_nowait(m))
        self.add_event_handler("receipt_received", lambda m: self.receipts.put_nowait(m["receipt"]))
        self.add_event_handler("chatstate_composing", lambda _: self.composing.set())
        self.add_event_handler("failed_auth", lambda _: sys.exit("not logged in"))

    def end(self, play):
        if play.exception():
            self.over.set_exception(play.exception())
        else:
            self.over.set_result(None)

    def on_presence(self, presence):
        if presence["from"].bare == desk and presence["status"] and not self.there.done():
            seen["status"] = presence["status"]
            self.there.set_result(presence["from"])

    async def play(self):
        self.send_presence()
        await self.get_roster()
        full = await self.there

        info = await self["xep_0030"].get_info(jid=full)
        seen["identities"] = sorted(list(i[:2]) for i in info["disco_info"]["identities"])
        seen["features"] = sorted(info["disco_info"]["features"])

        menu = await self["xep_0050"].get_commands(full)
        seen["menu"] = sorted([item[1], item[2]] for item in menu["disco_items"]["items"])  # slixmpp has a set

        asked = await self["xep_0050"].send_command(full, "take", action="execute")
        form = asked["command"]["form"]
        seen["form"] = [f["var"] for f in form["fields"]]
        answer = self["xep_0004"].make_form(ftype="submit")
        answer.add_field(var="number", ftype="text-single", value="142")
        done = await self["xep_0050"].send_command(full, "take", action="complete", payload=answer,
                                                   sessionid=asked["command"]["sessionid"])
        seen["taken"] = done["command"]["status"]

        message = self.make_message(mto=desk, mbody="C 142 new toner", mtype="chat")
        message["chat_state"] = "active"
        message["id"] = "m1"
        message["request_receipt"] = True
        message.send()
        seen["receipt"] = await self.receipts.get()
        await self.composing.wait()
        answer = await self.bodies.get()
        seen["answer"] = answer["body"]

        self["xep_0444"].send_reactions(desk, answer["id"], {"👍"})
        correction = await self.bodies.get()
        seen["corrects"] = correction["replace"]["id"] == answer["id"]

    async def story(self):
        try:
            await asyncio.wait_for(self.over, 60)
        finally:
            print(json.dumps(seen), flush=True)
        await self.disconnect()


agent = Agent()
agent.connect(("127.0.0.1", int(port)))
agent.loop.run_until_complete(agent.story())
