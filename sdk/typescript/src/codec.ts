/**
 * The wire form of messages: the part of Protobuf that client.proto uses.
 *
 * The decoder copies only bytes that were received, so its memory is bounded by the frame. Fields
 * and variants of later versions are skipped. Messages are plain objects, which structured clone
 * carries to IndexedDB and to other tabs.
 */

import { ProtocolError } from "./errors.js";

/** A type of messages. */
export interface Type<T> {
  readonly name: string;
  encode(value: Init<T>): Uint8Array<ArrayBuffer>;
  /** Throws ProtocolError if `data` is not such a message. */
  decode(data: Uint8Array): T;
}

/** A value to encode: fields with their defaults may be left out. */
export type Init<T> = T extends Uint8Array | string | number | bigint | boolean | undefined
  ? T
  : T extends readonly (infer E)[]
    ? readonly Init<E>[]
    : T extends { case: infer C; value: infer V }
      ? { readonly case: C; readonly value: Init<V> }
      : { readonly [K in keyof T]?: Init<T[K]> };

type Scalar = "string" | "bytes" | "bool" | "uint32" | "uint64" | "int64" | "wide64" | "enum";
// A table of types refers to types of every kind.
type AnyType = Type<any>;
/** Number, name, kind, label, and the name of the oneof. */
export type Row = readonly [number, string, Scalar | (() => AnyType), ("repeated" | "optional" | "oneof")?, string?];

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const TWO_32 = 2 ** 32;
const toUtf8 = new TextEncoder();
const ofUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Writer {
  private bytes = new Uint8Array(128);
  private length = 0;

  number(number: number, value: number | bigint): void {
    this.key(number, VARINT);
    this.varint(value);
  }

  block(number: number, value: Uint8Array): void {
    this.key(number, BYTES);
    this.varint(value.length);
    this.room(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }

  varint(value: number | bigint): void {
    this.room(10);
    if (typeof value === "bigint") {
      let rest = BigInt.asUintN(64, value);
      for (; rest > 0x7fn; rest >>= 7n) this.bytes[this.length++] = Number(rest & 0x7fn) | 0x80;
      this.bytes[this.length++] = Number(rest);
      return;
    }
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no number of the protocol`);
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.bytes[this.length++] = (rest % 128) | 0x80;
    this.bytes[this.length++] = rest;
  }

  private key(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + more));
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

/** Reads the fields of a message, one after the other. */
export class Reader {
  /** The field that `next` has read. */
  number = 0;
  wireType = 0;
  /** Its bytes, if it has the wire type of bytes. */
  block = new Uint8Array(0);
  private low = 0;
  private high = 0;
  private at = 0;

  constructor(private readonly data: Uint8Array) {}

  /** Reads a field. False: the message is at its end. */
  next(): boolean {
    if (this.at >= this.data.length) return false;
    this.varint();
    this.number = Math.floor((this.high * TWO_32 + this.low) / 8);
    this.wireType = this.low & 7;
    if (this.number === 0 || this.number > 0x1fff_ffff) throw new ProtocolError("a field has no valid number");
    if (this.wireType === VARINT) {
      this.varint();
    } else if (this.wireType === BYTES) {
      this.varint();
      this.block = this.bytes(this.value());
    } else if (this.wireType === FIXED64 || this.wireType === FIXED32) {
      // No field of the protocol has this type.
      this.bytes(this.wireType === FIXED64 ? 8 : 4);
    } else {
      throw new ProtocolError(`field ${this.number} has the unknown wire type ${this.wireType}`);
    }
    return true;
  }

  /** The number of the field. */
  value(): number {
    const value = this.high * TWO_32 + this.low;
    if (value > Number.MAX_SAFE_INTEGER) throw new ProtocolError("a number is above 2^53 - 1");
    return value;
  }

  wide(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** The lower 32 bits. */
  bits(): number {
    return this.low;
  }

  /** Reads the next of packed numbers. */
  packed(): boolean {
    if (this.at >= this.data.length) return false;
    this.varint();
    return true;
  }

  private bytes(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.data.length - this.at) throw new ProtocolError(`field ${this.number} ends behind its message`);
    this.at += length;
    return new Uint8Array(this.data.subarray(this.at - length, this.at));
  }

  private varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.data[this.at++];
      if (byte === undefined) throw new ProtocolError("a number ends behind its message");
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) [low, high] = [low | (bits << 28), bits >> 4];
      else high |= bits << (shift - 32);
      if (byte < 0x80) {
        [this.low, this.high] = [low >>> 0, high >>> 0];
        return;
      }
    }
    throw new ProtocolError("a number is longer than 64 bits");
  }
}

/** A type of messages by the table of its fields. */
export function message<T extends object>(name: string, rows: readonly Row[]): Type<T> {
  return new Table(name, rows) as unknown as Type<T>;
}

type Values = Record<string, unknown>;
interface Chosen {
  readonly case: string;
  readonly value: unknown;
}

class Table implements Type<Values> {
  private readonly byNumber: ReadonlyMap<number, Row>;

  constructor(
    readonly name: string,
    private readonly rows: readonly Row[],
  ) {
    this.byNumber = new Map(rows.map((row) => [row[0], row]));
  }

  encode(value: Values): Uint8Array<ArrayBuffer> {
    const out = new Writer();
    for (const row of this.rows) {
      const [number, name, kind, label, oneof] = row;
      if (oneof !== undefined) {
        const chosen = value[oneof] as Chosen | undefined;
        if (chosen?.case === name) put(out, number, kind, chosen.value);
      } else if (label === "repeated") {
        putList(out, number, kind, (value[name] as readonly unknown[] | undefined) ?? []);
      } else if (value[name] !== undefined && (label === "optional" || !isDefault(value[name]))) {
        put(out, number, kind, value[name]);
      }
    }
    return out.finish();
  }

  decode(data: Uint8Array): Values {
    const value = this.empty();
    const reader = new Reader(data);
    while (reader.next()) {
      const row = this.byNumber.get(reader.number);
      if (row === undefined) continue;
      const [, name, kind, label, oneof] = row;
      const expected = typeof kind === "function" || kind === "string" || kind === "bytes" ? BYTES : VARINT;
      if (label === "repeated" && expected === VARINT && reader.wireType === BYTES) {
        const packed = new Reader(reader.block);
        while (packed.packed()) (value[name] as unknown[]).push(get(packed, kind));
        continue;
      }
      if (reader.wireType !== expected) throw new ProtocolError(`field ${name} has the wrong wire type`);
      if (oneof !== undefined) value[oneof] = { case: name, value: get(reader, kind) };
      else if (label === "repeated") (value[name] as unknown[]).push(get(reader, kind));
      else value[name] = get(reader, kind);
    }
    return value;
  }

  private empty(): Values {
    const value: Values = {};
    for (const [, name, kind, label] of this.rows) {
      if (label === "repeated") value[name] = [];
      else if (label === undefined) value[name] = defaultOf(kind);
    }
    return value;
  }
}

function isDefault(value: unknown): boolean {
  return value === 0 || value === "" || value === false || value === 0n || (value instanceof Uint8Array && value.length === 0);
}

function defaultOf(kind: Row[2]): unknown {
  switch (kind) {
    case "string":
      return "";
    case "bytes":
      return new Uint8Array(0);
    case "bool":
      return false;
    case "wide64":
      return 0n;
    default:
      return 0;
  }
}

function put(out: Writer, number: number, kind: Row[2], value: unknown): void {
  if (typeof kind === "function") out.block(number, kind().encode(value));
  else if (kind === "string") out.block(number, toUtf8.encode(value as string));
  else if (kind === "bytes") out.block(number, value as Uint8Array);
  else if (kind === "int64") out.number(number, BigInt(value as number));
  else out.number(number, kind === "bool" ? Number(value) : (value as number | bigint));
}

function putList(out: Writer, number: number, kind: Row[2], values: readonly unknown[]): void {
  if (typeof kind === "function" || kind === "string" || kind === "bytes") {
    for (const value of values) put(out, number, kind, value);
  } else if (values.length > 0) {
    const packed = new Writer();
    for (const value of values) packed.varint(kind === "bool" ? Number(value) : (value as number | bigint));
    out.block(number, packed.finish());
  }
}

function get(reader: Reader, kind: Row[2]): unknown {
  if (typeof kind === "function") return kind().decode(reader.block);
  switch (kind) {
    case "string":
      return text(reader.block);
    case "bytes":
      return reader.block;
    case "bool":
      return reader.bits() !== 0 || reader.wide() !== 0n;
    case "wide64":
      return reader.wide();
    case "uint64":
      return reader.value();
    case "int64":
      return signed(reader.wide());
    case "uint32":
      return reader.bits();
    case "enum":
      return reader.bits() | 0;
  }
}

function signed(bits: bigint): number {
  const value = Number(BigInt.asIntN(64, bits));
  if (!Number.isSafeInteger(value)) throw new ProtocolError("a number is beyond 2^53");
  return value;
}

function text(bytes: Uint8Array): string {
  try {
    return ofUtf8.decode(bytes);
  } catch {
    throw new ProtocolError("a text is not UTF-8");
  }
}
