/** Pictures of pages with at most 256 colours: a third of the bytes, and no tool beside Node. */

import { deflateSync, inflateSync } from "node:zlib";

const COLOURS = 256;
const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

/** A PNG as Chromium makes it, with a palette instead. */
export function packed(png) {
  const { width, height, pixels } = decoded(png);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const palette = paletteOf(counts);
  const places = new Map([...counts.keys()].map((pixel) => [pixel, nearest(palette, pixel)]));
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = places.get(pixels[y * width + x]);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  // Eight bits of a palette.
  head.set([8, 3], 8);
  const colours = Buffer.from(palette.flatMap(channels));
  return Buffer.concat([SIGNATURE, chunk("IHDR", head), chunk("PLTE", colours), chunk("IDAT", deflateSync(rows, { level: 9, memLevel: 9 })), chunk("IEND", Buffer.alloc(0))]);
}

const channels = (pixel) => [pixel >> 16, (pixel >> 8) & 255, pixel & 255];

function decoded(png) {
  let head;
  const parts = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const name = png.toString("latin1", at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (name === "IHDR") head = data;
    if (name === "IDAT") parts.push(data);
    at += 12 + length;
  }
  const [width, height, depth, kind] = [head.readUInt32BE(0), head.readUInt32BE(4), head[8], head[9]];
  const size = { 2: 3, 6: 4 }[kind];
  if (depth !== 8 || size === undefined || head[12] !== 0) throw new Error(`a PNG of the kind ${kind} with ${depth} bits`);
  const raw = inflateSync(Buffer.concat(parts));
  const line = width * size;
  let above = Buffer.alloc(line);
  const pixels = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = y * (line + 1);
    const filter = raw[from];
    const row = raw.subarray(from + 1, from + 1 + line);
    for (let x = 0; x < line; x++) {
      const left = x < size ? 0 : row[x - size];
      row[x] += guess(filter, left, above[x], x < size ? 0 : above[x - size]);
    }
    for (let x = 0; x < width; x++) pixels[y * width + x] = (row[x * size] << 16) | (row[x * size + 1] << 8) | row[x * size + 2];
    above = row;
  }
  return { width, height, pixels };
}

function guess(filter, left, up, corner) {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const [toLeft, toUp, toCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
}

/** Median cut; the most frequent colour of a box stands for it, so grounds stay as they are. */
function paletteOf(counts) {
  const all = [...counts].map(([pixel, count]) => ({ pixel, count, parts: channels(pixel) }));
  if (all.length <= COLOURS) return all.map(({ pixel }) => pixel);
  const boxes = [boxOf(all)];
  while (boxes.length < COLOURS) {
    // The box with the widest spread of the most pixels is cut.
    const box = boxes.reduce((best, one) => (one.weight > best.weight ? one : best));
    if (box.colours.length < 2) break;
    const sorted = box.colours.sort((one, other) => one.parts[box.axis] - other.parts[box.axis]);
    const middle = (sorted[0].parts[box.axis] + sorted.at(-1).parts[box.axis]) / 2;
    const cut = Math.max(1, sorted.findIndex(({ parts }) => parts[box.axis] > middle));
    boxes.splice(boxes.indexOf(box), 1, boxOf(sorted.slice(0, cut)), boxOf(sorted.slice(cut)));
  }
  return boxes.map(({ colours }) => colours.reduce((best, one) => (one.count > best.count ? one : best)).pixel);
}

function boxOf(colours) {
  const spreads = [0, 1, 2].map((axis) => {
    const values = colours.map(({ parts }) => parts[axis]);
    return values.reduce((most, value) => Math.max(most, value), 0) - values.reduce((least, value) => Math.min(least, value), 255);
  });
  const axis = spreads.indexOf(Math.max(...spreads));
  const many = colours.reduce((sum, { count }) => sum + count, 0);
  return { colours, axis, weight: colours.length < 2 ? 0 : spreads[axis] ** 2 * Math.sqrt(many) };
}

function nearest(palette, pixel) {
  const [red, green, blue] = channels(pixel);
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [at, other] of palette.entries()) {
    const [r, g, b] = channels(other);
    const distance = 2 * (red - r) ** 2 + 4 * (green - g) ** 2 + 3 * (blue - b) ** 2;
    if (distance < least) [best, least] = [at, distance];
    if (distance === 0) break;
  }
  return best;
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name), data]);
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc(body), 8 + data.length);
  return out;
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}
