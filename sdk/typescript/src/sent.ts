/** A message of this device, and its way into the log. */

import { Stopped, TroupeError } from "./errors.js";
import { bodyText } from "./event.js";
import type { ClientMessageId, ConversationId } from "./ids.js";
import type { Acked, MessageState } from "./items.js";
import type { Queued } from "./outbox.js";
import { Value, type Watched } from "./value.js";

export class SentMessage {
  readonly conversation: ConversationId;
  readonly id: ClientMessageId;
  readonly bodyKind: number;
  readonly content: Uint8Array;
  /** Whether the outcome was asked for. If not, it arrives as `settled` among the events. */
  isAwaited = false;
  private readonly states: Value<MessageState>;
  private result: Acked | TroupeError | undefined;
  private promise: Promise<Acked> | undefined;
  private settled: (() => void) | undefined;

  constructor(message: Queued, state: MessageState) {
    ({ conversation: this.conversation, id: this.id, kind: this.bodyKind, content: this.content } = message);
    this.states = new Value(state);
  }

  get text(): string | undefined {
    return bodyText(this.bodyKind, this.content);
  }

  /** Where the message is now. */
  get state(): Watched<MessageState> {
    return this.states;
  }

  /** Its place in the log, or why it has none. Undefined while it is in the outbox. */
  get outcome(): Acked | TroupeError | undefined {
    return this.result;
  }

  /**
   * Resolves when the message is durable, and rejects when it is refused or the client has stopped.
   */
  acked(): Promise<Acked> {
    this.isAwaited = true;
    this.promise ??= new Promise<void>((resolve) => {
      if (this.result === undefined) this.settled = resolve;
      else resolve();
    }).then(() => {
      if (this.result === undefined || this.result instanceof TroupeError) throw this.result;
      return this.result;
    });
    return this.promise;
  }

  /** For the client. */
  moveTo(state: MessageState): void {
    if (this.states.get() !== state) this.states.set(state);
  }

  /** For the client. */
  settle(outcome: Acked | TroupeError): void {
    this.result = outcome;
    // A message of a stopped client stays in the outbox.
    if (!(outcome instanceof Stopped)) this.moveTo(outcome instanceof TroupeError ? "refused" : "durable");
    this.settled?.();
  }
}
