/** Polls, messages that vanish, own states of conversations, saved and pinned messages, and search. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { User } from "./demo.mjs";
import { choose, direct, room, shown, until, Visitor, write } from "./page.mjs";

const fresh = (word) => `${word}${randomBytes(3).toString("hex")}`;
const key = () => randomBytes(16).toString("hex");

/** Chooses among the options of the open conversation. */
async function option(page, act) {
  await page.click('.chat header [data-act="room"]');
  await page.click(`dialog [data-act="${act}"]`);
}

const closed = (page) => until(async () => assert.equal(await page.locator("dialog").count(), 0));

async function register(demo, name) {
  const headers = { "content-type": "application/json", "idempotency-key": key() };
  await fetch(`${demo.url()}/v1/register`, { method: "POST", headers, body: JSON.stringify({ name, password: "correct horse" }) });
  return User.login(demo, name, "correct horse");
}

const linkOf = (demo, name, node = 0) => `${demo.url(node)}/#in/${name}/${encodeURIComponent("correct horse")}`;

export async function a_poll_is_voted_in_and_closed({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("poll "), [bob.id]);
  const [visitor, other] = [await Visitor.of(browser), await Visitor.of(browser)];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(demo.link("bob", 1));
  for (const one of [page, seen]) await room(one, group);
  await page.click('[data-act="extras"]');
  await page.click('[data-act="poll"]');
  await page.fill('[data-act="question"]', "Where do we eat?");
  await page.fill("dialog li:nth-child(1) input", "Noodles");
  await page.fill("dialog li:nth-child(2) input", "Dumplings");
  await page.click('dialog button[type="submit"]');
  for (const one of [page, seen]) await one.waitForSelector('.poll:has-text("Where do we eat?")');
  await page.click('.poll label:has-text("Noodles")');
  await page.waitForSelector('.poll label.mine:has-text("Noodles")');
  await seen.click('.poll label:has-text("Dumplings")');
  for (const one of [page, seen]) await one.waitForSelector('.poll:has-text("2 people have voted")');
  // Another vote replaces the first one.
  await seen.click('.poll label:has-text("Noodles")');
  for (const one of [page, seen]) await one.waitForSelector('.poll label:has-text("Noodles") input[aria-label="Noodles: 2 of 2"]');
  await seen.click('[data-act="votes"]');
  await seen.waitForSelector('dialog:has-text("alice, bob"), dialog:has-text("alice, You"), dialog:has-text("bob, alice")');
  await seen.keyboard.press("Escape");
  assert.equal(await seen.locator('[data-act="close-poll"]').count(), 0);
  await page.click('[data-act="close-poll"]');
  for (const one of [page, seen]) await one.waitForSelector('.poll:has-text("closed")');
  assert.ok(await seen.isDisabled(".poll label:nth-of-type(1) input"));
  await seen.reload();
  await seen.waitForSelector('.poll:has-text("2 people have voted"):has-text("closed")');
  await visitor.close();
  await other.close();
}

export async function messages_vanish_at_their_time({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const talk = direct(alice, bob);
  await bob.say(talk, "this stays");
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, talk);
  const text = fresh("gone soon ");
  await bob.ask("POST", `/v1/conversations/${talk}/messages`, { text, expires_in_ms: 2_500 }, key());
  await page.waitForSelector(`.line:has-text("${text}")`);
  await until(async () => assert.equal(await page.locator(`.line:has-text("${text}")`).count(), 0));
  await page.waitForSelector('.line:has-text("This message has vanished")');
  // Own messages, by the field, and all of a conversation, by its options.
  await page.click('[data-act="extras"]');
  await page.selectOption('[data-act="vanish"]', "60000");
  await page.waitForSelector('.note:has-text("1 minute")');
  await write(page, "for a minute");
  await page.waitForSelector('.line.own:has-text("for a minute") .mark');
  await page.click('.note button[aria-label="Cancel"]');
  await page.click('.chat header [data-act="room"]');
  await page.selectOption('dialog [data-act="retention"]', "86400");
  await page.keyboard.press("Escape");
  await page.waitForSelector('.note:has-text("vanish after 1 day")');
  await until(async () => assert.equal((await bob.ask("GET", `/v1/conversations/${talk}/settings`)).retention_seconds, 86_400));
  await bob.ask("PATCH", `/v1/conversations/${talk}`, { retention_seconds: 0 }, key());
  await page.waitForSelector('.note:has-text("set new messages to stay")');
  await visitor.close();
}

export async function a_conversation_has_an_own_state({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const [group, other] = [await alice.group(fresh("state "), [bob.id]), await alice.group(fresh("other "), [bob.id])];
  await bob.say(group, "one");
  await bob.say(other, "two");
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  const mine = () => alice.ask("GET", `/v1/conversations/${group}/me`);
  const entry = (id) => `.sidebar a[href="#/c/${id}"]`;
  const first = () => page.getAttribute(".sidebar nav li:first-child a", "href");
  await room(page, group);
  await option(page, "pin");
  await until(async () => assert.equal(await first(), `#/c/${group}`));
  await page.click('dialog [data-act="mute"]');
  await page.click('dialog button:has-text("Always")');
  await page.waitForSelector(`${entry(group)}:has-text("Muted")`);
  await page.click('dialog [data-act="unmute"]');
  await page.click('dialog [data-act="unpin"]');
  await until(async () => assert.deepEqual([(await mine()).pin, (await mine()).muted_until_ms], [0, 0]));
  await page.click('dialog [data-act="unread"]');
  await page.waitForSelector(`${entry(group)}:has-text("marked as unread")`);
  await page.click(entry(group));
  await until(async () => assert.equal((await mine()).marked_unread, false));
  // The archive, by the menu of the list.
  await page.click(entry(group), { button: "right" });
  await page.click('dialog [data-act="archive"]');
  await page.waitForSelector('dialog [data-act="unarchive"]');
  await page.keyboard.press("Escape");
  await until(async () => assert.equal(await page.locator(entry(group)).count(), 0));
  await page.click('.sidebar [data-act="archive"]');
  await page.waitForSelector(entry(group));
  assert.equal(await page.locator(entry(other)).count(), 0);
  // Another device takes it out.
  await alice.ask("PATCH", `/v1/conversations/${group}/me`, { archived: false }, key());
  await page.waitForSelector(entry(other));
  // The history goes for this user alone.
  await option(page, "clear");
  await page.click("dialog .button.danger");
  await closed(page);
  await page.waitForSelector('.chat:has-text("Nothing here yet")');
  await bob.say(group, "three");
  await until(async () => assert.deepEqual(await shown(page), ["three"]));
  await page.reload();
  await until(async () => assert.deepEqual(await shown(page), ["three"]));
  assert.deepEqual(await bob.texts(group), ["one", "three"]);
  await option(page, "hide");
  await until(async () => assert.equal(await page.locator(entry(group)).count(), 0));
  await bob.say(group, "four");
  await page.waitForSelector(entry(group));
  await visitor.close();
}

export async function a_draft_is_the_same_on_all_devices({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("draft "), [bob.id]);
  const [visitor, other] = [await Visitor.of(browser), await Visitor.of(browser)];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(demo.link("alice", 1));
  await room(page, group);
  await page.fill(".composer textarea", "begun here");
  await seen.waitForSelector(`.sidebar a[href="#/c/${group}"]:has-text("begun here")`);
  await room(seen, group);
  await until(async () => assert.equal(await seen.inputValue(".composer textarea"), "begun here"));
  await seen.press(".composer textarea", "End");
  await seen.keyboard.type(", ended there");
  await until(async () => assert.equal(await page.inputValue(".composer textarea"), "begun here, ended there"));
  await seen.press(".composer textarea", "Enter");
  await until(async () => assert.equal(await page.inputValue(".composer textarea"), ""));
  await page.waitForSelector('.line.own:has-text("begun here, ended there")');
  await visitor.close();
  await other.close();
}

export async function messages_are_saved_and_deleted_for_me({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("saved "), [bob.id]);
  const text = fresh("keep this ");
  await bob.say(group, text);
  await bob.say(group, "not this");
  const [visitor, other] = [await Visitor.of(browser), await Visitor.of(browser)];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(demo.link("alice", 1));
  for (const one of [page, seen]) await room(one, group);
  await choose(page, text, "Save");
  await page.waitForSelector(`.line:has-text("${text}"):has-text("saved")`);
  await seen.click('.sidebar [data-act="saved"]');
  await seen.click(`dialog .place:has-text("${text}")`);
  await until(async () => assert.ok(await seen.evaluate((words) => document.activeElement?.textContent?.includes(words) ?? false, text)));
  await choose(page, "not this", "Delete for me");
  await page.click("dialog .danger");
  for (const one of [page, seen]) await until(async () => assert.deepEqual(await shown(one), [text]));
  await seen.reload();
  await until(async () => assert.deepEqual(await shown(seen), [text]));
  assert.deepEqual(await bob.texts(group), [text, "not this"]);
  await page.click('.sidebar [data-act="saved"]');
  await page.click(`dialog li:has-text("${text}") button[aria-label="Remove from saved"]`);
  await until(async () => assert.equal(await page.locator(`dialog li:has-text("${text}")`).count(), 0));
  await visitor.close();
  await other.close();
}

export async function a_group_lets_in_those_that_ask({ demo, browser }) {
  const [alice, name] = [await User.login(demo, "alice"), fresh("asks")];
  await register(demo, name);
  const group = await alice.group(fresh("closed "), []);
  await alice.ask("PATCH", `/v1/conversations/${group}`, { join: "approval" }, key());
  const [visitor, other] = [await Visitor.of(browser), await Visitor.of(browser)];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(linkOf(demo, name, 1));
  await room(page, group);
  const ask = async () => {
    await seen.click('.sidebar [data-act="new"]');
    await seen.click("#tab-joinById");
    await seen.fill("dialog form input", group);
    await seen.click('dialog button:text-is("Join")');
    await seen.fill('[data-act="ask-text"]', "it is me");
    await seen.click('dialog button:has-text("Ask to join")');
    await seen.waitForSelector('dialog:has-text("You have asked to join")');
  };
  await ask();
  await page.click('.note:has-text("asked to join") button');
  await page.waitForSelector(`dialog [data-act="requests"]:has-text("${name}"):has-text("it is me")`);
  await page.click('dialog [data-act="requests"] button:has-text("Refuse")');
  await until(async () => assert.equal(await page.locator('dialog [data-act="requests"]').count(), 0));
  // Once more, taken back, and once more.
  await seen.keyboard.press("Escape");
  await ask();
  await seen.click('dialog [data-act="withdraw"]');
  await until(async () => assert.equal(await seen.locator('dialog [data-act="withdraw"]').count(), 0));
  await seen.keyboard.press("Escape");
  await ask();
  await seen.keyboard.press("Escape");
  await page.click('dialog [data-act="requests"] button:has-text("Let in")');
  await room(seen, group);
  await write(seen, "thank you");
  await page.waitForSelector('.line:has-text("thank you")');
  await visitor.close();
  await other.close();
}

export async function messages_are_pinned_and_their_readers_named({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("pins "), [bob.id]);
  await alice.say(group, "the plan");
  for (let at = 1; at <= 130; at++) await (at % 2 === 0 ? alice : bob).say(group, `talk ${at}`);
  const { head } = await bob.ask("GET", `/v1/conversations/${group}/messages?after=0&limit=1`);
  await bob.ask("POST", `/v1/conversations/${group}/read`, { seq: head });
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  // It opens at the first unread message.
  await page.click(".latest");
  await page.waitForSelector('.line:has-text("talk 130")');
  await choose(page, "talk 130", "Pin for all");
  await page.waitForSelector('.pins:has-text("talk 130")');
  const { messages } = await alice.ask("GET", `/v1/conversations/${group}/messages?after=0&limit=5`);
  const plan = messages.find(({ body }) => body.text === "the plan").seq;
  await alice.ask("PUT", `/v1/conversations/${group}/pins/${plan}`, undefined, key());
  // A click goes there, far up in the log.
  await page.click('.pins [data-act="pinned"]:has-text("the plan")');
  await until(async () => assert.ok((await shown(page)).includes("the plan")));
  await page.click('.pins button:has-text("2 pinned messages")');
  await page.click('dialog li:has-text("talk 130") button[aria-label="Unpin for all"]');
  await page.waitForSelector('.pins:has-text("1 pinned message")');
  await page.keyboard.press("Escape");
  await choose(page, "the plan", "Details");
  await page.waitForSelector('dialog [data-act="readers"]:has-text("Read by 1 of 1: bob")');
  await visitor.close();
}

export async function messages_are_found({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("search "), [bob.id]);
  const word = fresh("needle");
  await bob.say(group, `A ${word} in the hay`);
  await bob.say(group, "我爱北京天安门");
  for (let at = 1; at <= 120; at++) await (at % 2 === 0 ? alice : bob).say(group, `hay ${at}`);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await page.fill('.sidebar input[type="search"]', word.slice(0, -2));
  await page.press('.sidebar input[type="search"]', "Enter");
  await page.waitForSelector(`dialog .place:has-text("${word}") mark`);
  await page.click(`dialog .place:has-text("${word}")`);
  await until(async () => assert.ok((await shown(page)).some((text) => text.includes(word))));
  await until(async () => assert.ok(await page.evaluate((words) => document.activeElement?.textContent?.includes(words) ?? false, word)));
  // Within a conversation, in Chinese, and by sender.
  await option(page, "search");
  await page.fill('dialog [data-act="words"]', "北京");
  await page.press('dialog [data-act="words"]', "Enter");
  await page.waitForSelector('dialog .place:has-text("我爱北京天安门") mark:has-text("北京")');
  await page.fill('dialog [data-act="words"]', "hay");
  await page.click('dialog [data-act="sender"]');
  await page.fill("dialog section input", "bob");
  await page.click("dialog .person");
  await page.click('dialog button[type="submit"]');
  await page.waitForSelector('dialog .place:has-text("hay 119")');
  assert.equal(await page.locator('dialog .place:has-text("hay 120")').count(), 0);
  await visitor.close();
}
