import { type Acked, clientMessageId, Rejected, seq, type SentMessage, Unavailable } from "troupe-chat";
import { expect, test, vi } from "vitest";
import { expiryOf, withReaction, wordings } from "../src/core/entry";
import { PAGE, Timeline } from "../src/core/timeline";
import { rowsOf } from "../src/core/rows";
import { event, idOf, Log, ME, reacted, ROOM, text } from "./values";

function over(log: Log): { timeline: Timeline; changes: () => number } {
  let changes = 0;
  return { timeline: new Timeline(ROOM, log, () => (changes += 1)), changes: () => changes };
}

function sent(number: number, outcome?: Acked | Rejected): SentMessage {
  return { id: idOf(number), conversation: ROOM, outcome } as unknown as SentMessage;
}

function seqs(timeline: Timeline): number[] {
  return timeline.entries.map(({ event }) => event.seq);
}

function isWithoutGaps(timeline: Timeline): boolean {
  return seqs(timeline).every((at, place, all) => place === 0 || at === (all[place - 1] ?? 0) + 1);
}

test("the latest page first, and older pages until the beginning", async () => {
  const { timeline } = over(new Log(2 * PAGE + 5));
  await timeline.open();
  expect([timeline.first, timeline.last, timeline.atStart, timeline.atEnd]).toEqual([PAGE + 6, 2 * PAGE + 5, false, true]);
  await timeline.older();
  await timeline.older();
  expect([timeline.first, timeline.atStart, isWithoutGaps(timeline)]).toEqual([1, true, true]);
});

test("a member that came later sees a log that begins later", async () => {
  const { timeline } = over(new Log(40, 31));
  await timeline.open();
  expect([timeline.first, timeline.last, timeline.atStart]).toEqual([31, 40, true]);
});

test("around a place, and newer pages until the end", async () => {
  const { timeline } = over(new Log(500));
  await timeline.open(100);
  expect([timeline.first, timeline.last, timeline.atEnd]).toEqual([100 - PAGE + 1, 100 + PAGE, false]);
  while (!timeline.atEnd) await timeline.newer();
  expect([timeline.last, isWithoutGaps(timeline)]).toEqual([500, true]);
});

test("another place that is asked for while a page is on its way is the one that is shown", async () => {
  const { timeline } = over(new Log(500));
  const [first, between] = [timeline.open(100), timeline.open(300)];
  timeline.forget();
  await Promise.all([first, between, timeline.open()]);
  expect([timeline.last, timeline.atEnd, isWithoutGaps(timeline)]).toEqual([500, true, true]);
  const older = timeline.older();
  timeline.forget();
  await Promise.all([older, timeline.open(100)]);
  expect([timeline.first, timeline.last, isWithoutGaps(timeline)]).toEqual([100 - PAGE + 1, 100 + PAGE, true]);
});

test("an event of the stream is appended at the end only, and a gap is read", async () => {
  const log = new Log(10);
  const { timeline } = over(log);
  await timeline.open();
  const eleventh = text(11);
  log.events.push(eleventh);
  timeline.live(eleventh);
  timeline.live(eleventh);
  expect(seqs(timeline).slice(-2)).toEqual([10, 11]);
  for (const at of [12, 13, 14]) log.events.push(text(at));
  timeline.live(text(14));
  await timeline.newer();
  expect([timeline.last, isWithoutGaps(timeline)]).toEqual([14, true]);
});

test("while the reader is in older pages, an event moves the head only", async () => {
  const log = new Log(500);
  const { timeline } = over(log);
  await timeline.open(100);
  log.events.push(text(501));
  timeline.live(text(501));
  expect([timeline.last, timeline.head, timeline.atEnd]).toEqual([100 + PAGE, 501, false]);
});

test("a message waits without a place, then with one, and its event takes over", async () => {
  const log = new Log(3);
  const { timeline } = over(log);
  await timeline.open();
  const message = sent(4);
  timeline.queued(message, 0);
  timeline.queued(message, 0);
  expect(timeline.pending.length).toBe(1);
  timeline.moved(sent(4, { id: clientMessageId(idOf(4)), seq: seq(4), timeMs: 5 }));
  expect(timeline.pending[0]?.acked?.seq).toBe(4);
  timeline.live(text(4, "mine", ME));
  expect([timeline.pending.length, timeline.last]).toEqual([0, 4]);
  // The report of the outbox may come last.
  timeline.queued(message, 0);
  timeline.moved(sent(4, { id: clientMessageId(idOf(4)), seq: seq(4), timeMs: 5 }));
  expect(timeline.pending.length).toBe(0);
});

test("an event with the id of a message, but of another user, leaves it waiting", async () => {
  const { timeline } = over(new Log(3));
  await timeline.open();
  timeline.queued(sent(4), 0);
  timeline.live(text(4, "not mine"));
  expect(timeline.pending.length).toBe(1);
});

test("a refused message stays until it is dismissed", async () => {
  const { timeline } = over(new Log(1));
  await timeline.open();
  timeline.queued(sent(9), 0);
  timeline.moved(sent(9, new Rejected("slow", "slow_mode")));
  expect(timeline.pending[0]?.error?.code).toBe("slow_mode");
  timeline.dismiss(idOf(9));
  expect(timeline.pending.length).toBe(0);
});

test("reactions of a page are counted once, and later ones on top", async () => {
  const log = new Log(3);
  log.events.push(reacted(4, 2, "👍"), reacted(5, 2, "👍", ME));
  const { timeline } = over(log);
  await timeline.open();
  const counts = (): unknown => timeline.find(2)?.reactions;
  expect(counts()).toEqual([{ emoji: "👍", users: 2, mine: true }]);
  // A push of what the page has counted already.
  timeline.live(log.events[4] as never);
  expect(counts()).toEqual([{ emoji: "👍", users: 2, mine: true }]);
  const taken = reacted(6, 2, "👍", ME, true);
  log.events.push(taken);
  timeline.live(taken);
  timeline.live(taken);
  expect(counts()).toEqual([{ emoji: "👍", users: 1, mine: false }]);
});

test("a reaction that nobody has any more is gone", () => {
  const one = withReaction([], "🎉", 1, false);
  expect(withReaction(one, "🎉", -1, false)).toEqual([]);
  expect(withReaction([], "🎉", -1, false)).toEqual([]);
});

test("a load that failed says why, and works again", async () => {
  const log = new Log(5);
  const { timeline } = over(log);
  log.failing = new Unavailable("no node answers");
  await timeline.open();
  expect([timeline.isLoaded, timeline.trouble]).toEqual([false, "no node answers"]);
  log.failing = undefined;
  timeline.again();
  await timeline.open();
  expect([timeline.isLoaded, timeline.trouble, timeline.last]).toEqual([true, undefined, 5]);
});

test("a long reading keeps a bounded part of the log without gaps", async () => {
  const { timeline } = over(new Log(5_000));
  await timeline.open();
  for (let page = 0; page < 60; page++) await timeline.older();
  expect(timeline.entries.length).toBeLessThanOrEqual(2_000);
  expect(isWithoutGaps(timeline)).toBe(true);
  expect(timeline.atEnd).toBe(false);
});

test("without a node the device shows the end of what it holds, and then the log", async () => {
  const log = new Log(100);
  log.held = [3, 4, 40, 41, 42];
  log.failing = new Unavailable("no node answers");
  const { timeline } = over(log);
  await timeline.open();
  expect([seqs(timeline), timeline.isLoaded, timeline.atEnd]).toEqual([[40, 41, 42], false, false]);
  await timeline.older();
  expect(timeline.first).toBe(40);
  log.failing = undefined;
  timeline.again();
  await timeline.open();
  expect([timeline.first, timeline.last, timeline.isLoaded]).toEqual([100 - PAGE + 1, 100, true]);
});

test("edits and a recall change their message, also in a page that is read later", async () => {
  const log = new Log(3);
  const { timeline } = over(log);
  await timeline.open();
  const edit = event(4, { kind: "edited", to: seq(2), bodyKind: 1, content: new TextEncoder().encode("other"), text: "other" });
  log.events.push(edit);
  timeline.live(edit);
  timeline.live(edit);
  const textAt = (at: number): unknown => timeline.find(at)?.event.content;
  expect([textAt(2), timeline.find(2)?.edits]).toMatchObject([{ kind: "message", text: "other" }, [4]]);
  const recall = event(5, { kind: "recalled", to: seq(2) });
  log.events.push(recall);
  timeline.live(recall);
  expect([timeline.find(2)?.gone, textAt(2)]).toMatchObject(["recalled", { kind: "message", text: undefined }]);
  // An erased message of a page is recalled as well, and an erased edit is no line.
  for (const [at, number] of [[2, 5], [4, 12]] as const) log.events[at - 1] = event(at, { kind: "unsupported", number, content: new Uint8Array(0) });
  timeline.forget();
  await timeline.open();
  expect(timeline.find(2)?.gone).toBeDefined();
  const kinds = rowsOf(timeline, { me: ME, unreadAfter: undefined, dayOf: () => 0 }).map(({ is }) => is);
  expect(kinds).toEqual(["start", "day", "message", "message", "message"]);
});

test("what the user deletes for itself is no line, and a cleared history is gone", async () => {
  const log = new Log(6);
  const { timeline } = over(log);
  await timeline.open();
  const keys = (): string[] => rowsOf(timeline, { me: ME, unreadAfter: undefined, dayOf: () => 0 }).flatMap((row) => (row.is === "message" ? [row.key] : []));
  timeline.hide(0, [3]);
  expect(keys()).toHaveLength(5);
  timeline.hide(4, [3]);
  expect([seqs(timeline), keys().length, timeline.atStart, timeline.atEnd]).toEqual([[5, 6], 2, true, true]);
  timeline.hide(6, []);
  expect([seqs(timeline), timeline.atEnd]).toEqual([[], true]);
  timeline.live(text(7));
  expect(seqs(timeline)).toEqual([7]);
});

test("a message vanishes at its time, before the event that says so", async () => {
  vi.useFakeTimers({ now: 10_000 });
  try {
    const log = new Log(1);
    const { timeline } = over(log);
    await timeline.open();
    const context = { replyTo: 0, thread: 0, mentions: [], mentionsEveryone: false, expiresInMs: 5_000, stream: false };
    const content = { kind: "message" as const, bodyKind: 1, content: new Uint8Array(1), text: "soon gone", context };
    timeline.live(event(2, content, undefined, 10_000));
    expect([timeline.find(2)?.gone, expiryOf(event(2, content, undefined, 10_000))]).toEqual([undefined, 15_000]);
    vi.advanceTimersByTime(5_000);
    expect([timeline.find(2)?.gone, timeline.find(2)?.event.content]).toMatchObject(["vanished", { text: undefined }]);
    timeline.live(event(3, { kind: "vanished", to: seq(2) }));
    expect([timeline.find(1)?.gone, timeline.find(2)?.gone]).toEqual([undefined, "vanished"]);
  } finally {
    vi.useRealTimers();
  }
});

test("votes of one moment are counted by one question each", async () => {
  const log = new Log(2);
  const { timeline } = over(log);
  await timeline.open();
  const asked = log.asked;
  log.polls.set(seq(2), { seq: 2, counts: [1, 2], voters: 3, mine: [1], closed: false });
  for (let at = 3; at <= 6; at++) timeline.live(event(at, { kind: "voted", to: seq(2), options: [1], removed: false }));
  await vi.waitFor(() => expect(timeline.find(2)?.poll).toEqual({ counts: [1, 2], voters: 3, mine: [1], closed: false }));
  expect(log.asked - asked).toBeLessThanOrEqual(2);
});

test("a load that fails for the moment is tried again, where the view was opened", async () => {
  vi.useFakeTimers();
  try {
    const log = new Log(500);
    const { timeline } = over(log);
    log.failing = new Unavailable("no leader");
    await timeline.open(100);
    expect([timeline.isLoaded, timeline.trouble]).toEqual([false, "no leader"]);
    log.failing = undefined;
    await vi.advanceTimersByTimeAsync(2_500);
    expect([timeline.isLoaded, timeline.trouble, timeline.last]).toEqual([true, undefined, 100 + PAGE]);
    // What is refused for good is not asked for again.
    const refused = over(log);
    log.failing = new Rejected("no", "not_a_member");
    await refused.timeline.open();
    log.failing = undefined;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(refused.timeline.isLoaded).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test("a message grows by its pieces, and one that was missed is read", async () => {
  const log = new Log(3);
  const { timeline } = over(log);
  await timeline.open();
  const context = { replyTo: 0, thread: 0, mentions: [], mentionsEveryone: false, expiresInMs: 0, stream: true };
  const begun = event(4, { kind: "message", bodyKind: 1, content: new Uint8Array(0), text: "", context });
  log.events.push(begun);
  timeline.live(begun);
  const now = (): unknown => {
    const content = timeline.find(4)?.event.content;
    return [content?.kind === "message" && content.text, timeline.find(4)?.pieces];
  };
  expect(now()).toEqual(["", 0]);
  timeline.grow(4, 0, "one ");
  timeline.grow(4, 0, "one ");
  timeline.grow(4, 1, "two ");
  expect(now()).toEqual(["one two ", 2]);
  const bytes = new TextEncoder().encode("one two three four ");
  log.states.set(seq(4), { seq: 4, erased: false, edits: [], body: { kind: 1, content: bytes, context: undefined }, streaming: true, pieces: 4, deleted: false } as never);
  timeline.grow(4, 3, "four ");
  await vi.waitFor(() => expect(now()).toEqual(["one two three four ", 4]));
  const ended = event(5, { kind: "streamEnded", to: seq(4), bodyKind: 1, content: bytes, text: "one two three four five", aborted: false });
  log.events.push(ended);
  timeline.live(ended);
  expect(now()).toEqual(["one two three four five", undefined]);
  const found = timeline.find(4);
  expect(found !== undefined && wordings(found)).toBe(0);
  timeline.grow(4, 5, "late");
  expect(now()).toEqual(["one two three four five", undefined]);
});
