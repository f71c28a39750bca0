// A browser, driven by lines of JSON: a command on stdin, its answer on stdout.
"use strict";

const { chromium } = require("playwright-core");
const axe = require("axe-core").source;
const pages = new Map();
const contexts = new Map(); // by who sits at the browser
let browser;

// Without scripts, somebody sits at a second browser, signed in like the first.
async function contextOf(who, javaScriptEnabled = true) {
  const name = javaScriptEnabled ? who : `${who} without scripts`;
  if (!contexts.has(name)) {
    const storageState = javaScriptEnabled ? undefined : await contexts.get(who).storageState();
    contexts.set(name, await browser.newContext({ viewport: { width: 1280, height: 900 }, javaScriptEnabled, storageState }));
  }
  return contexts.get(name);
}

const commands = {
  // A page keeps a mark for as long as it is not loaded again. One of that name goes on to
  // the address: each new one would be a process. One that stands still hears of nothing
  // that happens after it was loaded.
  open: async (c) => {
    if (!pages.has(c.page)) {
      const page = await (await contextOf(c.as ?? "", c.scripts)).newPage();
      if (c.still) await page.route("**", (r) => (["xhr", "fetch", "eventsource"].includes(r.request().resourceType()) ? r.abort() : r.continue()));
      page.on("pageerror", (error) => process.stderr.write(`${c.page}: ${error}\n`));
      pages.set(c.page, page);
    }
    const page = pages.get(c.page);
    await page.goto(c.url, { waitUntil: "domcontentloaded" });
    await page.evaluate(() => { window.notReloaded = true; });
  },
  type: async (c) => {
    const field = pages.get(c.page).locator(c.selector).first();
    await field.fill(c.text);
    await field.press("Enter");
  },
  fill: async (c) => pages.get(c.page).locator(c.selector).first().fill(c.text),
  // Chooses a text file.
  attach: async (c) => pages.get(c.page).locator(c.selector).first().setInputFiles({ name: c.name, mimeType: "text/plain", buffer: Buffer.from(c.text) }),
  // Presses a button; what it leads to is loaded then.
  press: async (c) => pages.get(c.page).locator(c.selector).first().click({ timeout: c.timeout }),
  where: async (c) => pages.get(c.page).url(),
  // Looks at a page in both colours and at two widths: the answer is what is seriously
  // wrong for people with a disability, or runs out of the screen. With a path it leaves
  // pictures there, which cost more than the looking.
  inspect: async (c) => {
    const page = pages.get(c.page);
    const wrong = [];
    await page.bringToFront(); // one behind another draws once a second
    await page.evaluate(axe);
    for (const width of [1280, 390]) for (const scheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))); // charts follow the width
      if (c.path) await page.screenshot({ path: `${c.path}-${scheme}-${width}.png`, fullPage: true });
      // The schemes differ in colours alone.
      const rules = scheme === "light" ? ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] : { type: "rule", values: ["color-contrast", "link-in-text-block"] };
      const found = await page.evaluate((runOnly) => axe.run(document, { resultTypes: ["violations"], runOnly }), rules);
      for (const v of found.violations) {
        if (["serious", "critical"].includes(v.impact)) wrong.push(`${scheme} ${width}: ${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
      }
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) wrong.push(`${scheme} ${width}: ${over} pixels wider than the screen`);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    return wrong.join("\n");
  },
  // Like see, on a page without scripts too.
  read: async (c) => c.texts.reduce((found, hasText) => found.filter({ hasText }), pages.get(c.page).locator(c.selector)).first().waitFor({ timeout: c.timeout }),
  // Waits until one element of the selector contains all texts.
  see: async (c) => {
    await pages.get(c.page).waitForFunction(
      ({ selector, texts }) => [...document.querySelectorAll(selector)].some((e) => texts.every((t) => e.textContent.includes(t))),
      { selector: c.selector, texts: c.texts }, { timeout: c.timeout, polling: 50 }); // milliseconds; else at every frame
  },
  kept: async (c) => {
    if (!await pages.get(c.page).evaluate(() => window.notReloaded)) throw new Error("the page was loaded again");
  },
  text: async (c) => pages.get(c.page).evaluate(() => document.body.innerText),
  shoot: async (c) => { await pages.get(c.page).screenshot({ path: c.path }); },
};

async function main() {
  browser = await chromium.launch({
    executablePath: process.argv[2],
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
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
