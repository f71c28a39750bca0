// Keeps the dot honest: it says "live" only while messages of the server arrive,
// one at least every 15 s. Clocks and countdowns follow the server's time.
(() => {
  const fresh = 20; // seconds
  const dot = document.getElementById("freshness");
  const words = document.getElementById("freshness-words");
  const live = document.querySelector("[sse-connect]") !== null;
  let last = Date.now();
  let connected = true;
  let ahead = 0; // of the server's clock, in milliseconds

  function listen() {
    const at = document.querySelector("[data-now]");
    if (at) ahead = Number(at.dataset.now) - Date.now();
  }

  function left(seconds) {
    if (seconds <= 0) return "now";
    const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60, s = String(seconds % 60).padStart(2, "0");
    return h >= 24 ? Math.floor(h / 24) + " d " + (h % 24) + " h" : h ? h + ":" + String(m).padStart(2, "0") + ":" + s : m + ":" + s;
  }

  function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function show() {
    const now = Date.now() + ahead;
    for (const c of document.querySelectorAll("[data-until]")) say(c, left(Math.ceil((Number(c.dataset.until) - now) / 1000)));
    for (const c of document.querySelectorAll("[data-clock]")) {
      say(c, new Date(now + Number(c.dataset.clock) * 1000).toISOString().slice(11, 19)); // seconds east of Greenwich
    }
    if (!live || !dot) return;
    const age = Math.round((Date.now() - last) / 1000);
    const state = !connected ? "lost" : age > fresh ? "old" : "live";
    if (dot.dataset.state !== state) dot.dataset.state = state;
    say(words, { live: "live", old: age + " s old", lost: "disconnected, " + age + " s old" }[state]);
  }

  document.body.addEventListener("htmx:sseMessage", () => { last = Date.now(); connected = true; listen(); show(); });
  document.body.addEventListener("htmx:sseError", () => { connected = false; show(); });
  document.addEventListener("visibilitychange", show);
  setInterval(show, 1000);
  listen();
  show();
})();
