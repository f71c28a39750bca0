"use strict";

const only = new URLSearchParams(location.search).get("phone");
// A plus that nobody encoded arrives as a space.
const alone = only === null ? null : only.replace(/^ /, "+");
const phones = new Map();
const live = document.getElementById("live");
const words = {
  out: { sent: "✓ on its way", delivered: "✓✓ delivered", failed: "✗ failed", expired: "✗ expired" },
  in: { sent: "✓ sent", delivered: "✓✓ taken" },
};

// What a text costs: GSM 03.38 counts septets, its extension two each; anything else
// makes the whole text UCS-2.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const gsmExtension = "^{}\\[~]|€";

function cost(text) {
  let septets = 0;
  for (const c of text) septets += gsm.includes(c) ? 1 : gsmExtension.includes(c) ? 2 : Infinity;
  const isGSM = septets < Infinity;
  const [length, single, several] = isGSM ? [septets, 160, 153] : [text.length, 70, 67];
  if (isGSM && length <= single - 20) return "";
  const segments = length <= single ? 1 : Math.ceil(length / several);
  const left = (segments === 1 ? single : segments * several) - length;
  return [isGSM ? "" : "UCS-2", segments === 1 ? "1 segment" : segments + " segments", left + " left"].filter(Boolean).join(" · ");
}

const api = (number, path) => "/api/phones/" + encodeURIComponent(number) + "/" + path;

async function post(url, body) {
  const res = await fetch(url, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!res.ok) {
    const problem = await res.json().catch(() => ({}));
    throw new Error(problem.detail || "The phone does not answer.");
  }
}

function open({ number, name, role, on }) {
  let phone = phones.get(number);
  if (!phone) {
    phone = make(number);
    phones.set(number, phone);
    document.getElementById("phones").append(phone.section);
  }
  phone.title.textContent = name || number;
  phone.title.href = "/?phone=" + encodeURIComponent(number);
  phone.text.setAttribute("aria-label", "Text from " + (name || number));
  phone.talk.setAttribute("aria-label", "Messages of " + (name || number));
  phone.about.textContent = role ? number + " · " + role : number;
  phone.power.checked = on;
  phone.word.textContent = on ? "on" : "off";
  phone.section.classList.toggle("off", !on);
  phone.text.disabled = !on;
  phone.text.placeholder = on ? "Text to the helpdesk" : "The phone is off";
  return phone;
}

function make(number) {
  const section = document.getElementById("phone").content.cloneNode(true).firstElementChild;
  const phone = {
    number, section, seen: "", count: 0,
    title: section.querySelector("h2").appendChild(document.createElement("a")),
    power: section.querySelector(".power input"),
    word: section.querySelector(".power span"),
    about: section.querySelector(".number"),
    talk: section.querySelector(".talk"),
    list: section.querySelector(".talk ol"),
    text: section.querySelector("textarea"),
    trouble: section.querySelector(".trouble"),
    cost: section.querySelector(".cost"),
    hints: section.querySelector(".hints"),
  };
  const form = section.querySelector("form");
  form.addEventListener("submit", (e) => { e.preventDefault(); send(phone); });
  phone.text.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(phone); }
    if (e.key === "ArrowUp" && phone.text.value === "" && phone.last) { e.preventDefault(); put(phone, phone.last); }
  });
  phone.text.addEventListener("input", () => {
    phone.cost.textContent = cost(phone.text.value);
    phone.talk.scrollTop = phone.talk.scrollHeight; // the field has grown
  });
  phone.hints.addEventListener("click", (e) => { if (e.target.matches("button")) put(phone, e.target.textContent); });
  section.addEventListener("animationend", () => section.classList.remove("news"));
  phone.power.addEventListener("change", () => tell(phone, async () => {
    await post(api(number, "power"), { on: phone.power.checked });
    await refresh(number);
  }));
  return phone;
}

// put writes a text in the field, for its reader to send or to go on with.
function put(phone, text) {
  phone.text.value = text;
  phone.text.dispatchEvent(new Event("input"));
  phone.text.focus();
}

// What a text asks to be answered with: the numbers and the words in capitals after
// "reply" or "write".
function answers(text) {
  const asked = text.search(/\b(reply|write|antwort|schreib)/i);
  if (asked < 0) return [];
  const words = text.slice(asked).match(/\b(\p{Lu}+ ?\d+|\d{2,}|\p{Lu}{2,}( \p{Lu}{2,})?)\b/gu) || [];
  return [...new Set(words)].slice(0, 4);
}

async function tell(phone, act) {
  phone.trouble.textContent = "";
  try { await act(); } catch (e) { phone.trouble.textContent = e.message; }
}

function send(phone) {
  const text = phone.text.value;
  if (text === "") return;
  tell(phone, async () => {
    await post(api(phone.number, "messages"), { text });
    if (phone.text.value === text) phone.text.value = phone.cost.textContent = "";
    await refresh(phone.number);
  });
}

function show(phone, messages) {
  const key = JSON.stringify(messages);
  if (key === phone.seen) return;
  const got = messages.filter((m) => m.direction === "out" && m.receipt === "delivered").length;
  if (phone.seen !== "" && got > phone.count) arrived(phone, got - phone.count);
  phone.seen = key;
  phone.count = got;
  const atEnd = phone.talk.scrollHeight - phone.talk.scrollTop - phone.talk.clientHeight < 40;
  let day = new Date().toDateString(); // nothing stands above what is of today
  phone.list.replaceChildren(...messages.flatMap((m) => {
    const its = new Date(m.at).toDateString();
    if (its === day) return bubble(m);
    day = its;
    return [divider(m.at), bubble(m)];
  }));
  phone.last = messages.findLast((m) => m.direction === "in")?.text;
  const newest = messages.at(-1);
  phone.hints.replaceChildren(...(newest?.receipt === "delivered" && newest.direction === "out" ? answers(newest.text) : []).map((word) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word;
    return button;
  }));
  if (atEnd) phone.talk.scrollTop = phone.talk.scrollHeight;
}

// A phone that gets a text lights up; a page that nobody looks at counts them in its
// title.
let unseen = 0;
function arrived(phone, n) {
  phone.section.classList.add("news");
  if (document.hidden) document.title = "(" + (unseen += n) + ") Phones";
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { unseen = 0; document.title = "Phones"; }
});

function divider(at) {
  const li = document.createElement("li");
  li.className = "day";
  li.textContent = new Date(at).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
  return li;
}

function bubble(m) {
  const li = document.getElementById("message").content.cloneNode(true).firstElementChild;
  li.className = m.direction;
  li.dataset.receipt = m.receipt;
  li.querySelector(".text").textContent = m.text;
  const time = li.querySelector("time");
  const at = new Date(m.at);
  time.dateTime = m.at;
  time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  time.title = at.toLocaleString();
  const several = m.segments > 1 ? m.segments + " segments" : "";
  const coding = m.encoding === "GSM-7" ? "" : m.encoding;
  li.querySelector(".size").textContent = [several, coding].filter(Boolean).map((s) => "· " + s).join(" ");
  li.querySelector(".tick").textContent = words[m.direction][m.receipt] || m.receipt;
  return li;
}

async function json(url) {
  const res = await fetch(url, { cache: "no-store" });
  if (!res.ok) throw new Error(url + ": " + res.status);
  return res.json();
}

async function refreshPhones() {
  let list = await json("/api/phones");
  if (alone) {
    list = list.filter((p) => p.number === alone);
    if (list.length === 0) list = [{ number: alone, name: "", on: true }];
  }
  return list.map(open);
}

// One refresh at a time for each number; another that comes meanwhile runs after it.
const running = new Map();
async function refresh(number) {
  if (running.has(number)) { running.set(number, true); return; }
  running.set(number, false);
  try {
    do {
      running.set(number, false);
      await refreshPhones();
      const phone = phones.get(number);
      if (phone) show(phone, await json(api(number, "messages")));
    } while (running.get(number));
  } finally { running.delete(number); }
}

async function refreshAll() {
  for (const phone of await refreshPhones()) show(phone, await json(api(phone.number, "messages")));
}

function say(state, text) {
  live.dataset.state = state;
  live.textContent = text;
}

function listen() {
  const source = new EventSource("/api/events");
  source.addEventListener("open", () => Promise.all([refreshAll(), showNetwork()]).then(() => say("live", "live"), () => say("lost", "not connected")));
  source.addEventListener("error", () => say("lost", "not connected, trying again"));
  source.addEventListener("phone", (e) => {
    const { number } = JSON.parse(e.data);
    (number ? refresh(number) : showNetwork()).catch(() => say("lost", "not connected"));
  });
}

// The faults of the network: buttons for what passes, switches for what stays.
const network = document.getElementById("network");
const switches = network.querySelector("form");
const wrong = switches.querySelector(".trouble");

async function showNetwork() {
  const [faults, { binds }] = await Promise.all([json("/api/faults"), json("/api/links")]);
  for (const name of ["silent", "stop_reading", "reorder"]) switches.elements[name].checked = faults[name];
  switches.elements.receipts.value = faults.receipts;
  const left = { throttle: "throttled", queue_full: "queue full", refuse: "refused", duplicate: "twice", lose_responses: "answers lost" };
  const parts = Object.keys(left).filter((name) => faults[name] > 0).map((name) => faults[name] + " " + left[name]);
  if (faults.silent) parts.push("says nothing");
  if (faults.stop_reading) parts.push("reads nothing");
  if (faults.reorder) parts.push("last part first");
  if (faults.receipts !== "normal") parts.push("receipts " + faults.receipts);
  if (faults.down > 0) parts.push("away for " + Math.ceil(faults.down) + " s");
  network.classList.toggle("faulty", parts.length > 0);
  network.querySelector("summary").textContent = parts.length > 0 ? "Network: " + parts.join(", ") : "Network";
  document.getElementById("bound").textContent = binds.length > 0 ? "The helpdesk is bound: " + binds.join(", ") + "." : "The helpdesk is not bound.";
}

async function fault(want) {
  wrong.textContent = "";
  try { await post("/api/faults", want); await showNetwork(); } catch (e) { wrong.textContent = e.message; }
}
switches.addEventListener("submit", (e) => e.preventDefault());
switches.addEventListener("click", (e) => { if (e.target.dataset.fault) fault(JSON.parse(e.target.dataset.fault)); });
switches.addEventListener("change", (e) => fault({ [e.target.name]: e.target.type === "checkbox" ? e.target.checked : e.target.value }));
// What is left of a fault passes without anybody setting it.
setInterval(() => { if (!document.hidden && (network.open || network.classList.contains("faulty"))) showNetwork().catch(() => {}); }, 2000);

document.getElementById("add").addEventListener("submit", (e) => {
  e.preventDefault();
  const number = document.getElementById("number").value.replace(/[\s()/-]/g, "");
  if (number) location.search = "?phone=" + encodeURIComponent(number);
});
if (alone) {
  document.body.classList.add("alone");
  const all = document.createElement("a");
  all.href = "/";
  all.textContent = "All phones";
  document.querySelector("h1").replaceChildren(all);
}
refreshAll().catch(() => say("lost", "not connected"));
listen();
