/** Large text, little room, less motion, and what a screen reader gets. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { User } from "./demo.mjs";
import { room, until, Visitor } from "./page.mjs";

const fresh = (word) => `${word}${randomBytes(3).toString("hex")}`;

/** Parts that reach beyond the page, and controls in view that are cut by it. */
function overflow() {
  const [wide, high] = [document.documentElement.clientWidth, innerHeight];
  const found = document.documentElement.scrollWidth > wide ? [`the page is ${document.documentElement.scrollWidth} of ${wide} wide`] : [];
  for (const one of document.querySelectorAll("button, input, textarea, select, h1, h2, h3, label")) {
    const { left, right, top, bottom, width, height } = one.getBoundingClientRect();
    const isSeen = width > 1 && height > 1 && bottom > 0 && top < high && getComputedStyle(one).visibility === "visible";
    // Within a part that scrolls sideways, as tables and tabs do, all is reached.
    const scrolls = one.closest(".tabs, .scroll, .command") !== null;
    if (isSeen && !scrolls && (left < -1 || right > wide + 1)) found.push(`${one.tagName} ${one.className} ${one.textContent.slice(0, 30)}: ${Math.round(left)} to ${Math.round(right)} of ${wide}`);
  }
  return found;
}

/** A page of 1,280 by 960 pixels at 200 % and at 400 %, and text of twice the size. */
const ROOMS = [
  { viewport: { width: 640, height: 480 }, deviceScaleFactor: 2 },
  { viewport: { width: 320, height: 480 } },
  { viewport: { width: 1280, height: 800 }, isLarge: true },
];

export async function nothing_is_cut_at_200_and_400_percent({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("zoom "), [bob.id]);
  await bob.say(group, "a text with https://a.example/a/long/address/that/has/no/place/to/break/at/all");
  await alice.say(group, "and an answer");
  for (const { isLarge = false, ...options } of ROOMS) {
    const visitor = await Visitor.of(browser, { reducedMotion: "reduce", ...options });
    if (isLarge) {
      await visitor.context.addInitScript(() => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(":root { font-size: 200%; }");
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
      });
    }
    const page = await visitor.open(demo.url());
    const look = async (where) => assert.deepEqual(await page.evaluate(overflow), [], `${where}, ${JSON.stringify(options)}${isLarge ? ", large text" : ""}`);
    await page.waitForSelector("form");
    await look("sign-in");
    await page.goto("about:blank");
    await page.goto(demo.link("alice"));
    await page.waitForSelector(".sidebar li");
    await look("list");
    await room(page, group);
    await page.waitForSelector('.line:has-text("and an answer")');
    await look("conversation");
    const field = await page.locator(".composer textarea").boundingBox();
    assert.ok(field.width > 100 && field.y + field.height <= page.viewportSize().height, `the field is in view: ${JSON.stringify(field)}`);
    await page.click('.chat header [data-act="room"]');
    await page.waitForSelector('dialog [data-act="search"]');
    await look("options");
    await page.keyboard.press("Escape");
    await page.goto(`${demo.url()}/console`);
    await page.waitForSelector(".matrix");
    for (const tab of ["cluster", "users", "settings"]) {
      await page.click(`#console-${tab}`);
      await page.waitForTimeout(300);
      await look(`console, ${tab}`);
    }
    await visitor.close();
  }
}

export async function motion_ends_where_less_is_wanted({ demo, browser }) {
  const moving = (page) => page.evaluate(() => document.getAnimations().filter((one) => one.effect.getComputedTiming().activeDuration > 20 && one.effect.getKeyframes().some((frame) => "transform" in frame)).length);
  const visitor = await Visitor.of(browser, { reducedMotion: "reduce" });
  const page = await visitor.open(demo.link("alice"));
  await page.waitForSelector(".sidebar li");
  await page.click('.sidebar header [data-act="settings"]');
  await page.waitForSelector("dialog");
  assert.equal(await moving(page), 0);
  await visitor.close();
}

export async function a_screen_reader_gets_names_and_roles({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const name = fresh("tree ");
  const group = await alice.group(name, [bob.id]);
  await bob.say(group, "hello");
  await alice.say(group, "mine");
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.waitForSelector('.line:has-text("mine") .tick');
  const has = async (part, lines) => {
    await until(async () => {
      const tree = await page.locator(part).first().ariaSnapshot();
      for (const line of lines) assert.match(tree, line, `${part} has no ${line}:\n${tree}`);
    }, 5_000);
  };
  await has(".sidebar", [/region "Conversations"|heading "Conversations"/, /searchbox "Search conversations"/, /navigation "Conversations"/, new RegExp(`link "[^"]*${name}`), /button "New conversation"/, /button "Settings"/]);
  await has(".chat", [new RegExp(`heading "${name}" \\[level=1\\]`), /log/, /article "bob"/, /article "You"/, /hello/, /textbox "[^"]*"/, /button "(?:Details: )?[^"]*(?:Durable|Delivered|Read|durable|delivered|read)[^"]*"/]);
  await page.click(".corner .node");
  await has(".corner", [/region "Your messages"/, /term: Lost/, /definition: "0"/, /button "[^"]*Node \d[^"]*" \[expanded\]/]);
  await page.click('.sidebar header [data-act="settings"]');
  await has("dialog", [/dialog|heading "Settings"/, /textbox/, /combobox/, /checkbox/, /Accessibility/]);
  await visitor.close();
}
