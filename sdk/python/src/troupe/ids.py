"""Ids. A conversation id is text in exactly one form; the others are numbers and bytes."""

from __future__ import annotations

from typing import NewType

from .errors import Rejected

UserId = NewType("UserId", int)
Seq = NewType("Seq", int)
ConversationId = NewType("ConversationId", str)
ClientMessageId = NewType("ClientMessageId", bytes)

EVERYONE = ConversationId("everyone")
CLIENT_MESSAGE_ID_BYTES = 16
_MOST = 2**64


def direct(one: UserId, other: UserId) -> ConversationId:
    """The conversation of two users."""
    low, high = sorted((one, other))
    return conversation_id(f"d{low}-{high}")


def group(number: int) -> ConversationId:
    return conversation_id(f"g{number}")


def conversation_id(text: str) -> ConversationId:
    """Checks the form: `everyone`, `d<low>-<high>` or `g<id>`."""
    _parts(text)
    return ConversationId(text)


def order(conversation: str) -> tuple[int, int, int]:
    """The order of conversation lists: everyone, direct ones by their numbers, groups."""
    return _parts(conversation)


def client_message_id(value: bytes) -> ClientMessageId:
    if len(value) != CLIENT_MESSAGE_ID_BYTES:
        raise Rejected("a client message id has 16 bytes", "bad_request")
    return ClientMessageId(bytes(value))


def _parts(text: str) -> tuple[int, int, int]:
    if text == "everyone":
        return 0, 0, 0
    if text.startswith("g"):
        number = _number(text[1:])
        if number:
            return 2, number, 0
    elif text.startswith("d"):
        low, _, high = text[1:].partition("-")
        numbers = _number(low), _number(high)
        if 0 < numbers[0] < numbers[1]:
            return 1, *numbers
    raise Rejected(f"{text[:40]!r} is no conversation: everyone, d<low>-<high> or g<id>", "bad_request")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or text.startswith("0") or len(text) > 20:
        return 0
    number = int(text)
    return number if number < _MOST else 0
