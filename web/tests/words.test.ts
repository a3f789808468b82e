import { expect, test } from "vitest";
import * as page from "../src/ui/words";
import { en as laterEn, zh as laterZh } from "../src/ui/words/later";

const { languageOf } = page;

const [en, zh] = [{ ...page.en, later: laterEn }, { ...page.zh, later: laterZh }];

function places(value: object, path = ""): string[] {
  return Object.entries(value).flatMap(([key, inner]) => (typeof inner === "object" ? places(inner, `${path}${key}.`) : [`${path}${key}`]));
}

function at(value: object, path: string): unknown {
  return path.split(".").reduce((held, key) => (held as Record<string, unknown>)[key], value as unknown);
}

test("both languages have every text", () => {
  expect(places(zh).sort()).toEqual(places(en).sort());
});

test("no text was left in English", () => {
  const same = places(zh).filter((path) => typeof at(zh, path) === "string" && at(zh, path) === at(en, path));
  expect(same).toEqual(["app"]);
});

test("texts with values take as many", () => {
  for (const path of places(en)) {
    const [one, other] = [at(en, path), at(zh, path)];
    if (typeof one === "function") expect((other as (...values: unknown[]) => unknown).length, path).toBe(one.length);
  }
});

test("the first language of the browser that is here", () => {
  expect([languageOf(["de", "zh-TW"]), languageOf(["zh-CN", "en"]), languageOf(["en-GB"]), languageOf(["fr"]), languageOf([])]).toEqual([
    "zh",
    "zh",
    "en",
    "en",
    "en",
  ]);
});
