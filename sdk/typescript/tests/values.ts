/**
 * Messages from the JSON of a story: names of client.proto, and bytes as `hex:`, `text:` or
 * `$name`.
 */

import assert from "node:assert/strict";
import type { Row, Type } from "../src/codec.js";
import { WireEvent } from "../src/event.js";
import { ofHex, sameBytes } from "../src/ids.js";
import * as wire from "../src/wire.js";

export type Json = Record<string, unknown>;
type Bytes = (text: string) => Uint8Array;

const utf8 = new TextEncoder();

export function bytesOf(text: string, named: Map<string, string>): Uint8Array {
  if (text.startsWith("$")) return ofHex(named.get(text.slice(1)) as string);
  const [form, ...rest] = text.split(":");
  assert.ok(form === "hex" || form === "text", text);
  return form === "hex" ? ofHex(rest.join(":")) : utf8.encode(rest.join(":"));
}

export const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** The rows of a type, for tests only. */
function rowsOf(type: Type<unknown>): readonly Row[] {
  return (type as unknown as { rows: readonly Row[] }).rows;
}

export function make(type: Type<unknown>, value: Json, bytes: Bytes): Json {
  if (type === WireEvent) return eventOf(value, bytes);
  const made = type.decode(new Uint8Array(0)) as Json;
  for (const [name, part] of Object.entries(value)) made[camel(name)] = fieldOf(type, name, part, bytes);
  return made;
}

export function fieldOf(type: Type<unknown>, name: string, value: unknown, bytes: Bytes): unknown {
  const row = rowsOf(type).find(([, own]) => own === camel(name));
  assert.ok(row, `${type.name} has no field ${name}`);
  const [, , kind, label] = row;
  const one = (part: unknown): unknown => {
    if (typeof kind === "function") return make(kind(), part as Json, bytes);
    if (kind === "bytes") return bytes(part as string);
    if (kind === "wide64") return BigInt(part as number);
    if (kind === "enum") return (type === wire.Failure ? wire.FailureKind : wire.Role)[part as never];
    return part;
  };
  return label === "repeated" ? (value as unknown[]).map(one) : one(value);
}

function eventOf(value: Json, bytes: Bytes): Json {
  const event: Json = WireEvent.decode(new Uint8Array(0)) as unknown as Json;
  event["timeMs"] = 1;
  for (const [name, part] of Object.entries(value)) {
    if (name.startsWith("#")) [event["kind"], event["content"]] = [Number(name.slice(1)), bytes(part as string)];
    else if (name === "message") {
      [event["kind"], event["content"]] = [5, wire.Body.encode(make(wire.Body, part as Json, bytes) as never)];
    } else event[camel(name)] = typeof part === "string" ? bytes(part) : part;
  }
  return event;
}

/** The arms of a oneof, with their kinds. */
export function armsOf(type: Type<unknown>, oneof: string): [string, unknown][] {
  return rowsOf(type).filter((row) => row[4] === oneof).map(([, name, kind]) => [name, kind]);
}

/** The type of one arm of the messages of a server. */
export function armOf(frame: Type<unknown>, name: string): Type<unknown> {
  const row = rowsOf(frame).find(([, own]) => own === camel(name));
  const kind = row?.[2];
  assert.ok(typeof kind === "function", `there is no message ${name}`);
  return kind();
}

export function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return sameBytes(one, other);
  if (typeof one === "object" && one !== null && typeof other === "object" && other !== null) {
    const [left, right] = [Object.entries(one), Object.entries(other)];
    return left.length === right.length && left.every(([name, value]) => isSame(value, (other as Json)[name]));
  }
  return one === other;
}
