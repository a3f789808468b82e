/** Time, so that tests can move it. */
export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Calls `then` after so many milliseconds. Returns how to cancel it. */
  after(ms: number, then: () => void): () => void;
}

/** Timers of platforms hold 31 bits. */
const MOST = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, Math.min(Math.max(ms, 0), MOST));
    return () => clearTimeout(timer);
  },
};
