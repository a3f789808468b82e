import { expect, test } from "vitest";
import { freshSecret } from "../src/console/admin";
import { cellOf, type Cluster } from "../src/console/cluster";
import { command, quoted, span } from "../src/console/commands";
import { csvOf, usersOf } from "../src/console/csv";
import { quantile, rate, readingOf } from "../src/console/metrics";
import { en, zh } from "../src/console/words";

test("a list of names is read with and without a head, quotes and roles, each name once", () => {
  const text = '\uFEFFname,role\r\nann\r\n"o\'neil, ""ben"""\tADMIN\n\nAnn,admin\n李雷;yes\n';
  expect(usersOf(text)).toEqual([
    { name: "ann", isAdmin: false },
    { name: 'o\'neil, "ben"', isAdmin: true },
    { name: "李雷", isAdmin: true },
  ]);
  expect([usersOf(""), usersOf("ben")]).toEqual([[], [{ name: "ben", isAdmin: false }]]);
});

test("a saved list runs nothing in a sheet", () => {
  expect(csvOf([["name", "x"], ["=1+1", 'a,"b"'], ["-x", ""]])).toBe('name,x\r\n\'=1+1,"a,""b"""\r\n\'-x,\r\n');
});

test("secrets differ, and have signs that are not taken for each other", () => {
  const all = Array.from({ length: 200 }, freshSecret);
  expect(new Set(all).size).toBe(200);
  for (const one of all) expect(one).toMatch(/^([a-hjkmnp-z2-9]{5}-){3}[a-hjkmnp-z2-9]{5}$/);
});

test("arguments of command lines are quoted", () => {
  expect([quoted("ann"), quoted("o'neil x"), quoted("$(id)"), quoted("")]).toEqual(["ann", "'o'\\''neil x'", "'$(id)'", "''"]);
  expect(command("al ice", "user", "disable", "b;c")).toBe("troupe user disable 'b;c' --as 'al ice'");
  expect([span(86_400), span(7_200), span(120), span(90), span(0)]).toEqual(["1d", "2h", "2m", "90s", "0s"]);
});

test("metrics become rates and quantiles between two readings", () => {
  const text = (sends: number, counts: readonly number[]): string =>
    `# HELP x y\ntroupe_sends_total ${sends}\ntroupe_shard_leader{shard="1"} 1\ntroupe_shard_leader{shard="2"} 1\n${["0.001", "0.01", "+Inf"].map((le, at) => `troupe_ack_seconds_bucket{le="${le}"} ${counts[at]}`).join("\n")}\n`;
  const [before, now] = [readingOf(text(10, [5, 5, 5]), 1_000), readingOf(text(30, [95, 104, 105]), 3_000)];
  expect([rate(before, now, "troupe_sends_total"), now.values.get("troupe_shard_leader")]).toEqual([10, 2]);
  expect([quantile(before, now, "troupe_ack_seconds", 0.5), quantile(before, now, "troupe_ack_seconds", 0.99), quantile(now, now, "troupe_ack_seconds", 0.99)]).toEqual([0.001, 0.01, undefined]);
  // A node that was started again counts from zero.
  expect(rate(now, readingOf(text(4, [0, 0, 0]), 5_000), "troupe_sends_total")).toBe(2);
});

test("a cell says what a node is to a shard, with the lag that the node of the page knows", () => {
  const shard = { id: 1, leader: 1, epoch: 3, nodes: [1, 2], moving: { from: 2, to: 3 } };
  const replica = { shard: 1, role: "leader", committed: 9, applied: 9, lag: { "2": 7, "3": 900 } };
  const cluster = { replicas: [replica] } as unknown as Cluster;
  expect([1, 2, 3, 4].map((node) => cellOf(cluster, shard, node))).toEqual([
    { is: "leader", lag: undefined },
    { is: "holds", lag: 7 },
    { is: "comes", lag: 900 },
    { is: "none", lag: undefined },
  ]);
});

test("both languages have the same texts", () => {
  const shape = (value: unknown): unknown => (typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shape(one)])) : typeof value);
  expect(shape(zh)).toEqual(shape(en));
});
