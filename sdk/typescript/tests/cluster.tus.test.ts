/** tus-js-client, unchanged: uploads to real nodes, one of which is killed. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import * as tus from "tus-js-client";
import { Demo, PROGRAM } from "./demo.js";

/** Not a multiple of a chunk of the server. */
const PIECE = 100_000;

async function ask(url: string, token = "", body?: object): Promise<Response> {
  const headers = { ...(token === "" ? {} : { authorization: `Bearer ${token}` }), "content-type": "application/json" };
  const answer = await fetch(url, body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${url}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
  return answer;
}

async function logIn(node: string, demo: Demo, device: string): Promise<string> {
  const answer = await ask(`http://${node}/v1/login`, "", { ...demo.account(0), device });
  return ((await answer.json()) as { token: string }).token;
}

async function begin(node: string, token: string, content: Buffer): Promise<string> {
  const body = { conversation: "everyone", name: "a.bin", size: content.length };
  return (await ask(`http://${node}/v1/uploads`, token, body)).headers.get("location") ?? "";
}

/** `until`: ends the upload behind so many bytes, as a page that is closed. */
function upload(url: string, token: string, content: Buffer, until = Number.POSITIVE_INFINITY): Promise<void> {
  return new Promise((resolve, reject) => {
    const upload: tus.Upload = new tus.Upload(content, {
      uploadUrl: url,
      chunkSize: PIECE,
      headers: { authorization: `Bearer ${token}` },
      retryDelays: [200, 500, 1_000, 2_000, 4_000, 8_000],
      onError: reject,
      onSuccess: () => resolve(),
      onChunkComplete: (_size, accepted) => {
        if (accepted >= until) void upload.abort().then(resolve, reject);
      },
    });
    upload.start();
  });
}

describe("tus-js-client", { skip: PROGRAM === "" ? "TROUPE does not name the program of the nodes" : false }, () => {
  let demo: Demo;
  before(async () => {
    demo = await Demo.start();
  });
  after(() => demo?.stop());

  const isWhole = async (node: string, token: string, location: string, content: Buffer): Promise<void> => {
    const { file } = (await (await ask(`http://${node}${location}`, token)).json()) as { file: string };
    const read = await ask(`http://${node}/v1/files/${file}?conversation=everyone`, token);
    assert.ok(content.equals(Buffer.from(await read.arrayBuffer())));
  };

  test("an upload is written and read", { timeout: 60_000 }, async () => {
    const node = demo.http[0] ?? "";
    const token = await logIn(node, demo, "tus");
    const content = randomBytes(3 * PIECE + 1);
    const location = await begin(node, token, content);
    await upload(`http://${node}${location}`, token, content);
    await isWhole(node, token, location, content);
  });

  test("an upload goes on at another node", { timeout: 90_000 }, async () => {
    const [first = "", second = ""] = demo.http;
    const token = await logIn(second, demo, "tus-moving");
    const content = randomBytes(2 * PIECE + 7);
    const location = await begin(first, token, content);
    await upload(`http://${first}${location}`, token, content, PIECE);
    await demo.order("kill", "1");
    await upload(`http://${second}${location}`, token, content);
    await isWhole(second, token, location, content);
    await demo.ready();
  });
});
