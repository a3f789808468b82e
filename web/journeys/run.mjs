/**
 * Journeys in Chromium on a cluster of real nodes: node journeys/run.mjs [--long | name ...]
 *
 * Without arguments it runs the short set, with --long all of them, and otherwise those whose names
 * have one of the words.
 *
 * The environment has TROUPE (the program, with troupe-lab beside it) and CHROMIUM, and may have
 * TROUPE_WEB, a folder whose files are served instead of those in the program, TROUPE_SHOTS, a
 * folder for pictures of pages that failed, and TROUPE_PATIENCE, a factor for all waits.
 */

import { readdirSync } from "node:fs";
import { Demo } from "./demo.mjs";
import { launch, PATIENCE } from "./page.mjs";

const HELPERS = ["demo.mjs", "load.mjs", "page.mjs", "run.mjs"];
/** Milliseconds of one journey. */
const MOST_MS = 180_000;
/** The other files have the short set, which takes two minutes of a quiet machine. */
const LONG = ["long.mjs"];
const isLong = process.argv[2] === "--long";
const wanted = isLong ? [] : process.argv.slice(2);
const files = readdirSync(import.meta.dirname ?? new URL(".", import.meta.url).pathname).filter((name) => name.endsWith(".mjs") && !HELPERS.includes(name));

const journeys = [];
for (const file of files.sort()) {
  if (LONG.includes(file) && !isLong && wanted.length === 0) continue;
  for (const [name, run] of Object.entries(await import(`./${file}`))) {
    if (wanted.length === 0 || wanted.some((word) => name.includes(word))) journeys.push([name, run]);
  }
}
if (journeys.length === 0) throw new Error(`no journey is named ${wanted.join(", ")}`);

const demo = await Demo.start();
const browser = await launch();
let failed = 0;
for (const [name, run] of journeys) {
  const begun = performance.now();
  const most = (run.mostMs ?? MOST_MS) * PATIENCE;
  let timer;
  try {
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`it did not end within ${most} ms`)), most)));
    await Promise.race([run({ demo, browser }), late]);
    console.log(`ok      ${name} (${Math.round(performance.now() - begun)} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
    for (const [at, page] of browser.contexts().flatMap((context) => context.pages()).entries()) {
      if (process.env.TROUPE_SHOTS) await page.screenshot({ path: `${process.env.TROUPE_SHOTS}/${name}-${at}.png` });
    }
    for (const context of browser.contexts()) await context.close();
  } finally {
    clearTimeout(timer);
  }
}
await browser.close();
await demo.stop();
console.log(`${journeys.length - failed} of ${journeys.length} journeys passed in ${Math.round(performance.now() / 1_000)} s`);
process.exitCode = failed === 0 ? 0 : 1;
