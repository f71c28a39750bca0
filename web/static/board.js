// Keeps the dot honest: it says "live" only while messages of the server arrive.
// The server sends one at least every 15 s.
(() => {
  const fresh = 20; // seconds
  const dot = document.getElementById("freshness");
  const words = document.getElementById("freshness-words");
  let last = Date.now();
  let connected = true;

  function show() {
    const age = Math.round((Date.now() - last) / 1000);
    const state = !connected ? "lost" : age > fresh ? "old" : "live";
    const said = { live: "live", old: age + " s old", lost: "disconnected, " + age + " s old" }[state];
    if (dot.dataset.state !== state) dot.dataset.state = state;
    if (words.textContent !== said) words.textContent = said;
  }

  document.body.addEventListener("htmx:sseMessage", () => { last = Date.now(); connected = true; show(); });
  document.body.addEventListener("htmx:sseError", () => { connected = false; show(); });
  document.addEventListener("visibilitychange", show);
  setInterval(show, 1000);
  show();
})();
