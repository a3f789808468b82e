/** The metrics of the node of this page, as rates and times over the last minutes. */

/** One reading of `/metrics`: sums by name, and buckets of histograms. */
export interface Reading {
  readonly timeMs: number;
  readonly values: ReadonlyMap<string, number>;
  readonly buckets: ReadonlyMap<string, readonly (readonly [number, number])[]>;
}

const LINE = /^([a-z_]+)(?:\{([^}]*)\})? ([-+.\deE]+|[+]Inf|NaN)$/;

export function readingOf(text: string, timeMs: number): Reading {
  const values = new Map<string, number>();
  const buckets = new Map<string, [number, number][]>();
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const number = Number(value);
    const [, bound] = /le="([^"]+)"/.exec(labels) ?? [];
    if (name.endsWith("_bucket") && bound !== undefined) {
      const of = name.slice(0, -"_bucket".length);
      const at = bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound);
      buckets.set(of, [...(buckets.get(of) ?? []), [at, number]]);
    } else values.set(name, (values.get(name) ?? 0) + number);
  }
  return { timeMs, values, buckets };
}

/** How often a counter grew in a second. */
export function rate(before: Reading, now: Reading, name: string): number {
  const [from, to] = [before.values.get(name) ?? 0, now.values.get(name) ?? 0];
  const seconds = (now.timeMs - before.timeMs) / 1_000;
  // A node that was started again counts from zero.
  return seconds <= 0 ? 0 : Math.max(to < from ? to : to - from, 0) / seconds;
}

/** The least bound below which a share of the values between two readings is. Undefined: there are none. */
export function quantile(before: Reading, now: Reading, name: string, share: number): number | undefined {
  const earlier = new Map(before.buckets.get(name));
  const counts = (now.buckets.get(name) ?? []).map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)] as const);
  const total = counts.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  return counts.find(([, count]) => count >= total * share)?.[0];
}
