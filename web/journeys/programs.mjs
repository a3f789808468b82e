/** Forwards, files of a conversation, growing messages, hooks, bots, and presence that is pushed. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { User } from "./demo.mjs";
import { choose, direct, room, shown, until, Visitor, write } from "./page.mjs";

const fresh = (word) => `${word}${randomBytes(3).toString("hex")}`;
const key = () => randomBytes(16).toString("hex");
const bodies = async (user, conversation) => (await user.ask("GET", `/v1/conversations/${conversation}/messages?after=0`)).messages.filter(({ kind }) => kind === "message").map(({ body }) => body);

export async function messages_are_forwarded({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const [here, there, third] = [await alice.group(fresh("from "), [bob.id]), await alice.group(fresh("to "), [bob.id]), await alice.group(fresh("third "), [bob.id])];
  for (const text of ["one", "two", "three"]) await bob.say(here, text);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, here);
  // One message, to two conversations, with a text behind it.
  await page.waitForSelector('.line:has-text("three")');
  await choose(page, "one", "Forward");
  for (const id of [there, third]) await page.check(`dialog input[value="${id}"]`);
  await page.fill("dialog textarea", "look at this");
  await page.click('dialog button[type="submit"]');
  await page.waitForSelector('.remark:has-text("Forwarded to 2 conversations")');
  for (const id of [there, third]) assert.deepEqual(await bob.texts(id), ["one", "look at this"]);
  // Several, chosen by keyboard, as one message.
  await choose(page, "two", "Choose several");
  assert.equal(await page.textContent('.chosen [role="status"]'), "1 chosen");
  await page.locator('.line:has-text("three") .choose').focus();
  await page.keyboard.press("Space");
  await page.click('[data-act="forward-chosen"]');
  await page.fill('dialog input[type="search"]', "to ");
  await page.focus(`dialog input[value="${there}"]`);
  await page.keyboard.press("Space");
  await page.focus('dialog [data-act="bundle"]');
  await page.keyboard.press("Space");
  await page.focus('dialog button[type="submit"]');
  await page.keyboard.press("Enter");
  await page.waitForSelector('.remark:has-text("Forwarded to 1 conversation")');
  await until(async () => assert.equal(await page.locator(".chosen").count(), 0));
  const bundle = (await bodies(bob, there)).at(-1);
  assert.equal(bundle.type, "bundle");
  assert.equal(bundle.messages.length, 2);
  await room(page, there);
  await page.waitForSelector('.bundle:has-text("2 forwarded messages"):has-text("two"):has-text("three"):has-text("bob")');
  await visitor.close();
}

export async function the_files_of_a_conversation_are_listed({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("listed "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  const files = async () => {
    await page.click('.chat header [data-act="room"]');
    await page.click('dialog [data-act="files"]');
  };
  await files();
  await page.waitForSelector('dialog:has-text("No files here.")');
  await page.keyboard.press("Escape");
  await page.setInputFiles('.composer input[type="file"]', { name: "minutes.txt", mimeType: "text/plain", buffer: Buffer.from("we met") });
  await write(page, "the minutes");
  await page.waitForSelector('.line:has-text("minutes.txt") .tick:is(.durable, .delivered, .read)', { timeout: 30_000 });
  for (let number = 1; number <= 60; number++) await bob.say(group, `line ${number}`);
  await page.waitForSelector('.line:has-text("line 60")');
  await files();
  await page.waitForSelector('dialog li:has-text("minutes.txt"):has-text("the minutes")');
  await page.selectOption('dialog [data-act="kind"]', { label: "Image" });
  await page.waitForSelector('dialog:has-text("No files here.")');
  await page.selectOption('dialog [data-act="kind"]', { label: "File" });
  await page.focus("dialog li .place");
  await page.keyboard.press("Enter");
  // It leads to the message.
  await page.waitForSelector('.line:has-text("minutes.txt")');
  await visitor.close();
}

export async function a_message_grows_on_the_screen({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("grows "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  const { seq } = await bob.ask("POST", `/v1/conversations/${group}/messages`, { text: "Once ", stream: true }, key());
  await page.waitForSelector('.line:has-text("Once") .grows');
  const pieces = ["upon ", "a ", "time"];
  for (const [index, text] of pieces.entries()) {
    await bob.ask("POST", `/v1/conversations/${group}/messages/${seq}/pieces`, { index, text });
    await until(async () => assert.equal((await shown(page)).at(-1), `Once ${pieces.slice(0, index + 1).join("")}`));
  }
  await bob.ask("POST", `/v1/conversations/${group}/messages/${seq}/end`, {}, key());
  await until(async () => assert.equal(await page.locator(".grows").count(), 0));
  assert.equal((await shown(page)).at(-1), "Once upon a time");
  // What it became is no edit, now and after a reload.
  assert.equal(await page.locator(".edited").count(), 0);
  await page.reload();
  await page.waitForSelector('.line:has-text("Once upon a time")');
  assert.equal(await page.locator(".edited, .grows").count(), 0);
  await visitor.close();
}

export async function a_hook_is_made_posts_and_ends({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("hooks "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.click('.chat header [data-act="group"]');
  await page.click('dialog [data-act="make-hook"]');
  await page.fill('dialog [data-act="hooks"] label:has-text("Name of the hook") input', "Builds");
  await page.click('dialog [data-act="hooks"] button[type="submit"]');
  const url = await page.inputValue('dialog [data-act="once"]');
  assert.ok(url.startsWith(`${demo.url()}/v1/hooks/${group}.`), url);
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json", "idempotency-key": key() }, body: JSON.stringify({ text: "build 7 is green" }) });
  assert.ok(answer.ok, await answer.text());
  await page.waitForSelector('.line:has-text("build 7 is green")');
  // Members that may not change the settings see no hooks.
  const other = await Visitor.of(browser);
  const seen = await other.open(demo.link("bob", 1));
  await room(seen, group);
  await seen.click('.chat header [data-act="group"]');
  await seen.waitForSelector('dialog li:has-text("alice")');
  assert.equal(await seen.locator('dialog [data-act="hooks"]').count(), 0);
  await other.close();
  await page.click('dialog button[aria-label="End: Builds"]');
  await page.click('dialog [data-act="hooks"] [data-act="sure"]');
  await page.waitForSelector('dialog:has-text("This group has no hooks.")');
  assert.equal((await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ text: "late" }) })).ok, false);
  // And members may be kept apart.
  await page.check('dialog [data-act="apart"]');
  await page.click('dialog form button:has-text("Save")');
  await page.waitForSelector('.remark:has-text("Saved")');
  assert.equal((await alice.ask("GET", `/v1/conversations/${group}/settings`)).no_contact, true);
  await visitor.close();
}

export async function a_bot_gets_a_token_another_one_and_its_end({ demo, browser }) {
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("carol"));
  const name = fresh("bot");
  const status = async (token) => (await fetch(`${demo.url()}/v1/me`, { headers: { authorization: `Bearer ${token}` } })).status;
  await page.click('.sidebar [data-act="settings"]');
  await page.click('dialog [data-act="make-bot"]');
  await page.fill('dialog [data-act="bots"] form .input', name);
  await page.click('dialog [data-act="bots"] button[type="submit"]');
  const token = await page.inputValue('dialog [data-act="once"]');
  assert.equal(await status(token), 200);
  const bot = page.locator(`dialog [data-act="bots"] li:has-text("${name}")`);
  await bot.locator('button:has-text("New token")').click();
  await bot.locator('[data-act="sure"]').click();
  await until(async () => assert.notEqual(await page.inputValue('dialog [data-act="once"]'), token));
  const next = await page.inputValue('dialog [data-act="once"]');
  assert.equal(await status(next), 200);
  await until(async () => assert.equal(await status(token), 401));
  await bot.locator('button:has-text("End the bot")').click();
  await bot.locator('[data-act="sure"]').click();
  await until(async () => assert.equal(await bot.count(), 0));
  await until(async () => assert.equal(await status(next), 401));
  // The cluster of the demo sends no Web Push, so none is on offer; the handbook is there.
  assert.equal(await page.locator('dialog [data-act="push"]').count(), 0);
  assert.ok((await fetch(`${demo.url()}${await page.getAttribute('dialog [data-act="docs"]', "href")}`)).ok);
  await visitor.close();
}

export async function presence_is_pushed_to_the_page({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const id = direct(alice, bob);
  await bob.say(id, fresh("here "));
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, id);
  const isOnline = (many) => until(async () => assert.equal(await page.locator(".chat header .online").count(), many), 20_000);
  await isOnline(0);
  const other = await Visitor.of(browser);
  await other.open(demo.link("bob", 1));
  await isOnline(1);
  await page.waitForSelector(`.sidebar a[href="#/c/${id}"] .online`);
  await other.close();
  await isOnline(0);
  await visitor.close();
}

export async function the_sign_in_page_leads_to_the_handbook({ demo, browser }) {
  for (const [locale, text] of [["en-US", "Handbook"], ["zh-CN", "使用手册"]]) {
    const visitor = await Visitor.of(browser, { locale });
    const page = await visitor.open(demo.url());
    const link = page.locator('[data-act="docs"]');
    assert.equal(await link.textContent(), text);
    assert.ok((await fetch(new URL(await link.getAttribute("href"), demo.url()))).ok);
    await visitor.close();
  }
}
