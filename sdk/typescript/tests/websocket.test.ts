/**
 * The WebSocket transport against the server of the package `ws`, and against what is no such
 * server.
 */

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { Client, Rejected, Unavailable, userId } from "../src/index.js";
import { SERVER_FRAME_BYTES } from "../src/limits.js";
import { target } from "../src/address.js";
import type { SocketClass } from "../src/websocket.js";
import { websocketDialer } from "../src/websocket.js";
import * as wire from "../src/wire.js";

type Answer = NonNullable<wire.ServerFrame["message"]>;
const none = new Uint8Array(0);

/** A node that knows everybody. */
function answer(request: wire.ClientFrame["request"]): Answer {
  switch (request?.case) {
    case "hello":
      return { case: "welcome", value: { ...wire.Welcome.decode(none), clusterId: new Uint8Array(16), sendWindow: 16, pingSeconds: 30 } };
    case "register":
      if (request.value.name === "taken") return { case: "failure", value: { kind: 1, code: "name_taken", text: "taken", retryAfterMs: 0 } };
      return { case: "registered", value: { userId: 1029 } };
    case "login":
      return { case: "loggedIn", value: { userId: 1029, name: request.value.name, device: request.value.device, token: Uint8Array.of(1) } };
    case "send":
      return { case: "sendAck", value: { clientMessageId: request.value.clientMessageId, seq: 7, timeMs: 1, duplicate: false, conversation: "everyone" } };
    case "listConversations":
      return { case: "conversations", value: { conversations: [], more: false, unavailable: [] } };
    default:
      return { case: "pong", value: { nonce: 0n } };
  }
}

async function serve(talk: (socket: WebSocket, frame: Uint8Array) => void, closed: (code: number) => void = () => {}): Promise<[Server, string]> {
  const server = createServer((_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server, path: "/v1/ws" });
  sockets.on("connection", (socket: WebSocket) => {
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      assert.ok(isBinary, "each frame is one binary message");
      talk(socket, data);
    });
    socket.on("close", closed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [server, `127.0.0.1:${(server.address() as AddressInfo).port}`];
}

function node(socket: WebSocket, frame: Uint8Array): void {
  const { requestId, request } = wire.ClientFrame.decode(frame);
  socket.send(wire.ServerFrame.encode({ requestId, message: answer(request) } as never));
}

function options(address: string): { nodes: string[]; name: string; password: string; patienceMs: number } {
  return { nodes: [address], name: "alice", password: "a long password", patienceMs: 5_000 };
}

for (const [platform, socket] of [["this platform", undefined], ["the package ws", WebSocket as unknown as SocketClass]] as const) {
  test(`a client talks over the WebSocket of ${platform}, and closes it in order`, async () => {
    const codes: number[] = [];
    const [server, address] = await serve(node, (code) => codes.push(code));
    const client = await Client.connect({ ...options(address), dialer: websocketDialer(socket) });
    assert.equal((await (await client.send("everyone", "hello")).acked()).seq, 7);
    await client.close();
    while (codes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(codes, [1000]);
    server.close();
  });
}

test("a registration is one request, and its refusal is final", async () => {
  const [server, address] = await serve(node);
  assert.equal(await new Client(options(address)).register(), userId(1029));
  await assert.rejects(new Client({ ...options(address), name: "taken" }).register(), /name_taken/);
  server.close();
});

for (const bad of ["text", "large", "silence", "no WebSocket"] as const) {
  test(`a server with ${bad} is left`, async () => {
    const [server, address] = await serve((socket) => {
      if (bad === "text") socket.send("hello");
      else if (bad === "large") socket.send(new Uint8Array(SERVER_FRAME_BYTES + 1));
    });
    const to = bad === "no WebSocket" ? `ws://${address}/other` : address;
    await assert.rejects(Client.connect({ ...options(to), patienceMs: 1_500 }), Unavailable);
    server.closeAllConnections();
    server.close();
  });
}

test("a message that is no frame ends the transport with a close code that browsers permit", async () => {
  const codes: (number | undefined)[] = [];
  class Strict {
    static last: Strict;
    binaryType = "";
    onopen = null;
    onmessage: ((event: never) => void) | null = null;
    onclose = null;
    onerror = null;
    constructor() {
      Strict.last = this;
    }
    send(): void {}
    close(code?: number): void {
      if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) throw new DOMException("no", "InvalidAccessError");
      codes.push(code);
    }
  }
  const reason = await new Promise<Error>((resolve) => {
    websocketDialer(Strict)(target("127.0.0.1:1"), { opened: () => {}, frame: () => {}, closed: resolve });
    queueMicrotask(() => queueMicrotask(() => Strict.last.onmessage?.({ data: "text" } as never)));
  });
  assert.match(reason.message, /no frame/);
  assert.deepEqual(codes, [1000]);
});

test("a port without a server, and one that is none, is an error and no crash", async () => {
  await assert.rejects(Client.connect({ ...options("127.0.0.1:1"), patienceMs: 300 }), Unavailable);
  await assert.rejects(Client.connect({ ...options("127.0.0.1:0"), patienceMs: 300 }), Rejected);
});
