/** Errors, named by what the caller should do. */

/** Characters kept of a server's code or text. */
const SERVER_WORDS = 500;

/** Base of all errors. `code` is the stable code of a refusal, listed in docs/protocol.md. */
export abstract class TroupeError extends Error {
  /** Whether the request was definitely not applied. */
  readonly definite: boolean = false;
  /** Whether the same request may succeed later, possibly at another node. */
  readonly transient: boolean = false;

  constructor(
    readonly text: string,
    readonly code: string = "",
  ) {
    super(code === "" ? text : `${text} (${code})`);
  }
}

/** Definite: the request was not and never will be applied. Do not repeat it unchanged. */
export class Rejected extends TroupeError {
  override readonly name = "Rejected";
  override readonly definite = true;
}

/** Definite: the message was not applied. Send it again after its predecessor is acknowledged. */
export class OutOfOrder extends TroupeError {
  override readonly name = "OutOfOrder";
  override readonly definite = true;
  override readonly transient = true;
}

/** Definite: the request was not accepted. Retry after `retryAfterMs`. */
export class Overloaded extends TroupeError {
  override readonly name = "Overloaded";
  override readonly definite = true;
  override readonly transient = true;

  constructor(
    text: string,
    code: string,
    readonly retryAfterMs: number,
  ) {
    super(text, code);
  }
}

/** Unknown: the request may have been applied. Repeat it with the same id. */
export class Unavailable extends TroupeError {
  override readonly name = "Unavailable";
  override readonly transient = true;
}

/** The outbox is full: wait until messages are sent. */
export class OutboxFull extends TroupeError {
  override readonly name = "OutboxFull";
  override readonly definite = true;

  constructor() {
    super("the outbox is full: wait until some messages are sent", "outbox_full");
  }
}

/** This client has ended. Log in with a new one. */
export class Stopped extends TroupeError {
  override readonly name = "Stopped";
}

/** The store of this device cannot be read or written. */
export class StoreError extends TroupeError {
  override readonly name = "StoreError";
  override readonly definite = true;
}

/** The peer is not a Troupe server, or has an incompatible version. */
export class ProtocolError extends TroupeError {
  override readonly name = "ProtocolError";
}

/** An error as data, for another tab. */
export interface ErrorRecord {
  readonly name: string;
  readonly text: string;
  readonly code: string;
  readonly retryAfterMs: number;
}

export function recordOf(error: TroupeError): ErrorRecord {
  const retryAfterMs = error instanceof Overloaded ? error.retryAfterMs : 0;
  return { name: error.name, text: error.text, code: error.code, retryAfterMs };
}

export function ofRecord({ name, text, code, retryAfterMs }: ErrorRecord): TroupeError {
  switch (name) {
    case "Rejected":
      return new Rejected(text, code);
    case "OutOfOrder":
      return new OutOfOrder(text, code);
    case "Overloaded":
      return new Overloaded(text, code, retryAfterMs);
    case "OutboxFull":
      return new OutboxFull();
    case "Stopped":
      return new Stopped(text, code);
    case "StoreError":
      return new StoreError(text, code);
    case "ProtocolError":
      return new ProtocolError(text, code);
    default:
      return new Unavailable(text, code);
  }
}

/** Any thrown value as one of these errors. */
export function asTroupeError(error: unknown): TroupeError {
  if (error instanceof TroupeError) return error;
  return new Unavailable(error instanceof Error ? error.message : String(error));
}

/** A server's text, cleaned and cut: it can neither control a terminal nor fill a screen. */
export function words(text: string): string {
  return text.slice(0, SERVER_WORDS).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, " ");
}

/** The error that stands for a `failure` frame. An unknown kind counts as unavailable. */
export function ofFailure(failure: { kind: number; code: string; text: string; retryAfterMs: number }): TroupeError {
  const code = words(failure.code);
  const text = words(failure.text);
  // Servers of earlier versions send out_of_order as rejected.
  if (failure.kind === 4 || (failure.kind === 1 && code === "out_of_order")) return new OutOfOrder(text, code);
  if (failure.kind === 1) return new Rejected(text, code);
  if (failure.kind === 2) return new Overloaded(text, code, failure.retryAfterMs);
  return new Unavailable(text || "the server cannot say whether it was applied", code);
}

export function closed(): Unavailable {
  return new Unavailable("the connection was closed");
}
