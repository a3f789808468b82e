import { expect, test } from "vitest";
import { freshSecret } from "../src/console/admin";
import { cellOf, type Cluster } from "../src/console/cluster";
import { BACKUPS, backupLine, command, quoted, span } from "../src/console/commands";
import { csvOf, usersOf } from "../src/console/csv";
import { drawn, type Point } from "../src/console/history";
import { quantile, rate, readingOf } from "../src/console/metrics";
import { orderLines, planOf } from "../src/console/plan";
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

test("lines about backups name the cluster ports of all nodes", () => {
  const addresses = ["a:7800", "[::1]:7801"];
  expect(backupLine("keep", addresses)).toBe("troupe backup keep /var/lib/troupe-backups --cluster 'a:7800,[::1]:7801' --token-file token --last 7 --weekly 4");
  expect(backupLine("take", ["a:7800", "b:7800"])).toBe("troupe backup --cluster a:7800,b:7800 --token-file token NAME");
  for (const what of BACKUPS) expect(backupLine(what, addresses)).not.toContain("undefined");
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

test("the plan of an order says what moves, and names fewer copies where nodes are missing", () => {
  const node = (id: number, reachable = true) => ({ id, reachable, meant: "active" });
  const shard = (leader: number, nodes: number[]) => ({ id: leader, leader, epoch: 1, nodes, moving: null });
  const cluster = { nodes: [node(1), node(2), node(3), node(4, false)], replication: { target: 3, under_replicated: 0 }, shards: [shard(1, [1, 2, 3]), shard(3, [1, 2, 3])] } as unknown as Cluster;
  const plan = planOf(cluster, 3);
  expect(plan).toEqual({ leaderships: 1, replicas: 2, receivers: [1, 2], lowered: 2 });
  expect(orderLines("drain", 3, plan, 0)).toEqual(["troupe node drain 3 --replication 2 --dry-run", "troupe node drain 3 --replication 2"]);
  expect(orderLines("replace", 3, { ...plan, lowered: undefined }, 2)[1]).toBe("troupe node replace 3 --with 2");
  expect(orderLines("undrain", 3, plan, 2)[1]).toBe("troupe node undrain 3");
  expect(orderLines("upgrade", 3, plan, 0)[0]).toBe("troupe cluster upgrade status");
});

test("a long time is drawn with the highest value of each part", () => {
  const point = (timeMs: number): Point => ({ timeMs, values: { sends: timeMs, deliveries: 0, requests: 0, connections: 0, ackTime: timeMs % 2 === 0 ? undefined : 1, fsyncTime: undefined } });
  const points = Array.from({ length: 1_000 }, (_, at) => point(at));
  expect(drawn(points, "sends", 0, 10)).toEqual([99, 199, 299, 399, 499, 599, 699, 799, 899, 999]);
  expect(drawn(points, "sends", 996)).toEqual([996, 997, 998, 999]);
  expect([drawn(points, "fsyncTime", 0, 2), drawn(points, "ackTime", 0, 2)]).toEqual([[undefined, undefined], [1, 1]]);
});

test("both languages have the same texts", () => {
  const shape = (value: unknown): unknown => (typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shape(one)])) : typeof value);
  expect(shape(zh)).toEqual(shape(en));
});
