/** The messages of the tabs that share a session: data only, because a channel copies them. */

import { type ErrorRecord, ofRecord, recordOf, TroupeError } from "./errors.js";
import type { Incoming, MessageState, State } from "./items.js";
import type { Request, ServerMessage } from "./line.js";
import type { Queued } from "./outbox.js";
import type { Account, Notice, Outcome } from "./session.js";

type Settled = Omit<Outcome, "outcome"> & { readonly outcome: Exclude<Outcome["outcome"], TroupeError> | { readonly error: ErrorRecord } };
export type SentNotice = Exclude<Notice, Outcome> | Settled;

/** What the leader knows. */
export interface Standing {
  readonly state: State;
  readonly account: Account | undefined;
  readonly token: Uint8Array | undefined;
  readonly device: string;
  readonly outbox: readonly [Queued, MessageState][];
  /** The number of the latest stored event. */
  readonly last: number;
}

export type Call = { readonly method: "send"; readonly message: Queued } | { readonly method: "ask"; readonly request: Request };

export type Message =
  | { readonly kind: "join" }
  | { readonly kind: "lead"; readonly leader: string; readonly standing: Standing }
  | { readonly kind: "notice"; readonly notice: SentNotice; readonly standing: Omit<Standing, "outbox"> }
  /** `before` and `last`: the numbers around the events among these items. */
  | { readonly kind: "items"; readonly items: readonly Incoming[]; readonly before: number; readonly last: number }
  | { readonly kind: "call"; readonly from: string; readonly id: number; readonly call: Call }
  | {
      readonly kind: "answer";
      readonly to: string;
      readonly id: number;
      readonly answer?: ServerMessage | undefined;
      readonly error?: ErrorRecord;
    };

/** Before a leader has told anything. */
export const UNKNOWN: Standing = { state: { is: "connecting" }, account: undefined, token: undefined, device: "", outbox: [], last: 0 };

/** A notice as data: an error has a class, which does not reach other tabs. */
export function sent(notice: Notice): SentNotice {
  if (notice.notice !== "settled") return notice;
  const { outcome } = notice;
  return { ...notice, outcome: outcome instanceof TroupeError ? { error: recordOf(outcome) } : outcome };
}

/** The notice that `sent` made into data. */
export function received(notice: SentNotice): Notice {
  if (notice.notice !== "settled") return notice;
  const { outcome } = notice;
  return { ...notice, outcome: "error" in outcome ? ofRecord(outcome.error) : outcome };
}
