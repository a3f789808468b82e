/** Calls from browser to browser. */

import assert from "node:assert/strict";
import { User } from "./demo.mjs";
import { direct, room, until, Visitor } from "./page.mjs";

export async function two_people_call_each_other({ demo, browser }) {
  const [alice, bob] = [await User.login(demo, "alice"), await User.login(demo, "bob")];
  const talk = direct(alice, bob);
  await bob.say(talk, "call me");
  const permissions = ["microphone", "camera"];
  const [visitor, other] = [await Visitor.of(browser, { permissions }), await Visitor.of(browser, { permissions })];
  const page = await visitor.open(demo.link("alice"));
  const seen = await other.open(demo.link("bob", 1));
  for (const one of [page, seen]) await room(one, talk);
  // Declined.
  await page.click('.chat header [data-act="call"]');
  await page.waitForSelector('.call:has-text("It rings")');
  await seen.click('.call [data-act="refuse"]');
  for (const one of [page, seen]) await one.waitForSelector('.note:has-text("declined")');
  await until(async () => assert.equal(await page.locator(".call").count(), 0));
  // With video, until one side hangs up.
  await page.click('.chat header [data-act="video"]');
  await seen.click('.call [data-act="accept"]');
  for (const one of [page, seen]) {
    await one.waitForSelector(".call.film video.remote", { timeout: 30_000 });
    await until(async () => assert.ok(await one.$eval("video.remote", (video) => video.videoWidth > 0 && video.currentTime > 0)), 20_000);
  }
  await seen.click('.call [data-act="hang-up"]');
  for (const one of [page, seen]) await one.waitForSelector('.note:has-text("Video call, 0:")');
  await until(async () => assert.equal(await page.locator(".call").count(), 0));
  await visitor.close();
  await other.close();
}
