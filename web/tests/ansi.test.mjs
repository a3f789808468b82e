import { expect, test } from "vitest";
import { columns, picture, runsOf } from "../shots/ansi.mjs";

test("a run has its style and its columns", () => {
  const { runs } = runsOf("a\u001b[1;32mbold\u001b[0m \u001b[38;5;208;48;2;1;2;3mx\u001b[39my");
  expect(runs.map(({ text, column }) => [text, column])).toEqual([["a", 0], ["bold", 1], [" ", 5], ["x", 6], ["y", 7]]);
  expect(runs[1].style).toMatchObject({ isBold: true, ink: "#7fb56a" });
  expect(runs[3].style).toMatchObject({ ink: "#ff8700", paper: "#010203" });
  expect(runs[4].style).toMatchObject({ ink: undefined, paper: "#010203" });
});

test("signs of Chinese and emoji take two columns", () => {
  expect(["a", "好", "，", "👍🏽", "❤️", "é", "│"].map(columns)).toEqual([1, 2, 2, 2, 2, 1, 1]);
  expect(runsOf("你好ab").runs.map(({ column, width }) => [column, width])).toEqual([[0, 2], [2, 2], [4, 2]]);
});

test("a style goes on in the next line, and no text becomes markup", () => {
  const drawn = picture("\u001b[31m<b>\nred & dead\u001b[0m\n", 'a "screen"');
  expect(drawn).toContain("&lt;b&gt;");
  // Plain spaces would be joined into one.
  expect(drawn).toContain("red\u00a0&amp;\u00a0dead");
  expect(drawn.match(/fill="#d7675e"/g)).toHaveLength(2);
  expect(drawn).toContain('aria-label="a &quot;screen&quot;"');
  expect(drawn).toContain('height="64"');
});
