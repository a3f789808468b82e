/** What is known about an own message, as a sign and as words. */

import type { MessageState } from "troupe-chat";
import type { Positions } from "../core/session";
import type { IconName } from "./Icon.svelte";
import type { Words } from "./words";

export interface Status {
  readonly state: MessageState | "delivered" | "read";
  readonly delivered: number;
  readonly read: number;
  /** Other members whose positions are known. */
  readonly of: number;
}

/** A message with a place is durable; it is delivered, or read, when all others are there. */
export function placedState(positions: ReadonlyMap<number, Positions> | undefined, me: number, seq: number): Status {
  let [delivered, read, of] = [0, 0, 0];
  for (const [user, position] of positions ?? []) {
    if (user === me) continue;
    of += 1;
    if (position.delivered >= seq || position.read >= seq) delivered += 1;
    if (position.read >= seq) read += 1;
  }
  const state = of > 0 && read === of ? "read" : of > 0 && delivered === of ? "delivered" : "durable";
  return { state, delivered, read, of };
}

const ICONS: Record<Status["state"], IconName> = {
  queued: "clock",
  sent: "sent",
  unknown: "unknown",
  durable: "tick",
  delivered: "ticks",
  read: "ticks",
  refused: "failed",
};

export function stateIcon(state: Status["state"]): IconName {
  return ICONS[state];
}

export function stateText({ state, delivered, read, of }: Status, t: Words): string {
  if (of <= 1) return t.states[state];
  if (read > 0) return `${t.states[state]}. ${t.readBy(read, of)}`;
  return delivered > 0 ? `${t.states[state]}. ${t.deliveredTo(delivered, of)}` : t.states[state];
}
