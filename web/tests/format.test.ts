import { expect, test } from "vitest";
import { dayOf, initialOf, isOnlyEmoji, listTime, marksOf, nearDay, piecesOf } from "../src/core/format";

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

test("signs of Markdown, and texts that only look like them", () => {
  const kinds = (text: string): string => marksOf(text).map(({ is, text: inner }) => `${is}:${inner}`).join("|");
  expect(kinds("a **b** *c* `d*e*` ~~f~~")).toBe("text:a |bold:b|text: |italic:c|text: |code:d*e*|text: |strike:f");
  expect(kinds("```js\nlet a = 1;\n```\nafter")).toBe("block:let a = 1;|text:after");
  for (const plain of ["2*3*4", "a * b * c", "** **", "**", "`", "``", "snake_case_name", "*open", "5 ** 2", "```", "<b>x</b>", "~~~"]) {
    expect(kinds(plain), plain).toBe(`text:${plain}`);
  }
});

test("a hostile text is read in time", () => {
  for (const text of ["*".repeat(60_000), "`".repeat(60_000), "**a".repeat(20_000), "~~ ".repeat(20_000), "```a".repeat(15_000), "http://".repeat(9_000)]) {
    const begun = performance.now();
    expect(marksOf(text).flatMap((mark) => piecesOf(mark.text)).length).toBeGreaterThan(0);
    expect(performance.now() - begun).toBeLessThan(2_000);
  }
});
