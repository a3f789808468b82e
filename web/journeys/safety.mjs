/** Hostile texts, accessibility, the keyboard, and a node that dies. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { User } from "./demo.mjs";
import { room, shown, until, verdict, Visitor, write } from "./page.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const fresh = (word) => `${word}${randomBytes(3).toString("hex")}`;

/** In the manner of public lists of cases. */
const HOSTILE = [
  "<script>window.hit=1</script>",
  "<img src=x onerror=window.hit=1>",
  "<svg/onload=window.hit=1>",
  "<svg><animate onbegin=window.hit=1 attributeName=x dur=1s>",
  '"><script>window.hit=1</script>',
  "'-window.hit=1-'",
  "javascript:window.hit=1",
  "JaVaScRiPt:window.hit=1",
  "java\tscript:window.hit=1",
  "data:text/html,<script>window.hit=1</script>",
  "<iframe srcdoc='<script>parent.hit=1</script>'>",
  "<math><mtext></p><img src=x onerror=window.hit=1>",
  "<details open ontoggle=window.hit=1>",
  "<input autofocus onfocus=window.hit=1>",
  "{{constructor.constructor('window.hit=1')()}}",
  "${window.hit=1}",
  "<a href=javascript:window.hit=1>x</a>",
  "https://a.example/\"onmouseover=window.hit=1//",
  "https://a.example/<script>window.hit=1</script>",
  "<style>*{display:none}</style>",
  "<base href=//evil.example>",
  "<meta http-equiv=refresh content=0;url=javascript:window.hit=1>",
  "\u202Eevil\u202C and ends",
  "A\u0300\u0301\u0302\u0303\u0304 zalgo",
  "<!--<img src=--><img src=x onerror=window.hit=1>",
  "&lt;script&gt;window.hit=1&lt;/script&gt;",
];

export async function hostile_texts_are_shown_as_texts({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await bob.group("<img src=x onerror=window.hit=1>", [alice.id]);
  for (const text of HOSTILE) await bob.say(group, text);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.waitForSelector(".line");
  const seen = new Set();
  await until(async () => {
    for (const text of await shown(page)) seen.add(text);
    await page.$eval(".view", (view) => view.scrollBy(0, 300));
    assert.deepEqual(HOSTILE.filter((text) => !seen.has(text)), []);
  });
  assert.equal(await page.textContent(".chat h1"), "<img src=x onerror=window.hit=1>");
  assert.equal(await page.evaluate(() => window.hit), undefined);
  const odd = await page.$$eval(".view :is(script, img, iframe, style, base, meta, form, object, embed)", (all) => all.length);
  assert.equal(odd, 0);
  for (const href of await page.$$eval(".view a", (all) => all.map((one) => one.href))) assert.match(href, /^https?:/);
  await visitor.close();
}

/** The page forbids scripts from elsewhere, so this one comes in by the debugger. */
async function findings(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join("; ")}`);
}

export async function axe_finds_nothing({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("axe "), [bob.id]);
  for (const text of ["hello", "see https://a.example/", "🎉"]) await bob.say(group, text);
  await alice.say(group, "mine");
  for (const options of [{ colorScheme: "light" }, { colorScheme: "dark", locale: "zh-CN", viewport: { width: 390, height: 800 } }, { forcedColors: "active" }]) {
    const visitor = await Visitor.of(browser, { reducedMotion: "reduce", ...options });
    const page = await visitor.open(demo.url());
    const look = async (where) => assert.deepEqual(await findings(page), [], `${where}, ${JSON.stringify(options)}`);
    await page.waitForSelector("form");
    await look("sign-in");
    await page.click("form .link-button");
    await look("registration");
    await page.goto("about:blank");
    await page.goto(demo.link("alice"));
    await page.waitForSelector(".sidebar li");
    await look("list");
    await room(page, group);
    await page.waitForSelector('.line:has-text("mine")');
    await look("conversation");
    await page.locator(".line .tick").last().click();
    await page.waitForSelector("dialog");
    await look("details");
    await page.keyboard.press("Escape");
    await page.click('.chat header [data-act="group"]');
    await page.waitForSelector("dialog form");
    await look("group");
    await page.keyboard.press("Escape");
    await page.locator(".corner .node").click();
    await look("verdict");
    await page.locator(".corner .node").click();
    if ((options.viewport?.width ?? 1280) < 720) await page.click(".back");
    await page.click('.sidebar header [data-act="settings"]');
    await page.waitForSelector("dialog form");
    await look("settings");
    await page.keyboard.press("Escape");
    await page.click('.sidebar header [data-act="new"]');
    for (const tab of ["people", "newGroup", "joinById"]) {
      await page.click(`#tab-${tab}`);
      await look(`new conversation, ${tab}`);
    }
    await visitor.close();
  }
}

export async function axe_finds_nothing_in_newer_parts({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("axe "), [bob.id]);
  const word = fresh("findme");
  await bob.say(group, word);
  const poll = { type: "poll", question: "When?", options: ["today", "tomorrow"] };
  const { seq } = await bob.ask("POST", `/v1/conversations/${group}/messages`, { body: poll }, randomBytes(16).toString("hex"));
  await bob.ask("PUT", `/v1/conversations/${group}/messages/${seq}/vote`, { options: [0] }, randomBytes(16).toString("hex"));
  await alice.ask("PUT", `/v1/conversations/${group}/pins/${seq}`, undefined, randomBytes(16).toString("hex"));
  await alice.ask("PUT", `/v1/favourites/${group}/${seq}`, undefined, randomBytes(16).toString("hex"));
  await alice.ask("PATCH", `/v1/conversations/${group}/me`, { pin: 1, muted_until_ms: Date.now() + 3_600_000 }, randomBytes(16).toString("hex"));
  for (const options of [{ colorScheme: "dark" }, { colorScheme: "light", locale: "zh-CN", viewport: { width: 390, height: 800 } }, { forcedColors: "active" }]) {
    const visitor = await Visitor.of(browser, { reducedMotion: "reduce", ...options });
    const page = await visitor.open(demo.link("alice"));
    const look = async (where) => assert.deepEqual(await findings(page), [], `${where}, ${JSON.stringify(options)}`);
    await page.click('.sidebar [data-act="saved"]');
    await page.waitForSelector("dialog .place");
    await look("saved messages");
    await page.keyboard.press("Escape");
    await room(page, group);
    await page.waitForSelector(".poll input");
    await page.waitForSelector(".pins");
    await look("a poll and a pin");
    await page.click('[data-act="extras"]');
    await look("extras");
    await page.click('[data-act="poll"]');
    await page.waitForSelector("dialog form");
    await look("a new poll");
    await page.keyboard.press("Escape");
    await page.click('[data-act="votes"]');
    await page.waitForSelector("dialog dl");
    await look("votes");
    await page.keyboard.press("Escape");
    for (const [act, inside] of [["pins", ".place"], ["search", "form"], ["clear", ".danger"]]) {
      await page.click('.chat header [data-act="room"]');
      await page.waitForSelector('dialog [data-act="clear"]');
      if (act === "pins") await look("options");
      await page.click(`dialog [data-act="${act}"]`);
      await page.waitForSelector(`dialog ${inside}`);
      if (act === "search") {
        await page.fill('dialog [data-act="words"]', word);
        await page.press('dialog [data-act="words"]', "Enter");
        await page.waitForSelector("dialog mark");
      }
      await look(act);
      // In a field of a search the first press empties it.
      await page.keyboard.press("Escape");
      if (act === "search") await page.keyboard.press("Escape");
    }
    // Messages that are chosen, and forwarded.
    const deed = async (name) => {
      const line = page.locator(`.line:has-text("${word}")`).last();
      await line.hover();
      await line.locator('[data-act="more"]').click();
      await line.locator(`[data-deed="${name}"]`).click();
    };
    await deed("check");
    await page.waitForSelector(".chosen");
    await look("chosen messages");
    await deed("forward");
    await page.waitForSelector("dialog fieldset input");
    await look("forward");
    await page.keyboard.press("Escape");
    await page.click('.chat header [data-act="room"]');
    await page.click('dialog [data-act="files"]');
    await page.waitForSelector('dialog [data-act="kind"]');
    await look("files");
    await page.keyboard.press("Escape");
    await page.click('.chat header [data-act="group"]');
    await page.click('dialog [data-act="make-hook"]');
    await page.selectOption('dialog [data-act="hooks"] select', "3");
    await look("a new hook");
    await page.keyboard.press("Escape");
    if ((options.viewport?.width ?? 1280) < 720) await page.click(".back");
    await page.click('.sidebar header [data-act="settings"]');
    await page.click('dialog [data-act="make-bot"]');
    await look("a new bot");
    await visitor.close();
  }
}

export async function axe_finds_nothing_in_the_console({ demo, browser }) {
  for (const options of [{ colorScheme: "light" }, { colorScheme: "dark", locale: "zh-CN", viewport: { width: 390, height: 800 } }, { forcedColors: "active" }]) {
    const visitor = await Visitor.of(browser, { reducedMotion: "reduce", ...options });
    const page = await visitor.open(demo.link("alice"));
    await page.waitForSelector(".sidebar li");
    await page.goto(`${demo.url()}/console`);
    await page.waitForSelector(".matrix");
    for (const tab of ["cluster", "users", "reports", "invites", "settings", "audit"]) {
      await page.click(`#console-${tab}`);
      await page.waitForTimeout(300);
      assert.deepEqual(await findings(page), [], `console, ${tab}, ${JSON.stringify(options)}`);
    }
    await visitor.close();
  }
}

/** Presses Tab until the focus is there. */
function tabs(page) {
  return async (wanted) => {
    for (let step = 0; step < 60; step++) {
      if (await page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, wanted)) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not reach ${wanted}`);
  };
}

export async function a_poll_and_options_by_the_keyboard_alone({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("keys "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  const focusOn = tabs(page);
  await focusOn('[data-act="extras"]');
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  assert.ok(await page.evaluate(() => document.activeElement?.matches('[data-act="extras"]')), "Escape gives the focus back");
  await page.keyboard.press("Enter");
  await focusOn('[data-act="poll"]');
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog form");
  await focusOn('[data-act="question"]');
  await page.keyboard.type("Now?");
  for (const option of ["yes", "no"]) {
    await page.keyboard.press("Tab");
    await page.keyboard.type(option);
  }
  await page.keyboard.press("Enter");
  await page.waitForSelector(".poll input");
  await until(async () => assert.ok(await page.evaluate(() => document.activeElement?.matches('[data-act="extras"]')), "the end of a dialog gives the focus back"));
  await focusOn(".poll input");
  await page.keyboard.press("Space");
  await page.waitForSelector('.poll label.mine:has-text("yes")');
  // The options of a conversation, from the list and from its header.
  await focusOn(`.sidebar a[href="#/c/${group}"]`);
  await page.keyboard.press("ContextMenu");
  await page.waitForSelector('dialog [data-act="archive"]');
  await page.keyboard.press("Escape");
  await until(async () => assert.ok(await page.evaluate((href) => document.activeElement?.getAttribute("href") === href, `#/c/${group}`)));
  await focusOn('.chat header [data-act="room"]');
  await page.keyboard.press("Enter");
  await focusOn('dialog [data-act="pin"]');
  await page.keyboard.press("Enter");
  await page.waitForSelector('dialog [data-act="unpin"]');
  assert.ok(await page.evaluate(() => document.activeElement?.matches('[data-act="unpin"]')), "the button keeps the focus");
  await visitor.close();
}

export async function the_keyboard_alone_is_enough({ demo, browser }) {
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.url());
  await page.waitForSelector("form");
  const focusOn = tabs(page);
  const { name, password } = demo.account("alice");
  await focusOn('[name="username"]');
  await page.keyboard.type(name);
  await focusOn('[name="password"]');
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".sidebar li");
  await focusOn('.sidebar header [data-act="new"]');
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog");
  await focusOn('dialog input[type="search"]');
  await page.keyboard.type("carol");
  await page.waitForSelector(".person");
  await focusOn(".person");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".composer textarea");
  await focusOn(".composer textarea");
  const text = fresh("typed ");
  await page.keyboard.type(text);
  // An input method has the Enter that chooses a candidate.
  await page.$eval(".composer textarea", (field) => field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true })));
  assert.equal(await page.inputValue(".composer textarea"), text);
  await page.keyboard.down("Shift");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Shift");
  await page.keyboard.type("second line");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`.line.own:has-text("second line") .tick`);
  await page.locator(".view").focus();
  await page.keyboard.press("ArrowUp");
  await until(async () => assert.ok(await page.evaluate(() => document.activeElement?.matches(".line"))));
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog");
  await page.keyboard.press("Escape");
  await until(async () => assert.equal(await page.locator("dialog").count(), 0));
  assert.ok(await page.evaluate(() => document.activeElement?.matches(".line")), "the focus is back on the message");
  await visitor.close();
}

export async function a_killed_node_loses_nothing_on_the_screen({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("kill "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.click(".corner .node");
  let many = 0;
  for (let round = 0; round < 3; round++) {
    for (let at = 0; at < 10; at++) await write(page, `m${++many}`);
    const [, node] = /(\d+)/.exec(await page.textContent(".corner .node .long"));
    const { pid } = demo.nodes.find(({ id }) => String(id) === node);
    await page.fill(".composer textarea", "half");
    // Once by the button of the page, and then as any process dies.
    const begun = performance.now();
    if (round === 0 && demo.control !== undefined) {
      await page.click('.faults button:has-text("Kill this node")');
      await page.focus(".composer textarea");
      await page.keyboard.press("End");
    } else process.kill(pid, "SIGKILL");
    await page.keyboard.type("-typed");
    await until(async () => assert.ok(!(await page.$eval(".corner .node", (one) => one.classList.contains("away"))) && /\d/.test(await page.textContent(".corner .node .long"))), 5_000);
    await until(async () => assert.equal((await verdict(page))["Acknowledged"], String(many)), 20_000);
    assert.equal(await page.inputValue(".composer textarea"), "half-typed");
    assert.ok(await page.evaluate(() => document.activeElement?.matches(".composer textarea")), "the focus is where it was");
    console.log(`        node ${node} was killed; all was acknowledged after ${Math.round(performance.now() - begun)} ms`);
    // The demo starts it again after five seconds, as another process.
    await until(async () => {
      const answer = await fetch(`http://${demo.nodes.find(({ id }) => String(id) === node).http}/readyz`);
      assert.ok(answer.ok);
    }, 40_000);
    demo.refresh();
  }
  const sent = Array.from({ length: many }, (_, at) => `m${at + 1}`);
  assert.deepEqual(await bob.texts(group), sent);
  const seen = (await shown(page)).filter((text) => /^m\d+$/.test(text));
  assert.deepEqual(seen, sent.slice(-seen.length));
  const judged = await verdict(page);
  assert.deepEqual([judged.Sent, judged.Lost, judged.Duplicated, judged.Order], [String(many), "0", "0", "kept"]);
  await visitor.close();
}
