/** The golden stories, each with a store in memory and one in IndexedDB. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import "fake-indexeddb/auto";
import { IndexedDbStore, MemoryStore } from "../src/index.js";
import { Player, readStory, STORIES } from "./story.js";

const names = readdirSync(STORIES)
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -5))
  .sort();

for (const name of names) {
  test(`the story ${name}`, async () => {
    const story = readStory(name);
    assert.equal(story.name, name);
    const store = new MemoryStore();
    await new Player(story, () => store).play();
  });

  test(`the story ${name}, in IndexedDB`, async () => {
    await new Player(readStory(name), () => new IndexedDbStore(name)).play();
  });
}

test("there are stories", () => assert.ok(names.length >= 40));
