/**
 * The arithmetic of a list that renders only what is seen. Lines have keys and heights; a height is
 * guessed until the line is on the screen. The line at the top of the view is the anchor: it
 * stays where it is, whatever is added, removed or measured around it.
 */

export interface Anchor {
  readonly key: string;
  /** Pixels from the top of the view to the top of the line; negative above it. */
  readonly offset: number;
}

export interface Range {
  readonly from: number;
  /** Behind the last line. */
  readonly to: number;
  /** Pixels of the lines before and behind the range. */
  readonly before: number;
  readonly behind: number;
}

/** Heights that are kept beyond twice those of the lines. */
const SPARE = 1_000;

export class Lines {
  private keys: readonly string[] = [];
  private readonly heights = new Map<string, number>();
  /** Tops of all lines, and the end. */
  private tops = new Float64Array(1);
  /** Made when a key is looked for: at the end of a list none is. */
  private places: Map<string, number> | undefined;

  /** `guess`: the height of a line that was not measured yet. */
  constructor(private readonly guess: (at: number) => number) {}

  get total(): number {
    return this.tops[this.keys.length] ?? 0;
  }

  get length(): number {
    return this.keys.length;
  }

  set(keys: readonly string[]): void {
    this.keys = keys;
    this.places = undefined;
    // Of lines that are gone for long, no height is kept.
    if (this.heights.size > keys.length * 2 + SPARE) {
      const kept = keys.map((key) => [key, this.heights.get(key)] as const);
      this.heights.clear();
      for (const [key, height] of kept) if (height !== undefined) this.heights.set(key, height);
    }
    this.sum();
  }

  /** Measured heights. Returns whether one of them was another one before. */
  measured(heights: Iterable<readonly [string, number]>): boolean {
    let isChanged = false;
    for (const [key, height] of heights) {
      if (this.heights.get(key) === height) continue;
      this.heights.set(key, height);
      isChanged = true;
    }
    if (isChanged) this.sum();
    return isChanged;
  }

  /** The width of the view has changed, and with it all heights that are not on the screen. */
  widthChanged(): void {
    this.heights.clear();
    this.sum();
  }

  top(key: string): number | undefined {
    this.places ??= new Map(this.keys.map((one, at) => [one, at]));
    const at = this.places.get(key);
    return at === undefined ? undefined : this.tops[at];
  }

  /** The lines between two pixels. */
  range(top: number, bottom: number): Range {
    const from = this.at(top);
    const to = Math.min(this.at(bottom) + 1, this.keys.length);
    return { from, to, before: this.tops[from] ?? 0, behind: this.total - (this.tops[to] ?? 0) };
  }

  /** The line at the top of a view that begins at this pixel. */
  anchor(top: number): Anchor | undefined {
    const at = this.at(top);
    const key = this.keys[at];
    return key === undefined ? undefined : { key, offset: (this.tops[at] ?? 0) - top };
  }

  /** Where the view has to begin so that the anchor is where it was. */
  topFor(anchor: Anchor): number | undefined {
    const top = this.top(anchor.key);
    return top === undefined ? undefined : top - anchor.offset;
  }

  private at(pixel: number): number {
    let [low, high] = [0, Math.max(this.keys.length - 1, 0)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.tops[middle] ?? 0) <= pixel) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private sum(): void {
    const tops = new Float64Array(this.keys.length + 1);
    let top = 0;
    this.keys.forEach((key, at) => {
      let height = this.heights.get(key);
      // A line keeps its first guess, so that a later and better one moves nothing.
      if (height === undefined) this.heights.set(key, (height = this.guess(at)));
      tops[at + 1] = top += height;
    });
    this.tops = tops;
  }
}
