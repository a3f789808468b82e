/** A first visit, messages with their states, and the same conversation on two screens. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { User } from "./demo.mjs";
import { middle, room, shown, topOf, until, Visitor, write } from "./page.mjs";

const fresh = (word) => `${word}${randomBytes(3).toString("hex")}`;

export async function registers_and_sends_in_chinese_on_a_phone({ demo, browser }) {
  const visitor = await Visitor.of(browser, { locale: "zh-CN", viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  const page = await visitor.open(demo.url());
  await page.click("text=我是新用户");
  const name = fresh("xin");
  await page.fill('[name="username"]', name);
  await page.fill('[name="password"]', "correct horse");
  await page.click("form .primary");
  await room(page, "everyone");
  const words = `你好 ${name}`;
  await page.fill(".composer textarea", words);
  await page.click(".composer .send");
  await page.waitForSelector(`.line.own:has-text("${words}") .tick.durable`);
  const bob = await User.login(demo, "bob");
  assert.equal((await bob.texts("everyone")).filter((text) => text === words).length, 1);
  await page.locator(`.line.own:has-text("${words}") .tick`).click();
  const details = await page.textContent("dialog");
  for (const part of ["everyone", "日志位置", "#", "节点"]) assert.ok(details.includes(part), `${part} is missing: ${details}`);
  await visitor.close();
}

export async function loads_in_three_requests_within_its_budget({ demo, browser }) {
  // As a node sends them: packed.
  const visitor = await Visitor.of(browser, {}, { isEmbedded: true });
  const page = await visitor.context.newPage();
  const requests = [];
  let bytes = 0;
  page.on("requestfinished", async (request) => {
    const { host, pathname } = new URL(request.url());
    if (request.url().startsWith("data:")) return;
    requests.push(`${host}${pathname}`);
    const { responseBodySize } = await request.sizes();
    bytes += responseBodySize;
  });
  await page.goto(demo.url());
  await page.waitForSelector("form");
  const { host } = new URL(demo.url());
  const files = requests.filter((path) => !path.includes("/v1/"));
  assert.deepEqual(files.sort(), [`${host}/`, `${host}/app.css`, `${host}/app.js`]);
  assert.ok(requests.every((path) => path.startsWith(host)), requests.join(" "));
  assert.ok(bytes < 120 * 1024, `${bytes} bytes`);
  await visitor.close();
}

export async function a_reload_keeps_the_place_to_the_pixel({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("long "), [bob.id]);
  for (let at = 1; at <= 260; at++) await (at % 5 === 0 ? alice : bob).say(group, `${"word ".repeat(1 + ((at * 7) % 60))}${at}`);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await page.waitForSelector(".unread");
  // The first unread message is in view, and nothing behind it was read yet.
  await until(async () => assert.ok((await shown(page)).some((text) => text.endsWith(" 1"))));
  const view = page.locator(".view");
  await view.evaluate((element) => element.scrollBy(0, 4_000));
  await page.waitForTimeout(400);
  const before = await middle(page);
  await page.reload();
  await page.waitForSelector(`[data-key="${before.key}"]`);
  await page.waitForTimeout(400);
  const after = await topOf(page, before.key);
  assert.ok(Math.abs(after - before.top) <= 1, `it moved from ${before.top} to ${after}`);
  // Pages before it arrive, and it stays.
  await view.evaluate((element) => element.scrollTo(0, 600));
  await page.waitForTimeout(50);
  const held = await middle(page);
  await page.waitForTimeout(800);
  const still = await topOf(page, held.key);
  assert.ok(Math.abs(still - held.top) <= 1, `it moved from ${held.top} to ${still}`);
  await page.click(".latest");
  await until(async () => assert.ok((await shown(page)).at(-1).endsWith(" 260")));
  await visitor.close();
}

export async function the_outbox_survives_a_reload_without_a_node({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("outbox "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await write(page, "zero");
  await page.waitForSelector('.line.own:has-text("zero") .tick.durable');
  let isCut = true;
  await page.route("**/v1/**", (route) => (isCut ? route.abort() : route.continue()));
  await page.routeWebSocket(/\/v1\/ws$/, (socket) => {
    if (isCut) void socket.close();
    else socket.connectToServer();
  });
  await page.reload();
  await page.waitForSelector(".composer textarea");
  for (const text of ["one", "two", "three"]) await write(page, text);
  const waiting = async () => assert.deepEqual((await shown(page)).slice(-3), ["one", "two", "three"]);
  await until(waiting);
  assert.equal(await page.locator(".tick.queued, .tick.unknown").count(), 3);
  await page.waitForSelector(".banner");
  await page.reload();
  await until(waiting);
  isCut = false;
  await until(async () => assert.equal(await page.locator('.line.own .tick:is(.durable, .delivered, .read)').count(), 4), 20_000);
  assert.deepEqual(await bob.texts(group), ["zero", "one", "two", "three"]);
  assert.deepEqual(await shown(page), ["zero", "one", "two", "three"]);
  await visitor.close();
}

export async function two_tabs_and_two_devices_agree_within_a_second({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("tabs "), [bob.id]);
  const visitor = await Visitor.of(browser);
  const one = await visitor.open(demo.link("alice"));
  await room(one, group);
  const two = await visitor.open(demo.url());
  await room(two, group);
  const other = await Visitor.of(browser);
  const three = await other.open(demo.link("alice", 1));
  await room(three, group);
  await three.waitForSelector(".view .note");
  await one.bringToFront();
  // A busy machine delays one of them; the path is judged by the quickest.
  let quickest = Number.POSITIVE_INFINITY;
  for (const text of ["first", "second", "third"]) {
    await write(one, text);
    const begun = performance.now();
    for (const page of [two, three]) await page.waitForSelector(`.line.own:has-text("${text}")`);
    quickest = Math.min(quickest, performance.now() - begun);
  }
  assert.ok(quickest < 1_000, `${quickest} ms`);
  await two.locator(".view").focus();
  await one.fill(".composer textarea", "half-typed");
  await until(async () => assert.equal(await two.inputValue(".composer textarea"), "half-typed"));
  // What is read on one device is read on all.
  await bob.say(group, "read me");
  for (const page of [one, two, three]) await page.waitForSelector('.line:has-text("read me")');
  await until(async () => assert.equal(await three.locator(`a[href="#/c/${group}"] .count`).count(), 0), 3_000);
  await visitor.close();
  await other.close();
}

export async function states_of_a_message_until_it_is_read({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const direct = `d${[alice.id, bob.id].map(Number).sort((a, b) => a - b).join("-")}`;
  await bob.say(direct, "hello");
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("alice"));
  await room(page, direct);
  const text = fresh("state ");
  await write(page, text);
  await page.waitForSelector(`.line.own:has-text("${text}") .tick.durable`);
  const { head } = await bob.ask("GET", `/v1/conversations/${direct}/messages?after=0&limit=1`);
  await bob.ask("POST", `/v1/conversations/${direct}/read`, { seq: head });
  await page.waitForSelector(`.line.own:has-text("${text}") .tick.read`);
  // A reaction, and back.
  await page.locator('.line:not(.own):has-text("hello")').last().hover();
  await page.locator('.line:not(.own):has-text("hello")').last().locator('[data-act="react"]').click();
  await page.click('.picker button:has-text("🎉")');
  await page.waitForSelector('.chip.mine:has-text("🎉")');
  await page.click(".chip.mine");
  await until(async () => assert.equal(await page.locator(".chip").count(), 0));
  await visitor.close();
}

export async function works_without_indexeddb_websockets_and_notifications({ demo, browser }) {
  const visitor = await Visitor.of(browser);
  await visitor.context.addInitScript(() => {
    Object.defineProperty(window, "indexedDB", { value: undefined });
    Object.defineProperty(window, "Notification", { value: undefined });
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("denied", "SecurityError");
      },
    });
  });
  await visitor.context.routeWebSocket(/\/v1\/ws$/, (socket) => void socket.close());
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const group = await alice.group(fresh("bare "), [bob.id]);
  const page = await visitor.open(demo.link("alice"));
  await room(page, group);
  await write(page, "by HTTP");
  await page.waitForSelector('.line.own:has-text("by HTTP") .tick.durable');
  await bob.say(group, "an answer");
  await page.waitForSelector('.line:has-text("an answer")');
  await visitor.close();
}

export async function a_reload_works_while_its_node_is_gone({ demo, browser }) {
  const visitor = await Visitor.of(browser);
  const page = await visitor.open(demo.link("carol"));
  await room(page, "everyone");
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForTimeout(500);
  await visitor.context.setOffline(true);
  await page.reload();
  await page.waitForSelector(".composer textarea", { timeout: 30_000 });
  await write(page, "written without any node");
  await page.waitForSelector(".line.own .tick:is(.queued, .unknown)");
  await visitor.context.setOffline(false);
  await page.waitForSelector('.line.own:has-text("written without any node") .tick:is(.durable, .delivered, .read)', { timeout: 30_000 });
  await visitor.close();
}
