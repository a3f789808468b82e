/** Choice of the next node, and the backoff before it. */

import { target } from "./address.js";
import { Rejected } from "./errors.js";

/** Addresses in memory. A cluster has far fewer. */
const ADDRESSES = 64;
/** Milliseconds: the first pause, and the longest. */
const [FIRST, MOST] = [50, 5_000];
/** A connection that lasted this many milliseconds resets the backoff. */
const GOOD = 2_000;

/** Random numbers from 0 to below 1. */
export type Random = () => number;

/**
 * The order in which the nodes of a list are tried. `last` is the node of the previous connection.
 *
 * A choice may hold state: clients that share the value spread over the nodes together.
 */
export interface NodeChoice {
  order(addresses: readonly string[], last: string | undefined, random: Random): string[];
  /** A connection to this node begins or ends. */
  used?(address: string, change: 1 | -1): void;
}

/** At random, so that independent clients spread over the nodes. The default. */
export const randomly: NodeChoice = {
  order: (addresses, _, random) => shuffled(addresses, random),
};

/** Each connection to the node behind the one before. */
export function roundRobin(): NodeChoice {
  let next = 0;
  return {
    order(addresses) {
      const from = next++ % addresses.length;
      return [...addresses.slice(from), ...addresses.slice(0, from)];
    },
  };
}

/**
 * The same node for the same key, for instance a user's name, as long as that node is there. A lost
 * or a new node moves only its own share of the keys (rendezvous hashing).
 */
export function consistentHash(key: string): NodeChoice {
  return {
    order: (addresses) => {
      const scored = addresses.map((address) => ({ address, score: hash(`${key}\n${address}`) }));
      return scored.sort((one, other) => other.score - one.score).map(({ address }) => address);
    },
  };
}

/**
 * The node with the fewest connections of the clients that share this value, as gateways and bots
 * have them.
 */
export function leastConnections(): NodeChoice {
  const counts = new Map<string, number>();
  const count = (address: string): number => counts.get(address) ?? 0;
  return {
    order: (addresses, _, random) => shuffled(addresses, random).sort((one, other) => count(one) - count(other)),
    used: (address, change) => void counts.set(address, count(address) + change),
  };
}

export class Nodes {
  private readonly addresses: string[] = [];
  /** Of the round of attempts that is under way. */
  private round: string[] = [];
  /** Undefined until an attempt has failed: the first one is repeated at once. */
  private pause: number | undefined;
  private current: { readonly address: string; readonly since: number } | undefined;
  private last: string | undefined;

  constructor(
    given: readonly string[],
    private readonly choice: NodeChoice,
    private readonly random: Random,
  ) {
    this.learn(given);
    if (this.addresses.length === 0) throw new Rejected("no node is given to connect to", "bad_request");
    for (const address of this.addresses) target(address);
  }

  get known(): readonly string[] {
    return this.addresses;
  }

  learn(reported: readonly string[]): void {
    for (const address of reported) {
      if (this.addresses.length >= ADDRESSES || address === "" || this.addresses.includes(address)) continue;
      this.addresses.push(address);
      // A node that is learned during a round is tried in it.
      if (this.round.length > 0) this.round.push(address);
    }
  }

  /** A node asks its clients to move to one of these: at random, because others move too. */
  sentTo(reported: readonly string[]): void {
    this.learn(reported);
    const known = shuffled(reported, this.random).filter((address) => this.addresses.includes(address));
    this.round = [...known, ...this.order().filter((address) => !known.includes(address))];
  }

  /** The next address, but not `avoid` if there is another. */
  next(avoid?: string): string {
    if (this.round.length === 0) this.round = this.order();
    const address = this.round.shift() as string;
    return address === avoid && this.addresses.length > 1 ? this.next() : address;
  }

  reached(address: string, now: number): void {
    this.left();
    this.current = { address, since: now };
    this.last = address;
    this.round = [];
    this.choice.used?.(address, 1);
  }

  /** The connection is no longer used. */
  left(): void {
    if (this.current !== undefined) this.choice.used?.(this.current.address, -1);
    this.current = undefined;
  }

  /**
   * The connection to this node ended. Returns the wait before the next attempt: zero unless it was
   * short.
   */
  lost(address: string, now: number): number {
    if (this.current !== undefined && now - this.current.since >= GOOD) this.pause = undefined;
    this.left();
    // The lost node comes last.
    this.round = this.order().filter((other) => other !== address);
    this.round.push(...this.addresses.filter((other) => other === address));
    return this.backoff();
  }

  /** The wait before the next attempt: zero at first, then doubling, half of it random. */
  backoff(): number {
    if (this.pause === undefined) {
      this.pause = FIRST;
      return 0;
    }
    const longest = this.pause;
    this.pause = Math.min(2 * longest, MOST);
    return longest * (0.5 + 0.5 * this.random());
  }

  private order(): string[] {
    return this.choice.order(this.addresses, this.last, this.random);
  }
}

function shuffled(addresses: readonly string[], random: Random): string[] {
  const found = [...addresses];
  for (let at = found.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [found[at], found[other]] = [found[other] as string, found[at] as string];
  }
  return found;
}

/** FNV-1a, with the last mixing steps of MurmurHash3 so that similar texts differ in all bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
