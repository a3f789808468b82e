"""The wire form of messages: the part of Protobuf that client.proto uses.

The decoder copies only bytes that were received, so its memory is bounded by the frame. Fields and
variants of later versions are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from .errors import ProtocolError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {"string": BYTES, "bytes": BYTES, "message": BYTES, "fixed64": FIXED64, "fixed32": FIXED32}
_MASK64 = (1 << 64) - 1
_MASK32 = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Field:
    number: int
    name: str
    kind: str
    message: type[Message] | None = None
    repeated: bool = False
    # Absent is None, and a zero is written.
    explicit: bool = False
    oneof: str = ""


class Message:
    """Base of all messages."""

    __slots__ = ()
    FIELDS: ClassVar[tuple[Field, ...]] = ()

    def encode(self) -> bytes:
        out = bytearray()
        for field in self.FIELDS:
            value = getattr(self, field.name)
            if field.repeated:
                _put_list(out, field, value)
            elif value is not None and (field.explicit or field.message is not None or value):
                _put(out, field, value)
        return bytes(out)

    @classmethod
    def decode(cls: type[M], data: bytes) -> M:
        """Raises ProtocolError if `data` is not such a message."""
        message = cls()
        table = _table(cls)
        for number, wire_type, value in fields(data):
            field = table.get(number)
            if field is not None:
                _set(message, field, wire_type, value, table)
        return message


M = TypeVar("M", bound=Message)


def arm(message: Message, oneof: str) -> tuple[str, object] | None:
    """The field of a oneof that is set, and its value. None: no field, or one of a later version."""
    for field in message.FIELDS:
        if field.oneof == oneof:
            value = getattr(message, field.name)
            if value is not None:
                return field.name, value
    return None


# One entry per message of client.proto.
_tables: dict[type[Message], dict[int, Field]] = {}


def _table(cls: type[Message]) -> dict[int, Field]:
    table = _tables.get(cls)
    if table is None:
        table = _tables[cls] = {field.number: field for field in cls.FIELDS}
    return table


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """The fields of a message: number, wire type, and value."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if number == 0 or number > 0x1FFF_FFFF:
            raise ProtocolError("a field has no valid number")
        if wire_type == VARINT:
            value, at = _varint(data, at)
            yield number, wire_type, value
            continue
        if wire_type == BYTES:
            length, at = _varint(data, at)
        elif wire_type == FIXED64:
            length = 8
        elif wire_type == FIXED32:
            length = 4
        else:
            raise ProtocolError(f"field {number} has the unknown wire type {wire_type}")
        if length > end - at:
            raise ProtocolError(f"field {number} ends behind its message")
        piece = data[at : at + length]
        at += length
        yield number, wire_type, piece if wire_type == BYTES else int.from_bytes(piece, "little")


def put_varint(out: bytearray, value: int) -> None:
    value &= _MASK64
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def put_bytes(out: bytearray, number: int, value: bytes) -> None:
    put_varint(out, number << 3 | BYTES)
    put_varint(out, len(value))
    out += value


def put_number(out: bytearray, number: int, value: int) -> None:
    """As Protobuf does: a zero is not written."""
    if value:
        put_varint(out, number << 3 | VARINT)
        put_varint(out, value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ProtocolError("a number ends behind its message")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK64, at
        shift += 7
        if shift >= 70:
            raise ProtocolError("a number is longer than 64 bits")


def _put(out: bytearray, field: Field, value: Any) -> None:
    kind = field.kind
    if kind == "string":
        put_bytes(out, field.number, value.encode("utf-8"))
    elif kind == "bytes":
        put_bytes(out, field.number, value)
    elif kind == "message":
        put_bytes(out, field.number, value.encode())
    elif kind in ("fixed64", "fixed32"):
        size = 8 if kind == "fixed64" else 4
        put_varint(out, field.number << 3 | _WIRE_TYPES[kind])
        out += int(value).to_bytes(size, "little")
    else:
        put_varint(out, field.number << 3 | VARINT)
        put_varint(out, int(value))


def _put_list(out: bytearray, field: Field, values: list[Any]) -> None:
    if not values:
        return
    if field.kind in _WIRE_TYPES:
        for value in values:
            _put(out, field, value)
        return
    packed = bytearray()
    for value in values:
        put_varint(packed, int(value))
    put_bytes(out, field.number, bytes(packed))


def _set(message: Message, field: Field, wire_type: int, value: int | bytes, table: dict[int, Field]) -> None:
    expected = _WIRE_TYPES.get(field.kind, VARINT)
    if field.repeated:
        values = getattr(message, field.name)
        if wire_type == BYTES and expected == VARINT and isinstance(value, bytes):
            at = 0
            while at < len(value):
                number, at = _varint(value, at)
                values.append(_value(field, number))
            return
    if wire_type != expected:
        raise ProtocolError(f"field {field.name} has the wrong wire type {wire_type}")
    if field.repeated:
        values.append(_value(field, value))
        return
    if field.oneof:
        for other in table.values():
            if other.oneof == field.oneof:
                setattr(message, other.name, None)
    setattr(message, field.name, _value(field, value))


def _value(field: Field, value: int | bytes) -> object:
    kind = field.kind
    if isinstance(value, bytes):
        if field.message is not None:
            return field.message.decode(value)
        if kind == "bytes":
            return value
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise ProtocolError(f"field {field.name} is not UTF-8") from None
    if kind == "bool":
        return value != 0
    if kind in ("uint32", "fixed32"):
        return value & _MASK32
    if kind == "int64":
        return value - (1 << 64) if value >> 63 else value
    if kind in ("int32", "enum"):
        value &= _MASK32
        return value - (1 << 32) if value >> 31 else value
    return value
