import { expect, test } from "vitest";
import { Judge } from "../src/core/verdict";

const ROOM = "g1";

test("an honest log", () => {
  const judge = new Judge();
  for (const [at, id] of ["a", "b", "c"].entries()) {
    judge.sends(id, ROOM, at * 10);
    judge.places(id, ROOM, at + 5);
    judge.acknowledges(id, at + 5, at * 10 + 30);
  }
  expect(judge.verdict()).toEqual({ sent: 3, acknowledged: 3, lost: 0, duplicated: 0, inOrder: true, longestMs: 30, refused: 0 });
});

test("an acknowledged message whose place has something else is lost", () => {
  const judge = new Judge();
  judge.sends("a", ROOM, 0);
  judge.acknowledges("a", 5, 1);
  judge.otherAt(ROOM, 4);
  expect(judge.verdict().lost).toBe(0);
  judge.otherAt(ROOM, 5);
  judge.otherAt(ROOM, 5);
  expect(judge.verdict().lost).toBe(1);
});

test("a message at two places is a duplicate", () => {
  const judge = new Judge();
  judge.sends("a", ROOM, 0);
  judge.places("a", ROOM, 5);
  judge.places("a", ROOM, 5);
  expect(judge.verdict().duplicated).toBe(0);
  judge.places("a", ROOM, 8);
  expect(judge.verdict().duplicated).toBe(1);
});

test("places against the order of sends", () => {
  const judge = new Judge();
  judge.sends("a", ROOM, 0);
  judge.sends("b", ROOM, 1);
  judge.sends("elsewhere", "g2", 2);
  judge.acknowledges("elsewhere", 1, 3);
  judge.acknowledges("a", 9, 3);
  expect(judge.verdict().inOrder).toBe(true);
  judge.acknowledges("b", 8, 4);
  expect(judge.verdict().inOrder).toBe(false);
});

test("the longest wait, also of a message that still waits", () => {
  const judge = new Judge();
  judge.sends("a", ROOM, 100);
  judge.sends("b", ROOM, 150);
  expect(judge.waitingMs(400)).toBe(300);
  judge.acknowledges("a", 1, 500);
  expect([judge.waitingMs(500), judge.verdict().longestMs]).toEqual([350, 400]);
});

test("messages of another tab and refusals", () => {
  const judge = new Judge();
  judge.places("unknown", ROOM, 3);
  judge.acknowledges("unknown", 3, 1);
  judge.refuses("unknown");
  judge.sends("a", ROOM, 0);
  judge.refuses("a");
  expect(judge.verdict()).toMatchObject({ sent: 1, acknowledged: 0, lost: 0, refused: 1 });
});
