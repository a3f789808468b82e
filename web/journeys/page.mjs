/** Pages of Chromium that report what a page must never do. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"],
  ...["--disable-sync", "--no-first-run", "--disable-quic"],
  // A microphone and a camera that give a tone and a picture, without a question.
  ...["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"],
];

/** How much longer each wait may take: for a machine that does other work. */
export const PATIENCE = Number(process.env.TROUPE_PATIENCE ?? 1);

export async function launch() {
  // Files of a folder come from no address, so the browser takes the page for one of the internet.
  const isServed = process.env.TROUPE_WEB !== undefined;
  const args = isServed ? [...ARGS, "--disable-features=LocalNetworkAccessChecks"] : ARGS;
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
}

/** Losing a connection is no fault of a page, and the browser remarks on it. */
const ALLOWED = /WebSocket connection to|Failed to load resource|ERR_CONNECTION|ERR_FAILED/;

export class Visitor {
  constructor(browser) {
    this.browser = browser;
    this.faults = [];
  }

  /** `isEmbedded`: the files of the program, also where TROUPE_WEB names others. */
  static async of(browser, options = {}, { isEmbedded = false } = {}) {
    const visitor = new Visitor(browser);
    visitor.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US", ...options });
    await visitor.context.addInitScript(() => {
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) => {
        console.error(`policy violated: ${violatedDirective} ${blockedURI} ${sample}`);
      });
    });
    const folder = process.env.TROUPE_WEB;
    if (folder !== undefined && !isEmbedded) await visitor.serve(folder);
    return visitor;
  }

  /** Development: the files of a folder instead of those in the program. */
  async serve(folder) {
    const kinds = { "/": ["index.html", "text/html"], "/console": ["index.html", "text/html"], "/console.js": ["console.js", "text/javascript"], "/app.js": ["app.js", "text/javascript"], "/more.js": ["more.js", "text/javascript"], "/app.css": ["app.css", "text/css"], "/sw.js": ["sw.js", "text/javascript"] };
    await this.context.route((url) => url.pathname in kinds, (route) => {
      const [name, contentType] = kinds[new URL(route.request().url()).pathname];
      return route.fulfill({ body: readFileSync(join(folder, name)), contentType });
    });
  }

  async open(url) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(20_000 * PATIENCE);
    page.on("pageerror", (error) => this.faults.push(`error: ${error.stack}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !ALLOWED.test(message.text())) this.faults.push(`console: ${message.text()}`);
    });
    page.on("dialog", (dialog) => {
      this.faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(url);
    return page;
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}

/** Waits until an assertion holds. */
export async function until(check, patienceMs = 10_000) {
  const deadline = performance.now() + patienceMs * PATIENCE;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export async function room(page, id) {
  await page.click(`.sidebar a[href="#/c/${id}"]`);
  await page.waitForSelector(".composer textarea");
}

export async function write(page, text) {
  await page.fill(".composer textarea", text);
  await page.press(".composer textarea", "Enter");
}

/** The texts on the screen, top to bottom. */
export function shown(page) {
  return page.$$eval(".line .text", (all) => all.map((one) => one.textContent));
}

/** The line in the middle of the view, and where it is. */
export function middle(page) {
  return page.$eval(".view", (view) => {
    const box = view.getBoundingClientRect();
    const centre = box.top + box.height / 2;
    for (const line of view.querySelectorAll("[data-key]")) {
      const { top, bottom } = line.getBoundingClientRect();
      if (top <= centre && bottom > centre) return { key: line.dataset.key, top, text: line.textContent };
    }
    return undefined;
  });
}

export function topOf(page, key) {
  return page.$eval(`.view [data-key="${key}"]`, (line) => line.getBoundingClientRect().top);
}

/** Lines of the panel with the verdict, by their names. */
export function verdict(page) {
  return page.$$eval(".panel dl div", (all) => Object.fromEntries(all.map((one) => [one.children[0].textContent, one.children[1].textContent])));
}

/** Opens the menu of a line, and chooses. */
export async function choose(page, text, deed) {
  const line = page.locator(`.line:has-text("${text}")`).last();
  await line.hover();
  await line.locator('[data-act="more"]').click();
  await line.locator(`.deed:has-text("${deed}")`).click();
}

export const direct = (one, other) => `d${[one.id, other.id].map(Number).sort((a, b) => a - b).join("-")}`;
