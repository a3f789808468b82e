/** A clock that moves only when nothing can happen at the present moment. */

import type { Clock } from "../src/clock.js";

interface Timer {
  readonly at: number;
  readonly then: () => void;
}

export class VirtualClock implements Clock {
  private time = 0;
  private readonly timers = new Set<Timer>();
  /** Operations outside of this clock, which end by themselves: a transaction of a store. */
  private busy = 0;

  now(): number {
    return this.time;
  }

  after(ms: number, then: () => void): () => void {
    if (Number.isNaN(ms)) throw new Error("a timer without a time");
    const timer = { at: this.time + Math.max(ms, 0), then };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** An operation that the clock waits for. */
  async during<T>(operation: Promise<T>): Promise<T> {
    this.busy += 1;
    try {
      return await operation;
    } finally {
      this.busy -= 1;
    }
  }

  /** Moves on until `ready` has a value, at most so many milliseconds. */
  async until<T>(ready: () => T | undefined | false, patience = 60_000): Promise<T> {
    const end = this.time + patience;
    for (;;) {
      await this.settle();
      const found = ready();
      if (found !== undefined && found !== false) return found;
      if (!this.step(end)) throw new Error(`it did not happen within ${patience} ms`);
    }
  }

  async sleep(ms: number): Promise<void> {
    const end = this.time + ms;
    do await this.settle();
    while (this.step(end));
    this.time = end;
    await this.settle();
  }

  /** Waits until all that can happen now has happened. */
  private async settle(): Promise<void> {
    let quiet = 0;
    while (quiet < 2) {
      const before = this.busy;
      await new Promise((resolve) => setImmediate(resolve));
      quiet = before === 0 && this.busy === 0 ? quiet + 1 : 0;
    }
  }

  /** Moves to the next timer, if it is due by `end`. */
  private step(end: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.timers) if (next === undefined || timer.at < next.at) next = timer;
    if (next === undefined || next.at > end) return false;
    this.timers.delete(next);
    this.time = Math.max(this.time, next.at);
    next.then();
    return true;
  }
}
