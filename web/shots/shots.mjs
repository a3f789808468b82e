/**
 * Pictures of the client in Chromium on a cluster of real nodes:
 *
 *     node shots/shots.mjs FOLDER          the pictures of README.md
 *     node shots/shots.mjs --all FOLDER    all screens, in three sizes, both themes and both languages
 *
 * The environment is that of the journeys: see journeys/run.mjs.
 */

import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Demo, User } from "../journeys/demo.mjs";
import { launch, room, until, verdict, Visitor, write } from "../journeys/page.mjs";
import { packed } from "./png.mjs";
import { play, poster } from "./scene.mjs";

/** Bytes of one picture, and of all of them. */
const [MOST, MOST_ALL] = [150 * 1024, 1024 * 1024];
const SIZES = {
  phone: { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
  tablet: { viewport: { width: 820, height: 1100 } },
  desktop: { viewport: { width: 1200, height: 760 } },
};
const FAMILY = 'Inter, "Noto Sans CJK SC", "WenQuanYi Micro Hei", system-ui, sans-serif';
const LOCALES = { en: "en-GB", zh: "zh-CN" };

const isAll = process.argv[2] === "--all";
const folder = process.argv[isAll ? 3 : 2];
if (folder === undefined) throw new Error("usage: node shots/shots.mjs [--all] FOLDER");
mkdirSync(folder, { recursive: true });

const demo = await Demo.start("--chaos");
const browser = await launch();
try {
  if (isAll) await everything(process.argv.slice(4));
  else await chosen();
} finally {
  await browser.close();
  await demo.stop();
}
if (!isAll) {
  const sizes = readdirSync(folder).filter((name) => name.startsWith("web-")).map((name) => [name, statSync(join(folder, name)).size]);
  const sum = sizes.reduce((all, [, size]) => all + size, 0);
  for (const [name, size] of sizes) if (size > MOST) throw new Error(`${name} has ${size} bytes, of ${MOST}`);
  if (sum > MOST_ALL) throw new Error(`the pictures have ${sum} bytes, of ${MOST_ALL}`);
}

async function shoot(page, name, restMs = 300) {
  if (restMs > 0) await page.waitForTimeout(restMs);
  const picture = packed(await page.screenshot({ animations: "disabled" }));
  writeFileSync(join(folder, `${name}.png`), picture);
  console.log(`${name}.png: ${picture.length} bytes`);
}

function visitor(size, theme, language) {
  return dressed({ ...SIZES[size], locale: LOCALES[language], colorScheme: theme, reducedMotion: "reduce" });
}

/** A machine without a font of its own for pages shows one that is made for screens, if it has it. */
async function dressed(options) {
  const one = await Visitor.of(browser, options);
  await one.context.addInitScript((family) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`body { font-family: ${family}; }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }, FAMILY);
  return one;
}

/** Signed in, at the list. */
async function entered(one, name, node = 0) {
  const page = await one.open(demo.link(name, node));
  await page.waitForSelector(".sidebar li");
  return page;
}

/** The last part of the scene wants a page: a picture goes from a browser. */
async function finish(scene, language, bytes) {
  const one = await visitor("desktop", "light", language);
  const page = await entered(one, "carol", 1);
  await room(page, scene.team);
  await page.setInputFiles('.composer input[type="file"]', { name: "poster.png", mimeType: "image/png", buffer: bytes });
  await page.waitForSelector(".uploads img, [aria-label] img");
  await write(page, scene.texts.picture);
  await page.waitForSelector(`.line:has-text("${scene.texts.picture}") .picture img`, { timeout: 30_000 });
  await one.close();
  await scene.say("alice", scene.team, scene.texts.question);
  for (const name of ["bob", "carol"]) {
    const { head } = await scene.users[name].ask("GET", `/v1/conversations/${scene.team}/messages?after=0&limit=1`);
    await scene.users[name].ask("POST", `/v1/conversations/${scene.team}/read`, { seq: head });
  }
}

async function opened(page, scene) {
  await room(page, scene.team);
  await page.waitForSelector(".line");
  await page.waitForTimeout(500);
  const latest = page.locator("button.latest:not([data-act])");
  if (await latest.isVisible()) await latest.click();
  await page.waitForSelector(`.line:has-text("${scene.texts.question}") .tick`);
  await until(() => page.waitForSelector(".picture img", { timeout: 500 }));
  await page.mouse.move(0, 0);
  await page.$eval(".view", (view) => view.scrollTo(0, view.scrollHeight));
  await page.waitForTimeout(500);
}

async function chosen() {
  const bytes = await poster(browser);
  const scenes = {};
  for (const language of ["en", "zh"]) {
    scenes[language] = await play(demo, language);
    await finish(scenes[language], language, bytes);
    if (language === "en") {
      for (const [name, size, theme] of [["web-desktop-light", "desktop", "light"], ["web-desktop-dark", "desktop", "dark"], ["web-phone-light", "phone", "light"]]) {
        const one = await visitor(size, theme, language);
        const page = await entered(one, "alice");
        if (size === "phone") await shoot(page, "web-phone-list");
        await opened(page, scenes.en);
        await shoot(page, name);
        await one.close();
      }
      await failure(scenes.en);
      await consoleShot("web-console", "desktop", "light", "en");
      continue;
    }
    const one = await visitor("phone", "dark", "zh");
    const page = await entered(one, "alice");
    await opened(page, scenes.zh);
    await shoot(page, "web-phone-dark-zh");
    await one.close();
  }
}

/** The node of the page dies in mid-conversation. */
async function failure(scene) {
  const one = await dressed({ viewport: { width: 1000, height: 640 }, locale: "en-GB", colorScheme: "light" });
  const page = await entered(one, "alice");
  await room(page, scene.withBob);
  await page.click(".corner .node");
  await page.waitForSelector('.faults button:has-text("Kill this node")');
  const [first] = scene.texts.writes;
  await write(page, first);
  await page.waitForSelector(`.line:has-text("${first}") .tick:is(.durable, .delivered, .read)`);
  await scene.say("bob", scene.withBob, "Yes. Press it!");
  await page.waitForSelector('.line:has-text("Press it!")');
  await shoot(page, "web-kill-1");
  // All at once: the messages are on their way while the node dies.
  await page.fill(".composer textarea", "And this is half-");
  await page.evaluate(() => {
    const press = (selector) => document.querySelector(selector).click();
    press(".panel > .button");
    press(".faults .button");
  });
  const isGone = () => document.querySelector(".corner .node.away") !== null;
  await page.waitForFunction(isGone, undefined, { timeout: 3_000 }).catch(() => console.log("the page had another node at once"));
  await shoot(page, "web-kill-2", 0);
  await until(async () => {
    const judged = await verdict(page);
    if (judged["Acknowledged"] !== judged["Sent"] || Number(judged["Sent"]) < 21) throw new Error("not yet");
  }, 20_000);
  await page.locator('.remarks button, .remark button').first().click().catch(() => {});
  await scene.say("bob", scene.withBob, "All here, and in order.");
  await page.waitForSelector('.line:has-text("All here, and in order.")');
  await page.fill(".composer textarea", "And this is half-typed");
  await shoot(page, "web-kill-3");
  await one.close();
}

async function consoleShot(name, size, theme, language) {
  const one = await visitor(size, theme, language);
  const page = await entered(one, "alice");
  await page.goto(`${demo.url()}/console`);
  await page.waitForSelector(".matrix .leader");
  // Sends make lines of the rates.
  const bob = await User.login(demo, "bob");
  bob.base = demo.url();
  for (let round = 0; round < 6; round++) {
    for (let at = 0; at < 3 + ((round * 7) % 12); at++) await bob.say("everyone", `${round}.${at}`);
    await page.waitForTimeout(2_000);
  }
  await page.setViewportSize({ width: 1200, height: 1000 });
  await shoot(page, name);
  await one.close();
}

/** Each screen, joined to sheets. */
async function everything(words) {
  const bytes = await poster(browser);
  const sets = [["phone", "light", "zh"], ["phone", "dark", "en"], ["tablet", "dark", "zh"], ["desktop", "light", "en"], ["desktop", "dark", "zh"]];
  const scenes = {};
  for (const [size, theme, language] of sets) {
    const set = `${size}-${theme}-${language}`;
    if (words.length > 0 && !words.includes(set)) continue;
    if (scenes[language] === undefined) {
      scenes[language] = await play(demo, language);
      await finish(scenes[language], language, bytes);
    }
    await screens(set, size, theme, language, scenes[language]);
  }
}

async function screens(set, size, theme, language, scene) {
  const one = await visitor(size, theme, language);
  const page = await one.open(demo.url());
  let shots = [];
  const take = async (restMs = 350) => {
    await page.waitForTimeout(restMs);
    shots.push(await page.screenshot({ animations: "disabled", scale: "css" }));
  };
  let number = 0;
  const most = { phone: 5, tablet: 3, desktop: 4 }[size];
  const flush = async (isLast) => {
    if (shots.length < most && !isLast) return;
    const sheet = await browser.newPage({ viewport: { width: SIZES[size].viewport.width * Math.min(most, size === "desktop" ? 2 : most) + 40, height: 800 } });
    await sheet.setContent(`<body style="margin:0;background:#888;display:flex;flex-wrap:wrap;gap:8px">${shots.map((shot) => `<img src="data:image/png;base64,${shot.toString("base64")}">`).join("")}</body>`);
    writeFileSync(join(folder, `${set}-${++number}.png`), await sheet.screenshot({ fullPage: true }));
    await sheet.close();
    shots = [];
  };
  const step = async (work) => {
    try {
      await work();
      await take();
    } catch (error) {
      console.log(`${set}: ${error.message.split("\n")[0]}`);
    }
    await flush(false);
  };
  const closed = async () => {
    for (let round = 0; round < 3 && (await page.locator("dialog").count()) > 0; round++) {
      await page.keyboard.press("Escape");
      await page.waitForTimeout(100);
    }
  };
  page.setDefaultTimeout(8_000);
  await step(() => page.waitForSelector("form"));
  await step(() => page.click("form .link-button"));
  await page.goto("about:blank");
  await page.goto(demo.link("alice"));
  await step(() => page.waitForSelector(".sidebar li"));
  for (const act of ["settings", "contacts", "new"]) {
    await step(() => page.click(`.sidebar [data-act="${act}"]`));
    if (act === "new") await step(() => page.click("#tab-newGroup"));
    await closed();
  }
  await step(() => page.click('.sidebar [data-act="saved"]'));
  await closed();
  await step(() => opened(page, scene));
  await step(() => page.$eval(".view", (view) => view.scrollTo(0, 0)));
  await step(() => page.click('[data-act="extras"]'));
  await step(() => page.click('[data-act="poll"]'));
  await closed();
  await step(async () => {
    const line = page.locator(`.line:has-text("${scene.texts.plan[0][1].slice(0, 4)}")`).first();
    await line.hover();
    await line.locator('[data-act="more"]').click();
  });
  await page.keyboard.press("Escape");
  await page.locator("button.latest:not([data-act])").click({ timeout: 1_000 }).catch(() => {});
  await step(() => page.locator(".line.own .tick").last().click());
  await closed();
  for (const act of ["group", "room"]) {
    await step(() => page.click(`.chat header [data-act="${act}"]`));
    if (act === "room") await step(() => page.click('dialog [data-act="search"]'));
    await closed();
  }
  await step(() => page.locator(".corner .node").click());
  await page.locator(".corner .node").click();
  await page.goto(`${demo.url()}/console`);
  await step(() => page.waitForSelector(".matrix .leader"));
  for (const tab of await page.$$eval(".console .tabs button", (all) => all.map(({ id }) => id).slice(1))) {
    await step(() => page.click(`#${tab}`));
    if (tab === "console-users") await step(() => page.click('button[aria-expanded][aria-label]'));
  }
  await flush(true);
  await one.context.close();
}
