#!/usr/bin/env node
// Writes src/wire.ts from proto/proto/content.proto and client.proto.
//
// The protocol uses a small part of Protobuf, so this reads the files itself: no protoc and no
// runtime library. It refuses what it does not know. `--check` compares the file with the output
// and changes nothing.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const PROTO = join(HERE, "..", "..", "proto", "proto", "client.proto");
const CONTENT = join(HERE, "..", "..", "proto", "proto", "content.proto");
const TARGET = join(HERE, "src", "wire.ts");

// Written by hand in event.ts, because a generated type forgets kinds that it does not know.
const EXTERN = { Event: "WireEvent" };
// Numbers that may use all 64 bits. All others are ids, places, times and counts below 2^53.
const WIDE = new Set(["Welcome.node_id", "Welcome.history", "Ping.nonce", "Pong.nonce", "AuditPlace.number"]);
const SCALARS = { string: "string", bytes: "Uint8Array", bool: "boolean", uint32: "number", uint64: "number", int64: "number" };

const HEAD = `// Messages of proto/proto/content.proto and client.proto. Written by generate.mjs: do not edit.
//
// A oneof is the field that is set, with its value, or undefined.

import { message } from "./codec.js";
import { WireEvent } from "./event.js";
`;

function fail(text) {
  console.error(`${PROTO}: ${text}`);
  process.exit(1);
}

/** Messages and enums of the file, in its order. */
function parse(text) {
  const tokens = text.replace(/\/\/[^\n]*/g, "").match(/"[^"]*"|[A-Za-z_][A-Za-z0-9_.]*|\d+|[{}=;]/g);
  const messages = [];
  const enums = [];
  let at = 0;
  const take = (wanted) => {
    const token = tokens[at];
    if (token === undefined || (wanted !== undefined && token !== wanted)) {
      fail(`${wanted ?? "more"} is missing before ${tokens.slice(at, at + 5).join(" ")}`);
    }
    at += 1;
    return token;
  };
  const skip = () => {
    while (take() !== ";");
  };
  const enumeration = (outer) => {
    const found = { name: outer + take(), values: [] };
    take("{");
    while (tokens[at] !== "}") {
      const name = take();
      take("=");
      found.values.push([name, Number(take())]);
      take(";");
    }
    take("}");
    enums.push(found);
  };
  const definition = (outer) => {
    const found = { name: outer + take(), members: [] };
    take("{");
    members(found, "");
    messages.push(found);
  };
  const member = (found, type, label, oneof) => {
    const name = take();
    take("=");
    found.members.push({ number: Number(take()), name, type, label, oneof });
    take(";");
  };
  const members = (found, oneof) => {
    for (;;) {
      const token = take();
      if (token === "}") return;
      if (token === "enum") enumeration(found.name);
      else if (token === "message") definition(found.name);
      else if (token === "reserved") skip();
      else if (token === "oneof") {
        const name = take();
        take("{");
        members(found, name);
      } else if (token === "optional" || token === "repeated") member(found, take(), token, oneof);
      else member(found, token, "", oneof);
    }
  };
  while (at < tokens.length) {
    const token = take();
    if (token === "syntax" || token === "package" || token === "import") skip();
    else if (token === "message") definition("");
    else if (token === "enum") enumeration("");
    else fail(`generate.mjs does not know ${token}: teach it, or leave it out`);
  }
  return { messages, enums };
}

const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

function generated(text) {
  const { messages, enums } = parse(text);
  const known = new Set([...messages, ...enums].map((one) => one.name));
  const isEnum = new Set(enums.map((one) => one.name));
  const out = [HEAD];
  for (const { name, values } of enums) {
    const rows = values.map(([value, number]) => `  ${value}: ${number},\n`).join("");
    out.push(`\nexport const ${name} = {\n${rows}} as const;\n`);
    out.push(`/** A value of ${name}, or one of a later version. */\nexport type ${name} = number;\n`);
  }
  for (const found of messages) {
    if (found.name in EXTERN) continue;
    const fields = [];
    const rows = [];
    const oneofs = new Map();
    for (const member of found.members.sort((one, other) => one.number - other.number)) {
      const name = camel(member.name);
      const nested = [found.name + member.type, member.type].find((one) => known.has(one));
      let type;
      let kind;
      if (member.type in SCALARS) {
        const wide = WIDE.has(`${found.name}.${member.name}`);
        type = wide ? "bigint" : SCALARS[member.type];
        kind = `"${wide ? "wide64" : member.type}"`;
      } else if (nested === undefined) {
        fail(`generate.mjs does not know the type ${member.type} of ${found.name}`);
      } else if (isEnum.has(nested)) {
        [type, kind] = [nested, '"enum"'];
      } else {
        type = EXTERN[nested] ?? nested;
        kind = `() => ${type}`;
      }
      const isMessage = kind.startsWith("(");
      const row = [member.number, `"${name}"`, kind];
      if (member.label === "repeated") {
        row.push('"repeated"');
        fields.push(`  ${name}: ${type}[];\n`);
      } else if (member.oneof) {
        const oneof = camel(member.oneof);
        row.push('"oneof"', `"${oneof}"`);
        if (!oneofs.has(oneof)) {
          oneofs.set(oneof, []);
          fields.push(oneof);
        }
        oneofs.get(oneof).push(`    | { case: "${name}"; value: ${type} }\n`);
      } else if (member.label === "optional" || isMessage) {
        row.push('"optional"');
        fields.push(`  ${name}?: ${type} | undefined;\n`);
      } else {
        fields.push(`  ${name}: ${type};\n`);
      }
      rows.push(`  [${row.join(", ")}],\n`);
    }
    const shown = fields.map((one) => (oneofs.has(one) ? `  ${one}?:\n${oneofs.get(one).join("")}    | undefined;\n` : one));
    const body = shown.length === 0 ? "" : `\n${shown.join("")}`;
    const form = shown.length === 0 ? `export type ${found.name} = Record<never, never>;\n` : `export interface ${found.name} {${body}}\n`;
    const table = rows.length === 0 ? "[]" : `[\n${rows.join("")}]`;
    out.push(`\n${form}export const ${found.name} = /* @__PURE__ */ message<${found.name}>("${found.name}", ${table});\n`);
  }
  return out.join("");
}

const text = generated(readFileSync(CONTENT, "utf8") + readFileSync(PROTO, "utf8"));
if (process.argv[2] === "--check") {
  if (readFileSync(TARGET, "utf8") !== text) {
    console.error(`${TARGET} is not what ${PROTO} says: run node sdk/typescript/generate.mjs`);
    process.exit(1);
  }
} else {
  writeFileSync(TARGET, text);
}
