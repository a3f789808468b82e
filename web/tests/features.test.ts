import { fileName, hex, type wire } from "troupe-chat";
import { expect, test } from "vitest";
import { Contacts } from "../src/core/contacts";
import { fitting, queryOf, withName } from "../src/core/mentions";
import { nameOf, plainName, plainType, safeType } from "../src/core/files";
import { faceOf, referenceOf } from "../src/core/picture";
import { qrOf } from "../src/core/qr";
import { packed, unpacked } from "../src/core/talk";
import { lengthText, sizeText } from "../src/ui/bodies";

test("a QR code has the modules that a reader has read", async () => {
  const drawn = (text: string): string => (qrOf(text) ?? []).map((row) => row.map(Number).join("")).join("\n");
  const hash = async (text: string): Promise<string> => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(drawn(text)));
    return hex(new Uint8Array(digest)).slice(0, 16);
  };
  // Read back by zbarimg when they were written down.
  const texts = ["hi", "https://chat.example/#join/g3149.00112233445566778899aabbccddeeff", "x".repeat(213)];
  expect(await Promise.all(texts.map(hash))).toEqual(["81240590f3a630b0", "f698e2342614ab27", "f8a692e420006d88"]);
  expect([qrOf("hi")?.length, qrOf("x".repeat(213))?.length, qrOf("x".repeat(214))]).toEqual([21, 57, undefined]);
});

test("a picture is a reference within the bound, and no other reference is one", () => {
  for (const emoji of ["🦊", "❤️", "👩‍👩‍👧‍👦"]) {
    const reference = referenceOf({ emoji, colour: 3 });
    expect(faceOf(reference)).toEqual({ emoji, colour: 3 });
    expect(reference.length).toBeLessThanOrEqual(256);
  }
  for (const other of ["", "emoji:", "emoji:1f98a/9", "emoji:zz/1", "https://a.example/x.png", `emoji:${"1f98a-".repeat(20)}/1`]) expect(faceOf(other)).toBeUndefined();
});

test("the browser names a file as the SDK does", async () => {
  for (const size of [0, 1, 65_536, 65_537, 200_000]) {
    const content = new Uint8Array(size).map((_, at) => at % 251);
    expect(hex(await nameOf(content))).toBe(hex(fileName(content)));
  }
});

test("only pictures, sound and films are shown by their types", () => {
  expect(["image/png", "audio/webm;codecs=opus", "video/mp4"].map(safeType)).toEqual(["image/png", "audio/webm", "video/mp4"]);
  for (const type of ["image/svg+xml", "text/html", "application/pdf", "", "image/png\nX: y"]) expect(safeType(type)).toBe("application/octet-stream");
});

test("types and names are as the protocol takes them", () => {
  expect(["audio/webm;codecs=opus", "", "strange", "image/png"].map(plainType)).toEqual(["audio/webm", "application/octet-stream", "application/octet-stream", "image/png"]);
  expect(["a/b\\c\n.txt", "", "cat.png"].map(plainName)).toEqual(["a_b_c_.txt", "file", "cat.png"]);
  const long = plainName(`${"中".repeat(100)}.txt`);
  expect([new TextEncoder().encode(long).length <= 255, long.endsWith(".txt")]).toEqual([true, true]);
});

test("a description of a call survives packing, and nothing else is one", async () => {
  const description = { call: 7, type: "offer", sdp: "v=0\r\n".repeat(2_000) } as const;
  const payload = await packed(description);
  expect(payload.length).toBeLessThan(4_096);
  expect(await unpacked(payload)).toEqual(description);
  for (const payload of [new Uint8Array(0), new Uint8Array([2, 1]), new Uint8Array([1, 255, 255]), new TextEncoder().encode("\0{}")]) expect(await unpacked(payload)).toBeUndefined();
});

function contact(userId: number, state: number, version: number, more: Partial<wire.Contact> = {}): wire.Contact {
  return { userId, state, text: "", remark: "", sinceMs: 0, version, blocked: false, ...more };
}

test("a late push of a contact changes nothing, and an ended relation leaves the list", async () => {
  const contacts = new Contacts({ contacts: async () => ({ contacts: [contact(2, 2, 5)], version: 5 }), blocks: async () => [{ userId: 9, sinceMs: 1 }] });
  await contacts.load();
  expect([contacts.waiting, contacts.all.get().get(9)?.blocked]).toEqual([1, true]);
  contacts.take(contact(2, 3, 6, { remark: "neighbour" }));
  contacts.take(contact(2, 2, 5));
  expect([contacts.waiting, contacts.remark(2)]).toEqual([0, "neighbour"]);
  contacts.take(contact(2, 0, 7));
  expect(contacts.all.get().has(2)).toBe(false);
});

test("sizes and lengths", () => {
  expect([0, 999, 1_000, 1_440_000, 104_857_600].map((size) => sizeText("en", size))).toEqual(["0 B", "999 B", "1 KB", "1.4 MB", "105 MB"]);
  expect([0, 5_000, 65_000, 600_000].map(lengthText)).toEqual(["0:00", "0:05", "1:05", "10:00"]);
});

test("an @ asks for a name, and one within an address does not", () => {
  const at = (text: string): string | undefined => queryOf(text, text.length)?.prefix;
  expect(["@", "hi @ca", "你好@张", "a@b.example", "hi @ca ", "no sign"].map(at)).toEqual(["", "ca", "张", undefined, undefined, undefined]);
  const names = ["oscar", "Carol", "bob"].map((name) => ({ name }));
  expect([fitting(names, "car", 6), fitting(names, "", 2)].map((all) => all.map(({ name }) => name))).toEqual([["Carol", "oscar"], ["bob", "Carol"]]);
  const query = queryOf("hi @ca there", 6);
  expect(query && withName("hi @ca there", query, "carol")).toEqual({ text: "hi @carol there", caret: 10 });
});
