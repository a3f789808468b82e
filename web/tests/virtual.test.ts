import { expect, test } from "vitest";
import { Lines } from "../src/core/virtual";

const keys = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, at) => `k${from + at}`);

test("the anchor stays when lines are added before it and measured", () => {
  const lines = new Lines(() => 50);
  lines.set(keys(100, 200));
  lines.measured(keys(100, 200).map((key) => [key, 40]));
  const anchor = lines.anchor(1_015);
  expect(anchor).toEqual({ key: "k125", offset: -15 });
  lines.set(keys(0, 200));
  expect(lines.topFor(anchor!)).toBe(100 * 50 + 1_015);
  lines.measured(keys(0, 100).map((key) => [key, 61]));
  expect(lines.topFor(anchor!)).toBe(100 * 61 + 1_015);
});

test("the range covers the view exactly", () => {
  const lines = new Lines(() => 10);
  lines.set(keys(0, 1_000));
  const { from, to, before, behind } = lines.range(2_005, 2_095);
  expect([from, to]).toEqual([200, 210]);
  expect([before, behind]).toEqual([2_000, 10_000 - 2_100]);
  expect(lines.range(-500, 20)).toMatchObject({ from: 0, before: 0 });
  expect(lines.range(9_990, 99_999)).toMatchObject({ from: 999, to: 1_000, behind: 0 });
});

test("an empty list has no anchor", () => {
  const lines = new Lines(() => 10);
  expect(lines.anchor(0)).toBeUndefined();
  expect(lines.range(0, 500)).toEqual({ from: 0, to: 0, before: 0, behind: 0 });
});

test("random changes never move the anchor", () => {
  let state = 7;
  const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
  const lines = new Lines(() => 48);
  let [first, last] = [5_000, 5_100];
  lines.set(keys(first, last));
  const anchor = lines.anchor(2_000)!;
  for (let step = 0; step < 120; step++) {
    if (random(2) === 0) first -= random(30);
    else last += random(30);
    lines.set(keys(first, last));
    lines.measured(Array.from({ length: 20 }, () => [`k${first + random(last - first)}`, 20 + random(200)] as const));
    const top = lines.topFor(anchor)!;
    expect(lines.anchor(top)).toEqual(anchor);
  }
});

test("two hundred thousand lines have exact places", () => {
  const lines = new Lines(() => 48);
  lines.set(keys(0, 200_000));
  for (const at of [0, 1, 99_999, 199_980]) {
    expect(lines.range(at * 48, at * 48 + 480)).toMatchObject({ from: at, to: at + 11, before: at * 48 });
    expect(lines.anchor(at * 48 + 7)).toEqual({ key: `k${at}`, offset: -7 });
  }
});
