import { expect, test } from "vitest";
import { rowAt, rowsOf, seqUpTo, type Row } from "../src/core/rows";
import { PAGE, Timeline } from "../src/core/timeline";
import { event, Log, ME, reacted, ROOM, text } from "./values";

const DAY = 86_400_000;
const SHOWN = { me: ME, unreadAfter: undefined, dayOf: (timeMs: number) => timeMs - (timeMs % DAY) };

async function over(log: Log): Promise<Timeline> {
  const timeline = new Timeline(ROOM, log, () => {});
  await timeline.open();
  return timeline;
}

function kinds(rows: readonly Row[]): string {
  return rows.map((row) => row.is).join(" ");
}

test("days divide, and messages of one sender form a block", async () => {
  const log = new Log();
  log.events.push(text(1, "a", 2, 1_000), text(2, "b", 2, 2_000), text(3, "c", ME, 3_000), text(4, "d", ME, DAY + 1));
  const rows = rowsOf(await over(log), SHOWN);
  expect(kinds(rows)).toBe("start day message message message day message");
  const messages = rows.flatMap((row) => (row.is === "message" ? [row] : []));
  expect(messages.map(({ opens }) => opens)).toEqual([true, false, true, true]);
});

test("the unread line stands before the first message of another user", async () => {
  const log = new Log();
  log.events.push(text(1), text(2, "mine", ME), text(3, "mine", ME), text(4), text(5));
  const rows = rowsOf(await over(log), { ...SHOWN, unreadAfter: 1 });
  const at = rows.findIndex(({ is }) => is === "unread");
  expect(rows[at + 1]?.is === "message" && rows[at + 1]).toMatchObject({ entry: { event: { seq: 4 } } });
  expect(rows.filter(({ is }) => is === "unread").length).toBe(1);
});

test("a reaction is no line of its own, and an unknown event is one", async () => {
  const log = new Log(1);
  log.events.push(reacted(2, 1, "👍"), event(3, { kind: "unsupported", number: 77, content: new Uint8Array(2) }));
  const rows = rowsOf(await over(log), SHOWN);
  expect(kinds(rows)).toBe("start day message note");
});

test("rows that did not change are the same objects", async () => {
  const log = new Log(20);
  const timeline = await over(log);
  const before = rowsOf(timeline, SHOWN);
  const later = reacted(21, 5, "🎉");
  log.events.push(later);
  timeline.live(later);
  const after = rowsOf(timeline, SHOWN, before);
  expect(after.filter((row, at) => row !== before[at]).map(({ key }) => key)).toEqual([before[rowAt(before, 5)]?.key]);
});

test("keys are unique, also when another user takes a message's id", async () => {
  const log = new Log();
  const mine = text(1, "mine", ME);
  log.events.push(mine, { ...text(2, "copied id"), clientMessageId: mine.clientMessageId });
  const rows = rowsOf(await over(log), SHOWN);
  expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
});

test("a place is found by its seq, or at the next line that is shown", async () => {
  const log = new Log(2);
  log.events.push(reacted(3, 1, "👍"), text(4));
  const rows = rowsOf(await over(log), SHOWN);
  expect(rowAt(rows, 3)).toBe(rowAt(rows, 4));
  expect(seqUpTo(rows, rows.length)).toBe(4);
  expect(seqUpTo(rows, 1)).toBe(0);
});

test("messages without a place are not shown in the middle of the log", async () => {
  const timeline = new Timeline(ROOM, new Log(10 * PAGE), () => {});
  await timeline.open(PAGE);
  timeline.queued({ id: "x", conversation: ROOM } as never, 0);
  expect(kinds(rowsOf(timeline, SHOWN))).not.toContain("pending");
  await timeline.open();
  expect(kinds(rowsOf(timeline, SHOWN))).toMatch(/message pending$/);
});
