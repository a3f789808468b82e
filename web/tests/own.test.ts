import { seq, wire } from "troupe-chat";
import { expect, test, vi } from "vitest";
import { spanText } from "../src/core/format";
import { isMuted, nextPin, NO_END, ordered, Own } from "../src/core/own";
import { Pins } from "../src/core/pins";
import { Saved } from "../src/core/saved";
import { Settings } from "../src/core/settings";
import { partsOf } from "../src/core/snippets";
import { event, ROOM } from "./values";

const none = wire.Personal.decode(new Uint8Array(0));
const held = (more: Partial<wire.Personal>): { personal: wire.Personal } => ({ personal: { ...none, ...more } });

test("pinned conversations come first, by their places, and the others stay in their order", () => {
  const [a, b, c, d] = [{ id: "a", personal: undefined }, { id: "b", ...held({ pin: 2 }) }, { id: "c", ...held({ pin: 1 }) }, { id: "d", ...held({}) }];
  expect(ordered([a, b, c, d]).map(({ id }) => id)).toEqual(["c", "b", "a", "d"]);
  expect([nextPin([a, b, c, d]), nextPin([])]).toEqual([3, 1]);
  expect([isMuted(held({ mutedUntilMs: 5 }), 5), isMuted(held({ mutedUntilMs: NO_END }), 5), isMuted(a, 0)]).toEqual([false, true, false]);
});

test("a draft is told when the user pauses, the empty one at once, and the same one not again", async () => {
  vi.useFakeTimers();
  try {
    const told: unknown[] = [];
    let draft = "";
    const client = {
      conversationList: { find: () => held({ draft }) },
      changePersonal: async (_: string, what: { draft: string }) => {
        told.push(what.draft);
        draft = what.draft;
        return { ...none, draft };
      },
    };
    const own = new Own(client as never, () => {});
    own.draft(ROOM, "h");
    own.draft(ROOM, "hi");
    expect(own.isDrafting(ROOM)).toBe(true);
    await vi.advanceTimersByTimeAsync(2_000);
    own.draft(ROOM, "hi");
    await vi.advanceTimersByTimeAsync(2_000);
    own.draft(ROOM, "x".repeat(5_000));
    await vi.advanceTimersByTimeAsync(2_000);
    own.draft(ROOM, "");
    await vi.advanceTimersByTimeAsync(1);
    expect([told, own.isDrafting(ROOM)]).toEqual([["hi", ""], false]);
  } finally {
    vi.useRealTimers();
  }
});

test("pins follow the events of the log, and a recall takes one away", async () => {
  const pins = new Pins({ pins: async () => [{ seq: 4, by: 2, timeMs: 9 }] });
  const seqs = (): number[] => (pins.all.get().get(ROOM) ?? []).map((pin) => pin.seq);
  // Before the list is there, an event says nothing about it.
  pins.event(ROOM, event(7, { kind: "pinned", to: seq(5), removed: false }));
  await pins.load(ROOM);
  pins.event(ROOM, event(8, { kind: "pinned", to: seq(6), removed: false }));
  expect(seqs()).toEqual([4, 6]);
  pins.event(ROOM, event(9, { kind: "pinned", to: seq(4), removed: true }));
  pins.event(ROOM, event(10, { kind: "recalled", to: seq(6) }));
  expect(seqs()).toEqual([]);
});

test("saved messages are asked for once, and late pushes change nothing", async () => {
  let asked = 0;
  const favourites = async (): Promise<wire.Favourites> => {
    asked += 1;
    return { ...wire.Favourites.decode(new Uint8Array(0)), favourites: [{ number: 1, conversation: ROOM, seq: 4, savedMs: 1, unavailable: false }], version: 5 };
  };
  const saved = new Saved({ favourites, saveFavourite: async () => {}, removeFavourite: async () => {} });
  await saved.load();
  await saved.load();
  const push = { type: "favouriteChanged", conversation: ROOM, seq: seq(4), removed: true } as const;
  saved.take({ ...push, version: 4 });
  expect([asked, [...saved.all.get()]]).toEqual([1, [`${ROOM} 4`]]);
  saved.take({ ...push, version: 6 });
  await saved.set(ROOM, 9, true);
  expect([...saved.all.get()]).toEqual([`${ROOM} 9`]);
});

test("an event changes the settings that it names, and permissions are an admin's without a word", async () => {
  const first = { ...wire.GroupSettings.decode(new Uint8Array(0)), name: "crew", join: 1, slowSeconds: 5, permissions: [{ act: 4, role: wire.Role.MEMBER }] };
  const settings = new Settings({ group: async () => ({ ...wire.Group.decode(new Uint8Array(0)), settings: first }) });
  await settings.load("g7");
  const change = { ...wire.GroupSettings.decode(new Uint8Array(0)), retentionSeconds: 60, permissions: [{ act: 9, role: wire.Role.OWNER }] };
  settings.event("g7", event(3, { kind: "settingsChanged", settings: change }));
  expect(settings.all.get().get("g7")).toMatchObject({ name: "crew", join: 1, slowSeconds: 5, retentionSeconds: 60 });
  const { MEMBER, ADMIN, OWNER } = wire.Role;
  expect([settings.may("g7", 4, MEMBER), settings.may("g7", 9, ADMIN), settings.may("g7", 9, OWNER), settings.may("g7", 20, MEMBER), settings.may("g7", 20, ADMIN)]).toEqual([true, false, true, false, true]);
});

test("the places of a hit count characters, also behind one that JavaScript counts twice", () => {
  expect(partsOf("🎉 find me, find", [2, 6, 11, 15]).map(({ text, isHit }) => (isHit ? `[${text}]` : text)).join("")).toBe("🎉 [find] me, [find]");
  expect(partsOf("我爱北京天安门", [2, 4])).toEqual([{ text: "我爱", isHit: false }, { text: "北京", isHit: true }, { text: "天安门", isHit: false }]);
  expect([partsOf("", []), partsOf("a", [])]).toEqual([[], [{ text: "a", isHit: false }]]);
});

test("a span is in its largest unit", () => {
  expect([spanText("en", 60_000), spanText("en", 7 * 86_400_000), spanText("en", 5_400_000), spanText("zh-CN", 3_600_000)]).toEqual(["1 minute", "7 days", "90 minutes", "1小时"]);
});
