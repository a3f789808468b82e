// The package `ws` of Node as a client: JSON and binary, fragments, ping, close.
import { createRequire } from "node:module";
import assert from "node:assert";

const require = createRequire(process.env.PEERS + "/");
const WebSocket = require("ws");
const url = `ws://${process.argv[2]}/v1/ws`;

function open() {
  const socket = new WebSocket(url);
  const messages = [];
  const waiting = [];
  socket.on("message", (data, isBinary) => {
    const message = isBinary ? data : JSON.parse(data.toString());
    waiting.length > 0 ? waiting.shift()(message) : messages.push(message);
  });
  socket.next = () => (messages.length > 0 ? messages.shift() : new Promise((resolve) => waiting.push(resolve)));
  socket.ask = async (id, name, request) => {
    socket.send(JSON.stringify({ request_id: id, [name]: request }));
    for (;;) {
      const answer = await socket.next();
      if (answer.request_id === id) return answer;
    }
  };
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });
}

const name = "node-ws";
const password = "the password of a peer";
const json = await open();
assert.ok((await json.ask("1", "hello", { min_version: 1, max_version: 1, client: "ws" })).welcome);
assert.ok((await json.ask("2", "register", { name, password, request: "BAAAAAAAAAAAAAAAAAAAAA==" })).registered);
assert.ok((await json.ask("3", "login", { name, password, device: "node" })).logged_in.token);
const content = Buffer.from("x".repeat(60000)).toString("base64");
const send = { conversation: "everyone", client_message_id: "BQAAAAAAAAAAAAAAAAAAAA==", body: { kind: 1, content } };
// In two fragments.
const text = JSON.stringify({ request_id: "4", send });
json.send(text.slice(0, 100), { fin: false });
json.send(text.slice(100), { fin: true });
for (let answer = await json.next(); !answer.send_ack; answer = await json.next()) assert.ok(!answer.failure, answer.failure);
const pong = new Promise((resolve) => json.once("pong", resolve));
json.ping("are you there");
assert.equal((await pong).toString(), "are you there");
const closed = new Promise((resolve) => json.once("close", (code) => resolve(code)));
json.close(1000, "done");
assert.equal(await closed, 1000);

const binary = await open();
binary.send(Buffer.from([0x08, 0x01, 0x12, 0x04, 0x08, 0x01, 0x10, 0x01]));
const welcome = await binary.next();
assert.ok(Buffer.isBuffer(welcome) && welcome[0] === 0x08 && welcome[1] === 0x01 && welcome[2] === 0x1a);
const refused = new Promise((resolve) => binary.once("close", (code) => resolve(code)));
binary.send("{}");
assert.equal(await refused, 1003);
console.log("ok node-ws");
process.exit(0);
