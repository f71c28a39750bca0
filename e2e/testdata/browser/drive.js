// A browser, driven by lines of JSON: a command on stdin, its answer on stdout.
"use strict";

const { chromium } = require("playwright-core");
const pages = new Map();
let context;

const commands = {
  // A page keeps a mark for as long as it is not loaded again.
  open: async (c) => {
    const page = await context.newPage();
    pages.set(c.page, page);
    page.on("pageerror", (error) => process.stderr.write(`${c.page}: ${error}\n`));
    await page.goto(c.url, { waitUntil: "domcontentloaded" });
    await page.evaluate(() => { window.notReloaded = true; });
  },
  type: async (c) => {
    const field = pages.get(c.page).locator(c.selector).first();
    await field.fill(c.text);
    await field.press("Enter");
  },
  // Waits until one element of the selector contains all texts.
  see: async (c) => {
    await pages.get(c.page).waitForFunction(
      ({ selector, texts }) => [...document.querySelectorAll(selector)].some((e) => texts.every((t) => e.textContent.includes(t))),
      { selector: c.selector, texts: c.texts }, { timeout: c.timeout });
  },
  kept: async (c) => {
    if (!await pages.get(c.page).evaluate(() => window.notReloaded)) throw new Error("the page was loaded again");
  },
  text: async (c) => pages.get(c.page).evaluate(() => document.body.innerText),
  shoot: async (c) => { await pages.get(c.page).screenshot({ path: c.path }); },
};

async function main() {
  const browser = await chromium.launch({
    executablePath: process.argv[2],
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  for await (const line of require("readline").createInterface({ input: process.stdin })) {
    const answer = { at: 0, error: "", text: "" };
    try {
      const c = JSON.parse(line);
      answer.text = await commands[c.do](c) ?? "";
    } catch (error) {
      answer.error = String(error);
    }
    answer.at = Date.now();
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  await browser.close();
}

main().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
