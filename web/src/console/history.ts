/** What the node of this page did while the console was open: numbers only, so that hours fit. */

import { Value } from "../core/value";
import { quantile, rate, type Reading, readingOf } from "./metrics";

/** Between two readings, and the longest time that is kept, in milliseconds. */
export const [EVERY_MS, KEPT_MS] = [2_000, 2 * 3_600_000];
/** Points of a line on the screen. */
export const DRAWN = 150;

export const LINES = ["sends", "deliveries", "requests", "connections", "ackTime", "fsyncTime"] as const;
export type LineName = (typeof LINES)[number];

/** Rates in a second, a count, and seconds; undefined: nothing of the kind happened. */
export interface Point {
  readonly timeMs: number;
  readonly values: Readonly<Record<LineName, number | undefined>>;
}

export function pointOf(before: Reading, now: Reading): Point {
  return {
    timeMs: now.timeMs,
    values: {
      sends: rate(before, now, "troupe_sends_total"),
      deliveries: rate(before, now, "troupe_deliveries_total"),
      requests: rate(before, now, "troupe_http_requests_total"),
      connections: now.values.get("troupe_connections") ?? 0,
      ackTime: quantile(before, now, "troupe_ack_seconds", 0.99),
      fsyncTime: quantile(before, now, "troupe_fsync_seconds", 0.99),
    },
  };
}

/** The values of a line since a time; where there are too many, the highest of each part stands for it. */
export function drawn(points: readonly Point[], line: LineName, sinceMs: number, most = DRAWN): (number | undefined)[] {
  const values = points.filter(({ timeMs }) => timeMs >= sinceMs).map((point) => point.values[line]);
  if (values.length <= most) return values;
  const size = values.length / most;
  return Array.from({ length: most }, (_, at) => {
    const part = values.slice(Math.floor(at * size), Math.floor((at + 1) * size)).filter((one) => one !== undefined);
    return part.length === 0 ? undefined : Math.max(...part);
  });
}

export class History {
  readonly points = new Value<readonly Point[]>([]);
  readonly last = new Value<Reading | undefined>(undefined);
  private isOver = false;

  /** Reads until `stop`. */
  start(): void {
    const again = async (): Promise<void> => {
      await this.read();
      if (!this.isOver) setTimeout(() => void again(), EVERY_MS);
    };
    void again();
  }

  stop(): void {
    this.isOver = true;
  }

  private async read(): Promise<void> {
    try {
      const answer = await fetch("/metrics", { cache: "no-store" });
      if (!answer.ok) return;
      const now = readingOf(await answer.text(), Date.now());
      const before = this.last.get();
      if (before !== undefined) this.points.set([...this.points.get(), pointOf(before, now)].filter(({ timeMs }) => timeMs > now.timeMs - KEPT_MS));
      this.last.set(now);
    } catch {
      // The cluster says that the node is silent.
    }
  }
}
