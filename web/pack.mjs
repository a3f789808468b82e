/**
 * Packs the built files, so that a node serves them as they are, and holds them to their budget.
 *
 *     node pack.mjs dist             writes .gz and .br beside each file
 *     node pack.mjs dist committed   compares a build with the committed one; exits 1 if they differ
 *
 * Packers of another version pack the same content into other bytes, so packed files are compared
 * by their content.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";

const FILES = ["index.html", "app.js", "app.css", "more.js", "console.js", "sw.js"];
/** They come after the sign-in; the console is a page of its own. */
const LATER = ["more.js", "console.js", "sw.js"];
/** Bytes of the first load, in brotli. */
const BUDGET = 120 * 1024;

const [folder = "dist", committed] = process.argv.slice(2);
const built = readdirSync(folder).filter((name) => !/\.(?:br|gz)$/.test(name));
// Another file would be one that no node serves.
if (built.sort().join() !== [...FILES].sort().join()) throw new Error(`the build made ${built.join(", ")}`);
const differences = [];
let sum = 0;
for (const name of FILES) {
  const plain = readFileSync(join(folder, name));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
  const brotli = brotliCompressSync(plain, { params });
  if (!LATER.includes(name)) sum += brotli.length;
  console.log(`${name.padEnd(12)} ${String(plain.length).padStart(8)} bytes ${String(brotli.length).padStart(8)} in brotli`);
  if (committed === undefined) {
    writeFileSync(join(folder, `${name}.br`), brotli);
    writeFileSync(join(folder, `${name}.gz`), gzipSync(plain, { level: 9 }));
    continue;
  }
  for (const [suffix, unpacked] of [["", (bytes) => bytes], [".br", brotliDecompressSync], [".gz", gunzipSync]]) {
    const path = join(committed, name + suffix);
    if (!existsSync(path) || !unpacked(readFileSync(path)).equals(plain)) differences.push(name + suffix);
  }
}
console.log(`first load: ${sum} of ${BUDGET} bytes in ${FILES.length - LATER.length} requests`);
if (sum > BUDGET) {
  console.error("the first load is above its budget");
  process.exitCode = 1;
}
if (differences.length > 0) {
  console.error(`a build of web/ makes another ${differences.join(", ")}: run scripts/build-web and commit web/dist`);
  process.exitCode = 1;
}
