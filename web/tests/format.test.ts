import { expect, test } from "vitest";
import { dayOf, initialOf, isOnlyEmoji, listTime, nearDay, piecesOf } from "../src/core/format";

test("web addresses become links, and nothing else does", () => {
  expect(piecesOf("see https://a.example/x?y=1, or not")).toEqual([
    { is: "text", text: "see " },
    { is: "link", text: "https://a.example/x?y=1", href: "https://a.example/x?y=1" },
    { is: "text", text: ", or not" },
  ]);
  expect(piecesOf("见https://a.example/中文。好")[1]).toMatchObject({ is: "link", text: "https://a.example/中文" });
  for (const text of ["javascript:alert(1)", "data:text/html,x", "JAVASCRIPT:alert(1)", "vbscript:x", "http://", "https://[", "<a href=x>"]) {
    expect(piecesOf(text).every(({ is }) => is === "text"), text).toBe(true);
    expect(piecesOf(text).map((piece) => piece.text).join("")).toBe(text);
  }
});

test("pieces are the whole text", () => {
  for (const text of ["", "a", "http://a.b http://c.d", "x https://a.b/).", "https://a.b/<script>", " https://a.b \n"]) {
    expect(piecesOf(text).map((piece) => piece.text).join("")).toBe(text);
  }
});

test("up to three emoji are large", () => {
  for (const text of ["👍", "👨‍👩‍👧‍👦", "🇨🇳🎉", " ❤️ "]) expect(isOnlyEmoji(text), text).toBe(true);
  for (const text of ["", "a", "👍a", "👍👍👍👍", "12"]) expect(isOnlyEmoji(text), text).toBe(false);
});

test("days", () => {
  const noon = new Date(2026, 2, 10, 12).getTime();
  expect(nearDay(noon - 3_600_000, noon)).toBe("today");
  expect(nearDay(dayOf(noon) - 1, noon)).toBe("yesterday");
  expect(nearDay(dayOf(noon) - 25 * 3_600_000, noon)).toBeUndefined();
  expect(listTime("en", new Date(2026, 2, 10, 9, 5).getTime(), noon)).toBe("09:05");
  expect(listTime("en", 0, noon)).toBe("");
});

test("the sign of a name is its first character as people see it", () => {
  expect([initialOf("alice"), initialOf("张三"), initialOf("👩‍🚀 crew"), initialOf("")]).toEqual(["A", "张", "👩‍🚀", "?"]);
});
