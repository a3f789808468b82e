/** The page for administrators. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { User } from "./demo.mjs";
import { until, Visitor } from "./page.mjs";

const fresh = (word) => `${word}${randomBytes(3).toString("hex")}`;

async function open(visitor, demo, name) {
  const page = await visitor.open(demo.link(name));
  await page.waitForSelector(".sidebar li");
  await page.goto(`${demo.url()}/console`);
  return page;
}

export async function an_administrator_has_a_console({ demo, browser }) {
  const visitor = await Visitor.of(browser);
  const page = await open(visitor, demo, "alice");
  await page.waitForSelector(".matrix");
  assert.equal(await page.locator(".matrix thead th").count(), 2 + demo.nodes.length);
  await until(async () => assert.ok((await page.locator(".matrix .leader").count()) > 0));
  await page.waitForSelector('.console code:has-text("troupe node drain")');
  // An account, with a password that serves once.
  const name = fresh("new");
  await page.click("#console-users");
  await page.fill('[data-act="new-name"]', name);
  await page.waitForSelector(`code:text-is("troupe user create ${name} --as alice")`);
  await page.press('[data-act="new-name"]', "Enter");
  const password = await page.textContent(".secret");
  await assert.rejects(User.login(demo, name, password), /password_change_required/);
  // Its first sign-in sets another one.
  const guest = await Visitor.of(browser);
  const entry = await guest.open(demo.url(1));
  await entry.fill('[name="username"]', name);
  await entry.fill('[name="password"]', password);
  await entry.click("form .primary");
  await entry.fill('[name="new-password"]', "correct horse");
  await entry.click("form .primary");
  await entry.waitForSelector(".sidebar li");
  await guest.close();
  await page.fill('[data-act="search-user"]', name);
  const act = async (deed) => {
    await page.click(`.console button[aria-pressed]:text-is("${deed}")`);
    await page.click('[data-act="run"]');
  };
  await page.click(`button[aria-label="Actions for ${name}"]`);
  await act("Disable");
  await page.waitForSelector('.console li:has-text("disabled")');
  await assert.rejects(User.login(demo, name, "correct horse"), /account_disabled/);
  await act("Enable");
  await page.waitForSelector('.console li:has-text("active")');
  await act("Reset password");
  await until(async () => assert.notEqual(await page.textContent(".secret"), password));
  // Several at once; the file has their passwords.
  const names = [fresh("csv"), fresh("csv")];
  await page.click("summary");
  await page.fill('[data-act="csv"]', `name\n${names[0]}\n${names[1]},admin\nalice\n`);
  await page.click('[data-act="bulk"]');
  await page.waitForSelector('.console:has-text("2 of 3 made")');
  const saving = page.waitForEvent("download");
  await page.click('[data-act="save-csv"]');
  const lines = readFileSync(await (await saving).path(), "utf8").split("\r\n");
  assert.ok(lines[1].startsWith(`${names[0]},`) && lines[2].startsWith(`${names[1]},`), lines.join("|"));
  // Its last login is known, and a role that reads only.
  await page.fill('[data-act="search-user"]', name);
  await page.waitForSelector('.console li:has-text("Last login")');
  await page.click('.console button[aria-pressed]:text-is("Make auditor")');
  await page.waitForSelector(`code:text-is("troupe user set-role ${name} auditor --as alice")`);
  await page.click('[data-act="run"]');
  await page.waitForSelector('.console button[aria-pressed]:text-is("Take the auditor\'s role away")');
  // Reports, invitations, settings, and what all of it has left in the audit log.
  const [bob, carol] = [await User.login(demo, "bob"), await User.login(demo, "carol")];
  const reason = fresh("too loud ");
  await bob.ask("POST", "/v1/reports", { user: carol.id, reason }, randomBytes(16).toString("hex"));
  await page.click("#console-reports");
  await page.click(`.console li:has-text("${reason}") button:text-is("Close")`);
  await until(async () => assert.equal(await page.locator(`.console li:has-text("${reason}")`).count(), 0));
  await page.click("#console-invites");
  await page.fill('[data-act="invite-note"]', reason);
  await page.press('[data-act="invite-note"]', "Enter");
  await page.waitForSelector(".secret");
  await page.click(`.console li:has-text("${reason}") button:text-is("Revoke")`);
  await page.waitForSelector(`.console li:has-text("${reason}"):has-text("revoked")`);
  await page.click("#console-settings");
  await page.selectOption('[data-act="registration"]', "invite");
  await page.waitForSelector('code:text-is("troupe cluster settings --registration invite --as alice")');
  await page.click('.console form button[type="submit"]');
  await page.waitForSelector(".remark");
  await page.selectOption('[data-act="registration"]', "open");
  await page.click('.console form button[type="submit"]:enabled');
  await page.click("#console-audit");
  await page.waitForSelector(`.console td:has-text("${name}")`);
  await visitor.close();
}

export async function the_console_is_for_administrators_only({ demo, browser }) {
  const visitor = await Visitor.of(browser);
  const page = await open(visitor, demo, "bob");
  await page.waitForSelector('.console:has-text("does not administer the cluster")');
  assert.equal(await page.locator('[role="tab"]').count(), 0);
  await visitor.close();
}

export async function an_auditor_sees_the_console_without_its_buttons({ demo, browser }) {
  const alice = await User.login(demo, "alice");
  const carol = await User.login(demo, "carol");
  const group = await carol.group(fresh("seen "), []);
  await alice.ask("POST", `/v1/admin/users/${carol.id}/role`, { role: "auditor" }, randomBytes(16).toString("hex"));
  const visitor = await Visitor.of(browser);
  const page = await open(visitor, demo, "carol");
  await page.waitForSelector('.console:has-text("This account is an auditor")');
  await page.waitForSelector(".matrix");
  assert.equal(await page.locator('[data-act="chaos"], [data-act="storm"]').count(), 0);
  await page.click("#console-users");
  await page.waitForSelector('.console li:has-text("alice")');
  assert.equal(await page.locator('[data-act="new-name"], [data-act="bulk"]').count(), 0);
  await page.click('button[aria-label="Actions for alice"]');
  await page.waitForSelector('.console h3:text-is("Sessions")');
  assert.equal(await page.locator(".console .danger").count(), 0);
  await page.click("#console-groups");
  await page.waitForSelector(`.console th:has-text("${group}")`);
  await page.click("#console-settings");
  await page.waitForSelector("fieldset:disabled");
  await alice.ask("POST", `/v1/admin/users/${carol.id}/role`, { role: "user" }, randomBytes(16).toString("hex"));
  await visitor.close();
}
