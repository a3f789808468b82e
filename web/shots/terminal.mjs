/**
 * The picture of `troupe chat` in README.md, made in a real terminal on a cluster of real nodes:
 *
 *     node shots/terminal.mjs FILE.svg
 *
 * The environment has TROUPE (the program, with troupe-lab beside it); tmux is the terminal.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Demo } from "../journeys/demo.mjs";
import { until } from "../journeys/page.mjs";
import { picture } from "./ansi.mjs";
import { play } from "./scene.mjs";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: node shots/terminal.mjs FILE.svg");
/** Columns and rows. */
const [WIDE, HIGH] = [100, 28];
/** Bytes of the picture. */
const MOST = 150 * 1024;
const socket = `troupe-picture-${process.pid}`;
const tmux = (...words) => execFileSync("tmux", ["-u", "-L", socket, "-f", "/dev/null", ...words], { encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8" } });
const screen = () => tmux("capture-pane", "-p", "-t", "alice");
const shows = (text) => until(() => {
  if (!screen().includes(text)) throw new Error(`the terminal does not show ${text}:\n${screen()}`);
}, 30_000);
const types = (text) => {
  tmux("send-keys", "-t", "alice", "-l", "--", text);
  tmux("send-keys", "-t", "alice", "Enter");
};

const demo = await Demo.start();
const folder = mkdtempSync(join(tmpdir(), "troupe-picture-"));
try {
  const scene = await play(demo, "en");
  const servers = demo.nodes.map(({ client }) => client).join(",");
  const command = [process.env.TROUPE, "chat", "--as", "alice", "--server", servers, "--state-dir", folder].map((word) => `'${word}'`).join(" ");
  tmux("new-session", "-d", "-s", "alice", "-x", String(WIDE), "-y", String(HIGH), "-e", `TROUPE_PASSWORD=${demo.account("alice").password}`, "-e", "COLORTERM=truecolor", command);
  await shows("online at node");
  types(`:to ${scene.team}`);
  await shows(scene.texts.late.at(-1));
  types(":history");
  await shows(scene.texts.plan.at(-1)[1].slice(0, 20));
  tmux("send-keys", "-t", "alice", "-l", "--", "I bring the coffee");
  await shows("I bring the coffee");
  const drawn = picture(tmux("capture-pane", "-e", "-p", "-t", "alice"), "troupe chat in a terminal: a list of conversations, a conversation with reactions and a poll, and the node that serves it");
  if (drawn.length > MOST) throw new Error(`the picture has ${drawn.length} bytes`);
  writeFileSync(file, drawn);
  console.log(`${file}: ${drawn.length} bytes`);
} finally {
  try {
    tmux("kill-server");
  } catch {
    // The program has ended, and the terminal with it.
  }
  await demo.stop();
  rmSync(folder, { recursive: true, force: true });
}
