/**
 * One connection: requests with their answers, and signs of life. No IO: the driver gives it frames
 * and the time, and it puts frames out.
 *
 * It never reconnects or retries: a closed line stays closed, and each unanswered request on it is
 * unknown.
 */

import type { Init } from "./codec.js";
import { closed, ofFailure, Overloaded, type TroupeError, Unavailable } from "./errors.js";
import { Rejected } from "./errors.js";
import { FRAME_BYTES } from "./limits.js";
import * as wire from "./wire.js";

/** Milliseconds for an answer. After it the outcome of the request is unknown. */
const REQUEST_TIMEOUT = 5_000;
/** Requests without an answer. At the limit `ask` refuses. */
const PENDING = 1_024;

export type ClientRequest = NonNullable<wire.ClientFrame["request"]>;
export type ServerMessage = NonNullable<wire.ServerFrame["message"]>;
export type Answer = ServerMessage | TroupeError;
/** A request, with fields left out that have their defaults. */
export type Request = Init<ClientRequest>;

interface Pending {
  readonly answered: (answer: Answer) => void;
  readonly deadline: number;
}

export class Line {
  private readonly pending = new Map<number, Pending>();
  private lastId = 0;
  private lastHeard: number;
  private waitingSince: number;
  private lastWritten: number;
  /** Milliseconds of silence after which a ping is written. */
  private quiet = Number.POSITIVE_INFINITY;
  private isClosed = false;
  private greeting: wire.Welcome | undefined;

  constructor(
    readonly number: number,
    readonly address: string,
    private readonly write: (frame: Uint8Array<ArrayBuffer>) => void,
    now: number,
  ) {
    this.lastHeard = this.waitingSince = this.lastWritten = now;
  }

  get waits(): boolean {
    return this.pending.size > 0;
  }

  /** The server's greeting. Only a greeted line is used. */
  get welcome(): wire.Welcome {
    if (this.greeting === undefined) throw new Unavailable(`${this.address} has not greeted`);
    return this.greeting;
  }

  greeted(welcome: wire.Welcome): void {
    this.greeting = welcome;
    // Half of the interval that the server asks for, so that one late packet is harmless.
    this.quiet = (Math.max(welcome.pingSeconds, 2) * 1_000) / 2;
  }

  /**
   * Milliseconds for which the server has been silent while it owes an answer. Zero if it owes
   * none.
   */
  silence(now: number): number {
    return this.waits ? now - Math.max(this.lastHeard, this.waitingSince) : 0;
  }

  /** Milliseconds since the last frame of the server. */
  unheard(now: number): number {
    return now - this.lastHeard;
  }

  /** Writes a request. `answered` is called once, or never if `drop` comes first. */
  ask(request: Request, answered: (answer: Answer) => void, now: number, timeout = REQUEST_TIMEOUT): void {
    if (this.isClosed) throw closed();
    if (this.pending.size >= PENDING) throw new Overloaded("this connection waits for many answers", "connection_queue", 10);
    const id = this.put(request, now);
    if (!this.waits) this.waitingSince = now;
    this.pending.set(id, { answered, deadline: now + timeout });
  }

  /** Writes a frame that has no answer. */
  tell(request: Request, now: number): void {
    if (!this.isClosed) this.put(request, now);
  }

  /**
   * Reads a frame. Returns the push that it holds. An answer goes to its request. Throws
   * ProtocolError if it is no frame, and the failure if the server refuses the connection as a
   * whole.
   */
  hear(frame: Uint8Array, now: number): ServerMessage | undefined {
    this.lastHeard = now;
    const { requestId, message } = wire.ServerFrame.decode(frame);
    // A message of a later version is ignored.
    if (message === undefined) return undefined;
    if (requestId !== 0) {
      const pending = this.pending.get(requestId);
      this.pending.delete(requestId);
      pending?.answered(message.case === "failure" ? ofFailure(message.value) : message);
      return undefined;
    }
    if (message.case === "ping") {
      this.tell({ case: "pong", value: { nonce: message.value.nonce } }, now);
      return undefined;
    }
    if (message.case === "failure") throw ofFailure(message.value);
    return message;
  }

  /** Ends requests whose answer takes too long, and keeps the connection alive. */
  tick(now: number): void {
    for (const [id, { answered, deadline }] of [...this.pending]) {
      if (deadline > now || !this.pending.delete(id)) continue;
      answered(new Unavailable("the answer takes too long"));
    }
    // Its answer counts as a sign of life.
    if (now - this.lastWritten >= this.quiet) this.tell({ case: "ping", value: {} }, now);
  }

  wakeAt(): number {
    let at = this.lastWritten + this.quiet;
    for (const { deadline } of this.pending.values()) at = Math.min(at, deadline);
    return at;
  }

  /** The connection ended: each unanswered request is unknown. */
  end(): void {
    const unanswered = [...this.pending.values()];
    this.drop();
    for (const { answered } of unanswered) answered(closed());
  }

  /** Nothing comes from this line any more. Requests without an answer get none. */
  drop(): void {
    this.isClosed = true;
    this.pending.clear();
  }

  private put(request: Request, now: number): number {
    this.lastId += 1;
    const frame = wire.ClientFrame.encode({ requestId: this.lastId, request });
    if (frame.length > FRAME_BYTES) throw new Rejected("this request is larger than a frame may be", "too_large");
    this.lastWritten = now;
    this.write(frame);
    return this.lastId;
  }
}
