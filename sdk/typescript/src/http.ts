/**
 * Frames over HTTP, for networks where a proxy breaks WebSockets: each request is one of the HTTP
 * API, and pushes come as server-sent events, or by long polls where a proxy holds a stream back.
 *
 * The driver above does not see a difference. It has the cursors and fetches what it lacks, so a
 * stream begins without one, with the head of each conversation.
 */

import type { Target } from "./address.js";
import type { Init } from "./codec.js";
import { asTroupeError, closed, ProtocolError, type TroupeError, Unavailable } from "./errors.js";
import { type Call, callOf } from "./calls.js";
import { ofHex } from "./ids.js";
import { type Json, numberOf, objectOf, listOf, textOf, textsOf, tokenText } from "./json.js";
import type { ClientRequest, ServerMessage } from "./line.js";
import { pushOf } from "./pushes.js";
import type { Dialer, Events, Transport } from "./transport.js";
import * as wire from "./wire.js";

/**
 * Bytes of an answer: a page of history has half a mebibyte of bodies, and JSON may write a byte as
 * six.
 */
const MOST = 4 * 1_024 * 1_024;
/** Characters of one event of a stream. */
const MOST_EVENT = 1_024 * 1_024;
/** Milliseconds until the first event of a stream. After it, a proxy holds the stream back. */
const READY = 3_000;
/** A server says something at least every 25 seconds. */
const SILENT = 30_000;
/** Seconds for which a poll waits. */
const WAIT = 25;
/** Sends in flight, and how often the driver says something. */
const [WINDOW, PING_SECONDS] = [32, 3_600];
/** The token is in a header, and goes to no other address. */
const FETCH = { credentials: "omit", redirect: "error", cache: "no-store" } as const;

export function httpDialer(): Dialer {
  return (to, events) => new HttpTransport(to, events);
}

/** A refusal, as the API has it. */
class Problem extends Error {
  constructor(readonly failure: Init<wire.Failure>) {
    super(failure.text);
  }
}

class HttpTransport implements Transport {
  private readonly base: string;
  private readonly abort = new AbortController();
  private isClosed = false;
  private token: string | undefined;
  private device = "";
  private me = 0;
  private heardAt = performance.now();
  private running = 0;
  /** The last send of each conversation: sends to one conversation keep their order. */
  private readonly sends = new Map<string, Promise<unknown>>();

  constructor(
    to: Target,
    private readonly events: Events,
  ) {
    this.base = `${to.secure ? "https" : "http"}://${to.authority}`;
    queueMicrotask(() => {
      if (!this.isClosed) events.opened();
    });
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    const { requestId, request } = wire.ClientFrame.decode(frame);
    if (request !== undefined) void this.answer(requestId, request);
  }

  close(orderly: boolean): void {
    this.isClosed = true;
    // What is on its way may arrive after an orderly end.
    if (!orderly || this.running === 0) this.abort.abort();
  }

  private async answer(id: number, request: ClientRequest): Promise<void> {
    try {
      const message = await this.perform(request);
      if (message === undefined) return;
      this.say(id, message);
      if (message.case === "loggedIn") void this.follow();
    } catch (error) {
      if (error instanceof Problem) this.say(id, { case: "failure", value: error.failure });
      else this.end(asTroupeError(error));
    }
  }

  private async perform(request: ClientRequest): Promise<Init<ServerMessage> | undefined> {
    switch (request.case) {
      case "hello":
        return { case: "welcome", value: welcomeOf(await this.call({ method: "GET", path: "/v1/nodes" })) };
      case "ping":
        if (this.running > 0) await this.call({ method: "GET", path: "/v1/nodes" });
        return performance.now() - this.heardAt < SILENT ? { case: "pong", value: request.value } : undefined;
      case "pong":
        return undefined;
      case "resume": {
        this.token = tokenText(request.value.token);
        const me = await this.call({ method: "GET", path: "/v1/me" }, "expired_token");
        [this.me, this.device] = [numberOf(me["user_id"]), textOf(me["device"])];
        return { case: "loggedIn", value: { userId: this.me, name: textOf(me["name"]), device: this.device } };
      }
      case "send": {
        const { conversation } = request.value;
        const before = this.sends.get(conversation) ?? Promise.resolve();
        const sent = before.catch(() => {}).then(() => this.ask(request));
        this.sends.set(conversation, sent);
        const done = (): void => {
          if (this.sends.get(conversation) === sent) this.sends.delete(conversation);
        };
        sent.then(done, done);
        return sent;
      }
      default:
        return this.ask(request);
    }
  }

  /** A request that is one of the API, or several. */
  private async ask(request: ClientRequest): Promise<Init<ServerMessage> | undefined> {
    const call = callOf(request, this.me);
    if (call === undefined) {
      const text = "this request is not possible over HTTP: it wants a WebSocket";
      throw new Problem({ kind: wire.FailureKind.REJECTED, code: "not_over_http", text });
    }
    const answers = await Promise.all(call.calls.map((one) => this.callOrMiss(one, call.mayMiss)));
    const message = call.read(answers.filter((answer) => answer !== undefined));
    if (message?.case === "loggedIn" && request.case === "login") {
      [this.token, this.me] = [tokenText(message.value.token ?? new Uint8Array(0)), message.value.userId ?? 0];
    }
    return message;
  }

  /** Undefined: there is no such thing, and the request may do without. */
  private async callOrMiss(call: Call, mayMiss: boolean): Promise<Json | undefined> {
    try {
      return await this.call(call);
    } catch (error) {
      if (mayMiss && error instanceof Problem && /^(no_such_user|not_member)$/.test(error.failure.code ?? "")) return undefined;
      throw error;
    }
  }

  /** `unauthorized`: the code that a missing session has. */
  private async call({ method, path, key, body, headers: more, bytes, raw }: Call, unauthorized?: string): Promise<Json> {
    this.running += 1;
    try {
      const headers: Record<string, string> = { ...more };
      if (this.token !== undefined) headers["authorization"] = `Bearer ${this.token}`;
      if (key !== undefined) headers["idempotency-key"] = key;
      if (body !== undefined) headers["content-type"] = "application/json";
      const sent = bytes !== undefined ? { body: bytes } : body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await this.fetch(path, { method, headers, ...sent });
      if (answer.ok && raw === true) {
        const content = await readBytes(answer);
        this.heardAt = performance.now();
        return { ...Object.fromEntries(answer.headers), content };
      }
      const text = await readAll(answer);
      this.heardAt = performance.now();
      const json = text === "" ? {} : objectOf(parse(text));
      if (answer.ok) return json;
      throw new Problem(failureOf(json, answer.status, unauthorized));
    } finally {
      this.running -= 1;
      if (this.isClosed && this.running === 0) this.abort.abort();
    }
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(this.base + path, { ...init, ...FETCH, signal: this.abort.signal });
    } catch {
      throw closed();
    }
  }

  // ---- pushes

  private async follow(): Promise<void> {
    try {
      const isThrough = await this.stream();
      if (!isThrough) await this.poll();
      this.end(closed());
    } catch (error) {
      this.end(asTroupeError(error));
    }
  }

  /** Reads the stream until it ends. False: nothing of it comes through. */
  private async stream(): Promise<boolean> {
    const own = new AbortController();
    const stop = (): void => own.abort();
    this.abort.signal.addEventListener("abort", stop);
    let isThrough = false;
    const late = setTimeout(() => {
      if (!isThrough) own.abort();
    }, READY);
    try {
      const headers = { authorization: `Bearer ${this.token ?? ""}`, accept: "text/event-stream" };
      const answer = await fetch(`${this.base}/v1/events`, { headers, ...FETCH, signal: own.signal });
      if (!answer.ok) throw new Unavailable(`the stream of events is refused with ${answer.status}`);
      if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) return false;
      for await (const block of blocksOf(answer)) {
        isThrough = true;
        this.heardAt = performance.now();
        this.told(block.event, block.data);
      }
      return true;
    } catch (error) {
      if (this.isClosed || isThrough || !own.signal.aborted) throw error;
      return false;
    } finally {
      clearTimeout(late);
      this.abort.signal.removeEventListener("abort", stop);
      own.abort();
    }
  }

  private async poll(): Promise<void> {
    for (let after = ""; !this.isClosed; ) {
      const answer = await this.call({ method: "GET", path: `/v1/events?wait=${after === "" ? 0 : WAIT}&after=${after}` });
      for (const one of listOf(answer["events"])) this.told(textOf(one["event"]), objectOf(one["data"]));
      after = encodeURIComponent(textOf(answer["cursor"]));
    }
  }

  private told(event: string, data: Json): void {
    const push = pushOf(event, data);
    if (push !== undefined) this.say(0, push);
    if (push?.case === "kicked") this.end(closed());
  }

  private say(requestId: number, message: Init<ServerMessage>): void {
    if (!this.isClosed) this.events.frame(wire.ServerFrame.encode({ requestId, message }));
  }

  private end(reason: TroupeError): void {
    if (this.isClosed) return;
    this.close(false);
    this.events.closed(reason);
  }
}

function welcomeOf(answer: Json): Init<wire.Welcome> {
  return {
    version: 1,
    clusterId: ofHex(textOf(answer["cluster_id"])),
    nodeId: BigInt(numberOf(answer["node_id"])),
    nodes: listOf(answer["nodes"]).filter((node) => node["draining"] !== true).map((node) => textOf(node["client"])),
    sendWindow: WINDOW,
    pingSeconds: PING_SECONDS,
    history: BigInt(textOf(answer["history"])),
    continues: textsOf(answer["continues"]).map(ofHex),
  };
}

const KINDS = { rejected: 1, overloaded: 2, unavailable: 3, failed_precondition: 4 } as const;

function failureOf(problem: Json, status: number, unauthorized: string | undefined): Init<wire.Failure> {
  const { kind, code, detail, retry_after_ms } = problem;
  // What has no kind is of a proxy, which may have passed the request on.
  const known = typeof kind === "string" && kind in KINDS ? KINDS[kind as keyof typeof KINDS] : KINDS.unavailable;
  return {
    kind: known,
    code: status === 401 && unauthorized !== undefined ? unauthorized : typeof code === "string" ? code : "",
    text: typeof detail === "string" ? detail : `HTTP ${status}`,
    retryAfterMs: typeof retry_after_ms === "number" ? retry_after_ms : 0,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError("the answer is not JSON: this is no Troupe server, or a proxy answers for it");
  }
}

async function readBytes(answer: Response): Promise<Uint8Array<ArrayBuffer>> {
  const length = Number(answer.headers.get("content-length") ?? 0);
  if (length > MOST) throw new ProtocolError("the answer is too large");
  try {
    return new Uint8Array(await answer.arrayBuffer());
  } catch {
    throw closed();
  }
}

async function* chunksOf(answer: Response): AsyncGenerator<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } catch {
    throw closed();
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readAll(answer: Response): Promise<string> {
  let text = "";
  for await (const chunk of chunksOf(answer)) {
    text += chunk;
    if (text.length > MOST) throw new ProtocolError("the answer is too large");
  }
  return text;
}

/** The events of a stream. A comment is an event without a name. */
async function* blocksOf(answer: Response): AsyncGenerator<{ event: string; data: Json }> {
  let rest = "";
  for await (const chunk of chunksOf(answer)) {
    rest += chunk;
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    if (rest.length > MOST_EVENT) throw new ProtocolError("an event of the stream is too large");
    for (const block of blocks) {
      let [event, data] = ["", ""];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith("event: ")) event = line.slice(7);
        else if (line.startsWith("data: ")) data += line.slice(6);
      }
      yield { event, data: data === "" ? {} : objectOf(parse(data)) };
    }
  }
}
