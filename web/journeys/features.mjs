/** What a message, a file and a person can have done to them. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { User } from "./demo.mjs";
import { choose, direct, room, shown, until, Visitor, write } from "./page.mjs";

const fresh = (word) => `${word}${randomBytes(3).toString("hex")}`;

export async function texts_are_edited_and_recalled({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("edit "), [bob.id]);
  const [visitor, other] = [await Visitor.of(browser), await Visitor.of(browser)];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(demo.link("bob", 1));
  for (const one of [page, seen]) await room(one, group);
  await write(page, "frist");
  await page.waitForSelector('.line.own:has-text("frist") .tick:is(.durable, .delivered, .read)');
  // The upper arrow in an empty field edits the latest own text.
  await page.press(".composer textarea", "ArrowUp");
  assert.equal(await page.inputValue(".composer textarea"), "frist");
  await write(page, "first");
  for (const one of [page, seen]) await one.waitForSelector('.line:has-text("first"):has-text("edited")');
  await choose(page, "first", "Edit");
  await page.press(".composer textarea", "Escape");
  assert.equal(await page.inputValue(".composer textarea"), "");
  await seen.click(".edited");
  await seen.waitForSelector('dialog:has-text("frist")');
  assert.ok((await seen.textContent("dialog")).includes("first"));
  await seen.keyboard.press("Escape");
  await choose(page, "first", "Recall");
  await page.click("dialog .danger");
  for (const one of [page, seen]) await one.waitForSelector('.line:has-text("This message was recalled")');
  await seen.reload();
  await seen.waitForSelector('.line:has-text("This message was recalled")');
  assert.ok(!(await shown(seen)).some((text) => /fi?ri?st/.test(text)));
  // An admin recalls the messages of others.
  await write(seen, "not nice");
  await page.waitForSelector('.line:not(.own):has-text("not nice")');
  await choose(page, "not nice", "Recall");
  await page.click("dialog .danger");
  await until(async () => assert.equal(await seen.locator('.line:has-text("This message was recalled")').count(), 2));
  await visitor.close();
  await other.close();
}

/** A picture of one colour with noise, so that it does not pack. */
function png(width, height) {
  const row = () => Buffer.concat([Buffer.from([0]), randomBytes(width * 3)]);
  const raw = Buffer.concat(Array.from({ length: height }, row));
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const out = Buffer.alloc(12 + data.length);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), 8 + data.length);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", head), chunk("IDAT", deflateSync(raw)), chunk("IEND", Buffer.alloc(0))]);
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}

export async function files_are_sent_seen_and_saved({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("files "), [bob.id]);
  const [visitor, other] = [await Visitor.of(browser), await Visitor.of(browser)];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(demo.link("bob", 1));
  for (const one of [page, seen]) await room(one, group);
  const picture = png(700, 500);
  await page.setInputFiles('.composer input[type="file"]', { name: "noise.png", mimeType: "image/png", buffer: picture });
  await page.waitForSelector('[aria-label="Files to send"] img');
  await write(page, "some noise");
  await page.waitForSelector(".uploads progress");
  for (const one of [page, seen]) await one.waitForSelector('.line:has-text("some noise") .picture img', { timeout: 30_000 });
  // The box has the proportions of the picture, so no line moves when it arrives.
  const box = await seen.$eval(".picture", (one) => one.getBoundingClientRect().toJSON());
  assert.ok(Math.abs(box.width / box.height - 7 / 5) < 0.02, JSON.stringify(box));
  await seen.click(".picture");
  await seen.waitForSelector("dialog img");
  assert.deepEqual(await seen.$eval("dialog img", (image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight])), [700, 500]);
  const saving = seen.waitForEvent("download");
  await seen.click('dialog button[aria-label="Save noise.png"]');
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), "noise.png");
  assert.ok(readFileSync(await saved.path()).equals(picture));
  await seen.keyboard.press("Escape");
  // A file by paste, and one by drop.
  for (const [event, name] of [["paste", "pasted.txt"], ["drop", "dropped.txt"]]) {
    await page.evaluate(([type, file]) => {
      const data = new DataTransfer();
      data.items.add(new File([`content of ${file}`], file, { type: "text/plain" }));
      const options = { bubbles: true, cancelable: true };
      if (type === "paste") document.querySelector(".composer textarea").dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
      else document.querySelector(".chat").dispatchEvent(new DragEvent("drop", { ...options, dataTransfer: data }));
    }, [event, name]);
    await page.waitForSelector(`[aria-label="Files to send"]:has-text("${name}")`);
    await page.press(".composer textarea", "Enter");
    await seen.waitForSelector(`.line:has-text("${name}")`);
    const arriving = seen.waitForEvent("download");
    await seen.click(`button[aria-label="Save ${name}"]`);
    assert.equal(readFileSync(await (await arriving).path(), "utf8"), `content of ${name}`);
  }
  await visitor.close();
  await other.close();
}

export async function a_voice_message_is_recorded_and_played({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const room1 = direct(alice, bob);
  await bob.say(room1, "say something");
  const [visitor, other] = [await Visitor.of(browser, { permissions: ["microphone"] }), await Visitor.of(browser)];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(demo.link("bob", 1));
  for (const one of [page, seen]) await room(one, room1);
  await page.click('[data-act="record"]');
  await seen.waitForSelector('.chat header:has-text("recording")');
  await page.waitForTimeout(1_500);
  await page.click(".recorder .send");
  await seen.waitForSelector(".line .voice", { timeout: 30_000 });
  await seen.click(".line .voice button");
  await until(async () => assert.ok(Number(await seen.inputValue(".voice input")) > 0));
  await visitor.close();
  await other.close();
}

export async function people_become_contacts_and_are_blocked({ demo, browser }) {
  const names = [fresh("kim"), fresh("lee")];
  const users = [];
  for (const name of names) {
    await (await fetch(`${demo.url()}/v1/register`, { method: "POST", headers: { "content-type": "application/json", "idempotency-key": randomBytes(16).toString("hex") }, body: JSON.stringify({ name, password: "correct horse" }) })).json();
    users.push(await User.login(demo, name, "correct horse"));
  }
  const [kim, lee] = users;
  const [visitor, other] = [await Visitor.of(browser), await Visitor.of(browser)];
  const open = (who, name, node) => who.open(`${demo.url(node)}/#in/${name}/${encodeURIComponent("correct horse")}`);
  const page = await open(visitor, names[0], 0);
  const seen = await open(other, names[1], 1);
  await page.click('.sidebar [data-act="new"]');
  await page.fill('dialog input[type="search"]', names[1]);
  await page.click(".person");
  await page.click('.chat header [data-act="person"]');
  await page.fill("dialog form input", "hello");
  await page.click('dialog button:has-text("Ask as contact")');
  await page.waitForSelector('dialog:has-text("You asked")');
  await seen.waitForSelector('.sidebar [data-act="contacts"] .count');
  await seen.click('.sidebar [data-act="contacts"]');
  await seen.waitForSelector(`dialog:has-text("hello")`);
  await seen.click('dialog button:has-text("Accept")');
  await page.waitForSelector('dialog button:has-text("Remove contact")');
  // An own name is that person's name everywhere.
  await page.fill("dialog form input", "My neighbour");
  await page.click('dialog form button:has-text("Save")');
  await page.waitForSelector('dialog strong:has-text("My neighbour")');
  await page.keyboard.press("Escape");
  assert.equal(await page.textContent(".chat h1"), "My neighbour");
  await page.waitForSelector('.chat header p:has-text("online")');
  // A block ends what comes from there.
  await page.click('.chat header [data-act="person"]');
  await page.click('dialog button:text-is("Block")');
  await page.waitForSelector('dialog:has-text("You block this person")');
  await assert.rejects(lee.say(direct(kim, lee), "let me in"), /not_taken/);
  await page.click('dialog button:has-text("Lift block")');
  await until(async () => assert.equal(await page.locator('dialog:has-text("You block this person")').count(), 0));
  await lee.say(direct(kim, lee), "let me in");
  await page.waitForSelector('.line:has-text("let me in")');
  await page.click('dialog button:has-text("Report this person")');
  await page.fill("dialog form:has(.danger) input", "too loud");
  await page.click("dialog form .danger");
  await page.waitForSelector('.remark:has-text("administrators")');
  await visitor.close();
  await other.close();
}

export async function a_stranger_waits_where_the_user_wants_it({ demo, browser }) {
  const name = fresh("shy");
  await fetch(`${demo.url()}/v1/register`, { method: "POST", headers: { "content-type": "application/json", "idempotency-key": randomBytes(16).toString("hex") }, body: JSON.stringify({ name, password: "correct horse" }) });
  const shy = await User.login(demo, name, "correct horse");
  const bob = await User.login(demo, "bob");
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(`${demo.url()}/#in/${name}/${encodeURIComponent("correct horse")}`);
  await page.click('.sidebar [data-act="settings"]');
  await page.selectOption('[data-act="messages-from"]', "2");
  await until(async () => assert.equal((await shy.ask("GET", "/v1/me")).messages_from, "contacts"));
  await page.selectOption('[data-act="shown-to"]', "2");
  await until(async () => assert.equal((await bob.ask("GET", `/v1/users/${name}/presence`)).online, false));
  // The profile, with a picture.
  await page.fill('dialog input[autocomplete="nickname"]', "Shy One");
  await page.click('.faces button:has-text("🦉")');
  await page.fill("dialog textarea", "I read more than I write.");
  await page.click('dialog form:has(textarea) button:has-text("Save")');
  await page.waitForSelector('.sidebar .me:has-text("Shy One"):has-text("🦉")');
  await page.keyboard.press("Escape");
  await bob.say(direct(shy, bob), "we have not met");
  await page.click(".sidebar .badge:has(.count)");
  await page.waitForSelector('dialog:has-text("has written to you")');
  assert.equal(await page.locator(`.sidebar a[href="#/c/${direct(shy, bob)}"]`).count(), 0);
  await page.click('dialog button:has-text("Accept")');
  await page.waitForSelector('.line:has-text("we have not met")');
  await visitor.close();
}

export async function a_message_is_scheduled_and_taken_back({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("later "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.fill(".composer textarea", "in an hour");
  await page.click('[data-act="schedule"]');
  await page.click('dialog button:has-text("Schedule")');
  await page.waitForSelector('dialog li:has-text("in an hour")');
  await page.click("dialog li .danger");
  await until(async () => assert.equal(await page.locator("dialog li").count(), 0));
  await page.keyboard.press("Escape");
  assert.equal(await page.inputValue(".composer textarea"), "");
  // Another device leaves one for the next moment.
  await alice.ask("POST", `/v1/conversations/${group}/messages`, { text: "by the cluster", deliver_at_ms: Date.now() + 1_500 }, randomBytes(16).toString("hex"));
  await page.waitForSelector('.line.own:has-text("by the cluster")', { timeout: 30_000 });
  await visitor.close();
}

export async function a_group_is_led({ demo, browser }) {
  const [alice, bob, carol] = [await User.login(demo, "alice"), await User.login(demo, "bob"), await User.login(demo, "carol")];
  const group = await alice.group(fresh("led "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.click('.chat header [data-act="group"]');
  await page.fill("dialog textarea", "Meet at nine.");
  await page.selectOption('dialog label:has-text("Make invite links") select', "1");
  await page.click('dialog form button:has-text("Save")');
  await page.waitForSelector('.remark:has-text("Saved")');
  assert.equal((await bob.ask("GET", `/v1/conversations/${group}/settings`)).notice, "Meet at nine.");
  // A link, and its picture.
  await page.click('dialog button:has-text("Make an invite link")');
  await page.waitForSelector('dialog svg[role="img"] path');
  const link = await page.inputValue("dialog input[readonly]");
  const guest = await Visitor.of(browser);
  const entry = await guest.open(demo.link("carol", 1));
  await entry.waitForSelector(".sidebar li");
  await entry.goto(link.replace(demo.url(), demo.url(1)));
  await entry.click('dialog button:has-text("Join")');
  await entry.waitForSelector(".composer textarea");
  // The owner mutes, bans, lifts, hands over.
  await page.keyboard.press("Escape");
  await page.click('.chat header [data-act="group"]');
  const act = async (name, deed) => {
    await page.click(`dialog button[aria-label="Actions for ${name}"]`);
    await page.click(`dialog .actions button:has-text("${deed}")`);
  };
  await page.waitForSelector('dialog button[aria-label="Actions for carol"]');
  await act("carol", "Ban");
  await page.waitForSelector('dialog button:has-text("Lift ban")');
  await assert.rejects(carol.say(group, "I am out"), /not_member/);
  await page.click('dialog button:has-text("Lift ban")');
  await page.waitForSelector('dialog:has-text("No one is banned")');
  await act("bob", "Mute for an hour");
  await page.waitForSelector('dialog li:has-text("bob"):has-text("muted")');
  await assert.rejects(bob.say(group, "hush"), /muted/);
  await act("bob", "Hand over");
  await page.waitForSelector('dialog li:has-text("bob"):has-text("Owner")');
  await visitor.close();
  await guest.close();
}

export async function devices_and_the_password_are_managed({ demo, browser }) {
  const name = fresh("dev");
  await fetch(`${demo.url()}/v1/register`, { method: "POST", headers: { "content-type": "application/json", "idempotency-key": randomBytes(16).toString("hex") }, body: JSON.stringify({ name, password: "correct horse" }) });
  const elsewhere = await User.login(demo, name, "correct horse");
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(`${demo.url()}/#in/${name}/${encodeURIComponent("correct horse")}`);
  await page.click('.sidebar [data-act="settings"]');
  await page.click('dialog button[aria-label^="Sign out: journey-"]');
  await until(async () => assert.equal(await page.locator('dialog button[aria-label^="Sign out: journey-"]').count(), 0));
  await assert.rejects(elsewhere.ask("GET", "/v1/me"));
  await page.fill('[autocomplete="current-password"]', "correct horse");
  await page.fill('[autocomplete="new-password"]', "battery staple");
  await page.click('dialog button:has-text("Change password")');
  await page.waitForSelector('.remark:has-text("The password is changed")');
  await assert.rejects(User.login(demo, name, "correct horse"), /wrong_credentials/);
  await User.login(demo, name, "battery staple");
  await visitor.close();
}

export async function an_at_sign_offers_the_members({ demo, browser }) {
  const [alice, bob, carol] = [await User.login(demo, "alice"), await User.login(demo, "bob"), await User.login(demo, "carol")];
  const group = await alice.group(fresh("names "), [bob.id, carol.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.focus(".composer textarea");
  await page.keyboard.type("hello @");
  await until(async () => assert.equal(await page.locator("#mentions li").count(), 2));
  await page.keyboard.type("car");
  await until(async () => assert.equal(await page.locator("#mentions li").count(), 1));
  await page.keyboard.press("Enter");
  assert.equal(await page.inputValue(".composer textarea"), "hello @carol ");
  await page.keyboard.type("and a@b.example");
  assert.equal(await page.locator("#mentions").count(), 0);
  await page.keyboard.press("Enter");
  await page.waitForSelector('.line.own:has-text("hello @carol")');
  const { messages } = await carol.ask("GET", `/v1/conversations/${group}/messages?after=0`);
  assert.deepEqual(messages.at(-1).mentions.map(Number), [Number(carol.id)]);
  await visitor.close();
}
