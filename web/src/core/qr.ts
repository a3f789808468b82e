/**
 * QR codes (ISO/IEC 18004) of texts up to 213 bytes: versions 1 to 10, level M, which survives
 * damage to 15 % of the code.
 */

/** By version, from 1: bytes of correction in each block, and blocks. */
const CORRECTION = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26];
const BLOCKS = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5];
/** Format bits of the level M. */
const LEVEL = 0;

/** Rows of dark modules. Undefined: the text is too long. */
export function qrOf(text: string): boolean[][] | undefined {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version < BLOCKS.length; version++) {
    const capacity = modulesOf(version) / 8 - (CORRECTION[version] ?? 0) * (BLOCKS[version] ?? 0);
    const head = version < 10 ? 12 : 20;
    if (Math.ceil((head + 8 * bytes.length) / 8) <= Math.floor(capacity)) return new Code(version, bytes, Math.floor(capacity)).best();
  }
  return undefined;
}

/** Modules for data and correction, in whole bytes. */
function modulesOf(version: number): number {
  let many = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const marks = Math.floor(version / 7) + 2;
    many -= (25 * marks - 10) * marks - 55;
    if (version >= 7) many -= 36;
  }
  return many - (many % 8);
}

class Code {
  private readonly size: number;
  private readonly dark: boolean[][];
  /** Modules that are no data, which no mask changes. */
  private readonly fixed: boolean[][];

  constructor(
    private readonly version: number,
    bytes: Uint8Array,
    capacity: number,
  ) {
    this.size = 17 + 4 * version;
    const rows = (): boolean[][] => Array.from({ length: this.size }, () => new Array<boolean>(this.size).fill(false));
    [this.dark, this.fixed] = [rows(), rows()];
    this.frame();
    this.fill(this.corrected(dataOf(version, bytes, capacity)));
  }

  /** The mask with the fewest patterns that readers mistake. */
  best(): boolean[][] {
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    for (let mask = 0; mask < 8; mask++) {
      this.mask(mask);
      this.format(mask);
      const faults = this.faults();
      if (faults < least) [best, least] = [mask, faults];
      this.mask(mask);
    }
    this.mask(best);
    this.format(best);
    return this.dark;
  }

  private set(x: number, y: number, isDark: boolean): void {
    const [row, fixed] = [this.dark[y], this.fixed[y]];
    if (row === undefined || fixed === undefined || x < 0 || x >= this.size) return;
    [row[x], fixed[x]] = [isDark, true];
  }

  private frame(): void {
    const { size, version } = this;
    for (let at = 0; at < size; at++) {
      this.set(6, at, at % 2 === 0);
      this.set(at, 6, at % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
      for (let down = -4; down <= 4; down++) {
        for (let right = -4; right <= 4; right++) {
          const ring = Math.max(Math.abs(right), Math.abs(down));
          if (y + down >= 0 && y + down < size) this.set(x + right, y + down, ring !== 2 && ring !== 4);
        }
      }
    }
    const places = this.places();
    for (const [row, y] of places.entries()) {
      for (const [column, x] of places.entries()) {
        const last = places.length - 1;
        const isFinder = (row === 0 && column === 0) || (row === 0 && column === last) || (row === last && column === 0);
        if (isFinder) continue;
        for (let down = -2; down <= 2; down++) for (let right = -2; right <= 2; right++) this.set(x + right, y + down, Math.max(Math.abs(right), Math.abs(down)) !== 1);
      }
    }
    this.format(0);
    if (version < 7) return;
    const bits = (version << 12) | remainder(version, 12, 0x1f25);
    for (let at = 0; at < 18; at++) {
      const isDark = ((bits >>> at) & 1) !== 0;
      const [far, near] = [size - 11 + (at % 3), Math.floor(at / 3)];
      this.set(far, near, isDark);
      this.set(near, far, isDark);
    }
  }

  /** Of the alignment marks. */
  private places(): number[] {
    if (this.version === 1) return [];
    const many = Math.floor(this.version / 7) + 2;
    const step = 2 * Math.ceil((this.size - 13) / (2 * many - 2));
    const places = [6];
    for (let at = this.size - 7; places.length < many; at -= step) places.splice(1, 0, at);
    return places;
  }

  private format(mask: number): void {
    const { size } = this;
    const data = (LEVEL << 3) | mask;
    const bits = ((data << 10) | remainder(data, 10, 0x537)) ^ 0x5412;
    const bit = (at: number): boolean => ((bits >>> at) & 1) !== 0;
    for (let at = 0; at <= 5; at++) this.set(8, at, bit(at));
    this.set(8, 7, bit(6));
    this.set(8, 8, bit(7));
    this.set(7, 8, bit(8));
    for (let at = 9; at < 15; at++) this.set(14 - at, 8, bit(at));
    for (let at = 0; at < 8; at++) this.set(size - 1 - at, 8, bit(at));
    for (let at = 8; at < 15; at++) this.set(8, size - 15 + at, bit(at));
    this.set(8, size - 8, true);
  }

  /** Blocks with their correction, byte by byte in turn. */
  private corrected(data: Uint8Array): number[] {
    const many = BLOCKS[this.version] ?? 1;
    const extra = CORRECTION[this.version] ?? 0;
    const all = modulesOf(this.version) / 8;
    const short = many - (all % many);
    const length = Math.floor(all / many) - extra;
    const divisor = divisorOf(extra);
    const blocks: { readonly data: Uint8Array; readonly extra: Uint8Array }[] = [];
    for (let at = 0, from = 0; at < many; at++) {
      const part = data.subarray(from, (from += length + (at < short ? 0 : 1)));
      blocks.push({ data: part, extra: remainderOf(part, divisor) });
    }
    const out: number[] = [];
    for (let at = 0; at <= length; at++) for (const block of blocks) if (at < block.data.length) out.push(block.data[at] ?? 0);
    for (let at = 0; at < extra; at++) for (const block of blocks) out.push(block.extra[at] ?? 0);
    return out;
  }

  /** In columns of two, from the right, up and down in turn. */
  private fill(bytes: readonly number[]): void {
    let at = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < this.size; step++) {
        for (const x of [right, right - 1]) {
          const isUp = ((right + 1) & 2) === 0;
          const y = isUp ? this.size - 1 - step : step;
          const row = this.dark[y];
          if (row === undefined || this.fixed[y]?.[x] || at >= bytes.length * 8) continue;
          row[x] = (((bytes[at >>> 3] ?? 0) >>> (7 - (at & 7))) & 1) !== 0;
          at += 1;
        }
      }
    }
  }

  private mask(mask: number): void {
    this.dark.forEach((row, y) => {
      row.forEach((isDark, x) => {
        if (!this.fixed[y]?.[x] && MASKS[mask]?.(x, y)) row[x] = !isDark;
      });
    });
  }

  private faults(): number {
    const { dark, size } = this;
    const columns = dark.map((_, x) => dark.map((row) => row[x] ?? false));
    let faults = 0;
    for (const line of [...dark, ...columns]) {
      for (const run of line.map(Number).join("").match(/0{5,}|1{5,}/g) ?? []) faults += run.length - 2;
      faults += 40 * (line.map(Number).join("").match(/(?=10111010000|00001011101)/g) ?? []).length;
    }
    let many = 0;
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const one = dark[y]?.[x];
        if (one) many += 1;
        if (x > 0 && y > 0 && one === dark[y]?.[x - 1] && one === dark[y - 1]?.[x] && one === dark[y - 1]?.[x - 1]) faults += 3;
      }
    }
    return faults + 10 * Math.floor(Math.abs((20 * many) / (size * size) - 10));
  }
}

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Mode, length, bytes, and what fills the rest. */
function dataOf(version: number, bytes: Uint8Array, capacity: number): Uint8Array {
  const bits: number[] = [];
  const put = (value: number, length: number): void => {
    for (let at = length - 1; at >= 0; at--) bits.push((value >>> at) & 1);
  };
  put(4, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, capacity * 8 - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  const data = new Uint8Array(capacity);
  bits.forEach((bit, at) => (data[at >>> 3] = (data[at >>> 3] ?? 0) | (bit << (7 - (at & 7)))));
  for (let at = bits.length / 8, pad = 0xec; at < capacity; at++, pad ^= 0xfd) data[at] = pad;
  return data;
}

/** The remainder of a code of BCH. */
function remainder(value: number, length: number, generator: number): number {
  let rest = value;
  for (let at = 0; at < length; at++) rest = (rest << 1) ^ ((rest >>> (length - 1)) * generator);
  return rest & ((1 << length) - 1);
}

/** A product in the field of 256 elements. */
function product(one: number, other: number): number {
  let result = 0;
  for (let at = 7; at >= 0; at--) {
    result = (result << 1) ^ ((result >>> 7) * 0x11d);
    result ^= ((other >>> at) & 1) * one;
  }
  return result;
}

function divisorOf(degree: number): Uint8Array {
  const divisor = new Uint8Array(degree);
  divisor[degree - 1] = 1;
  let root = 1;
  for (let round = 0; round < degree; round++) {
    for (let at = 0; at < degree; at++) divisor[at] = product(divisor[at] ?? 0, root) ^ (divisor[at + 1] ?? 0);
    root = product(root, 2);
  }
  return divisor;
}

function remainderOf(data: Uint8Array, divisor: Uint8Array): Uint8Array {
  const rest = new Uint8Array(divisor.length);
  for (const byte of data) {
    const factor = byte ^ (rest[0] ?? 0);
    rest.copyWithin(0, 1);
    rest[rest.length - 1] = 0;
    divisor.forEach((one, at) => (rest[at] = (rest[at] ?? 0) ^ product(one, factor)));
  }
  return rest;
}
