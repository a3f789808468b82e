#!/usr/bin/env python3
"""Writes src/troupe/wire.py from proto/proto/content.proto and client.proto.

The protocol uses a small part of Protobuf, so this reads the files itself: no protoc and no runtime
library. It refuses what it does not know. `--check` compares the file with the output and changes
nothing.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTO = HERE.parents[1] / "proto" / "proto" / "client.proto"
CONTENT = PROTO.with_name("content.proto")
TARGET = HERE / "src" / "troupe" / "wire.py"

# Written by hand in event.py, because a generated type forgets kinds that it does not know.
EXTERN = {"Event": "WireEvent"}
SCALARS = {
    "string": ("str", '""'),
    "bytes": ("bytes", 'b""'),
    "bool": ("bool", "False"),
    "uint32": ("int", "0"),
    "uint64": ("int", "0"),
    "int32": ("int", "0"),
    "int64": ("int", "0"),
    "fixed64": ("int", "0"),
    "fixed32": ("int", "0"),
}
TOKEN = re.compile(r'"[^"]*"|[A-Za-z_][A-Za-z0-9_.]*|\d+|[{}=;]')

HEAD = '''"""Messages of proto/proto/content.proto and client.proto. Written by generate.py: do not edit.

A field of a oneof is None unless it is set. `arm` in codec.py names the field that is set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

from .codec import Field, Message
from .event import WireEvent
'''


@dataclass
class Member:
    number: int
    name: str
    type: str
    label: str = ""
    oneof: str = ""


@dataclass
class Definition:
    name: str
    members: list[Member] = field(default_factory=list)


@dataclass
class Enumeration:
    name: str
    values: list[tuple[str, int]] = field(default_factory=list)


class Parser:
    def __init__(self, text: str) -> None:
        self.tokens = TOKEN.findall(re.sub(r"//[^\n]*", "", text))
        self.at = 0
        self.messages: list[Definition] = []
        self.enums: list[Enumeration] = []

    def take(self, wanted: str = "") -> str:
        token: str = self.tokens[self.at]
        if wanted and token != wanted:
            raise SystemExit(f"{PROTO}: {wanted!r} is missing before {' '.join(self.tokens[self.at : self.at + 5])}")
        self.at += 1
        return token

    def file(self) -> None:
        while self.at < len(self.tokens):
            match self.take():
                case "syntax" | "package" | "import":
                    while self.take() != ";":
                        pass
                case "message":
                    self.message("")
                case "enum":
                    self.enum("")
                case other:
                    raise SystemExit(f"{PROTO}: generate.py does not know {other!r}: teach it, or leave it out")

    def enum(self, outer: str) -> None:
        enum = Enumeration(outer + self.take())
        self.take("{")
        while self.tokens[self.at] != "}":
            name = self.take()
            self.take("=")
            enum.values.append((name, int(self.take())))
            self.take(";")
        self.take("}")
        self.enums.append(enum)

    def message(self, outer: str) -> None:
        definition = Definition(outer + self.take())
        self.take("{")
        self.members(definition, "")
        self.messages.append(definition)

    def members(self, definition: Definition, oneof: str) -> None:
        while True:
            match self.take():
                case "}":
                    return
                case "enum":
                    self.enum(definition.name)
                case "message":
                    self.message(definition.name)
                case "oneof":
                    name = self.take()
                    self.take("{")
                    self.members(definition, name)
                case "reserved":
                    while self.take() != ";":
                        pass
                case ("optional" | "repeated") as label:
                    self.member(definition, self.take(), label, oneof)
                case kind:
                    self.member(definition, kind, "", oneof)

    def member(self, definition: Definition, kind: str, label: str, oneof: str) -> None:
        name = self.take()
        if iskeyword(name):
            name += "_"
        self.take("=")
        number = int(self.take())
        self.take(";")
        definition.members.append(Member(number, name, kind, label, oneof))


def generated(text: str) -> str:
    parser = Parser(text)
    parser.file()
    enums = {enum.name for enum in parser.enums}
    messages = {message.name for message in parser.messages}

    def resolve(definition: Definition, name: str) -> str:
        for candidate in (definition.name + name, name):
            if candidate in messages or candidate in enums or candidate in SCALARS:
                return candidate
        raise SystemExit(f"{PROTO}: generate.py does not know the type {name} of {definition.name}")

    out = [HEAD]
    for enum in parser.enums:
        out.append(f"\n\nclass {enum.name}(IntEnum):\n")
        out.extend(f"    {name} = {number}\n" for name, number in enum.values)
    tables: list[str] = []
    for definition in parser.messages:
        if definition.name in EXTERN:
            continue
        out.append(f"\n\n@dataclass(slots=True)\nclass {definition.name}(Message):\n")
        rows: list[str] = []
        for member in sorted(definition.members, key=lambda member: member.number):
            kind = resolve(definition, member.type)
            reference = ""
            if kind in SCALARS:
                hint, default, wire = *SCALARS[kind], kind
            elif kind in enums:
                hint, default, wire = "int", "0", "enum"
            else:
                hint = EXTERN.get(kind, kind)
                default, wire, reference = "None", "message", hint
            if member.label == "repeated":
                hint, default = f"list[{hint}]", "field(default_factory=list)"
            elif member.label == "optional" or member.oneof or wire == "message":
                hint, default = f"{hint} | None", "None"
            out.append(f"    {member.name}: {hint} = {default}\n")
            row = [str(member.number), f'"{member.name}"', f'"{wire}"']
            if reference:
                row.append(f"message={reference}")
            if member.label == "repeated":
                row.append("repeated=True")
            elif member.label == "optional" or member.oneof:
                row.append("explicit=True")
            if member.oneof:
                row.append(f'oneof="{member.oneof}"')
            rows.append(f"    Field({', '.join(row)}),\n")
        out.append("    FIELDS: ClassVar[tuple[Field, ...]] = ()\n")
        if rows:
            tables.append(f"{definition.name}.FIELDS = (\n{''.join(rows)})\n")
    return "".join(out) + "\n\n" + "".join(tables)


def main() -> int:
    text = generated(CONTENT.read_text(encoding="utf-8") + PROTO.read_text(encoding="utf-8"))
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") != text:
            print(f"{TARGET} is not what {PROTO} says: run sdk/python/generate.py", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
