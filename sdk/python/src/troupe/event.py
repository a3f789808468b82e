"""Events of a log: an envelope that every version reads, and a content that only some understand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, cast

from . import codec
from .codec import Field
from .codec import Message as WireMessage
from .errors import ProtocolError
from .ids import CLIENT_MESSAGE_ID_BYTES, ClientMessageId, Seq, UserId

if TYPE_CHECKING:
    from . import wire
    from .content import TypedBody

_FLAGS, _CONTENT_HASH = 1000, 1001
_KINDS = range(5, 1000)
COUNTS_AS_UNREAD = 1
TEXT = 1
_MESSAGE, _EDITED, _STREAM_ENDED = 5, 12, 90


@dataclass(slots=True)
class WireEvent(WireMessage):
    """`Event` of client.proto with its content as bytes, so that unknown kinds are kept."""

    seq: int = 0
    time_ms: int = 0
    sender: int = 0
    client_message_id: bytes = b""
    # The number of the field that holds the content. 0: there is none.
    kind: int = 0
    content: bytes = b""
    flags: int = 0
    content_hash: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()

    def encode(self) -> bytes:
        out = bytearray()
        for number, value in ((1, self.seq), (2, self.time_ms), (3, self.sender)):
            codec.put_number(out, number, value)
        if self.client_message_id:
            codec.put_bytes(out, 4, self.client_message_id)
        if self.kind in _KINDS:
            codec.put_bytes(out, self.kind, self.content)
        codec.put_number(out, _FLAGS, self.flags)
        if self.content_hash:
            codec.put_bytes(out, _CONTENT_HASH, self.content_hash)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> WireEvent:
        event = cls()
        for number, _, value in codec.fields(data):
            if isinstance(value, bytes):
                if number == 4:
                    event.client_message_id = value
                elif number in _KINDS:
                    event.kind, event.content = number, value
                elif number == _CONTENT_HASH:
                    event.content_hash = value
            elif number == 1:
                event.seq = value
            elif number == 2:
                event.time_ms = value
            elif number == 3:
                event.sender = value
            elif number == _FLAGS:
                event.flags = value
        return event


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `kind` is the kind of its body: 1 is text, 1000 and above are the application's."""

    kind: int
    content: bytes
    # Its references; None: it has none.
    context: wire.Context | None = None

    @property
    def body(self) -> TypedBody | None:
        """The content of a typed body, such as an image. None: a text, or another kind."""
        from .content import typed

        return typed(self.kind, self.content)

    @property
    def text(self) -> str | None:
        """The text, if this version of the SDK can show it."""
        if self.kind != TEXT:
            return None
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class Created:
    name: str


@dataclass(frozen=True, slots=True)
class Renamed:
    name: str


@dataclass(frozen=True, slots=True)
class Added:
    users: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    user: UserId


@dataclass(frozen=True, slots=True)
class RoleChanged:
    user: UserId
    role: int


@dataclass(frozen=True, slots=True)
class Reacted:
    """The sender reacted to the message with the seq `to`, or took the reaction back."""

    to: Seq
    emoji: str
    removed: bool


@dataclass(frozen=True, slots=True)
class Edited:
    """The message with the seq `to` has this body now."""

    to: Seq
    body: Message


@dataclass(frozen=True, slots=True)
class Recalled:
    """The contents of the message with the seq `to`, and of its edits, are erased."""

    to: Seq


@dataclass(frozen=True, slots=True)
class Vanished:
    """The time of the message with the seq `to` is over: its content and those of its edits are erased."""

    to: Seq


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The message with the seq `to` grows no more, and has this body now."""

    to: Seq
    body: Message
    aborted: bool


@dataclass(frozen=True, slots=True)
class Voted:
    """The vote of the sender in the poll with the seq `to`. In an anonymous poll it names no options."""

    to: Seq
    options: tuple[int, ...]
    removed: bool


@dataclass(frozen=True, slots=True)
class PollClosed:
    """The poll with the seq `to` takes no more votes. Options behind the last count have none."""

    to: Seq
    voters: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """The settings that the sender has changed; absent ones stayed as they were."""

    settings: wire.GroupSettings


@dataclass(frozen=True, slots=True)
class Muted:
    """0: the mute was lifted."""

    user: UserId
    until_ms: int


@dataclass(frozen=True, slots=True)
class Banned:
    user: UserId
    lifted: bool


@dataclass(frozen=True, slots=True)
class Transferred:
    """The sender made another member the owner."""

    to: UserId


@dataclass(frozen=True, slots=True)
class Disbanded:
    """The last event of a group."""


@dataclass(frozen=True, slots=True)
class LinkMade:
    """`hash` is that of the secret code."""

    hash: bytes
    uses: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class LinkRevoked:
    link: int


@dataclass(frozen=True, slots=True)
class JoinAsked:
    """The sender, who is no member yet, asks to join."""


@dataclass(frozen=True, slots=True)
class JoinClosed:
    """The sender refused the request of this user to join, or is the user and withdrew it."""

    user: UserId


@dataclass(frozen=True, slots=True)
class Pinned:
    """The sender pinned the message with the seq `to`, or took the pin away."""

    to: Seq
    removed: bool


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The sender calls the other user with this device. The seq of the event names the call."""

    video: bool
    device: int


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """This device of the sender took the call."""

    call: Seq
    device: int


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The record of a call."""

    call: Seq
    caller: UserId
    video: bool
    # A `wire.CallOutcome`.
    outcome: int
    lasted_ms: int


@dataclass(frozen=True, slots=True)
class Unsupported:
    """An event of a kind, or with a content, that this version does not know. Show it as such."""

    kind: int
    content: bytes


Moderation = SettingsChanged | Muted | Banned | Transferred | Disbanded | LinkMade | LinkRevoked | JoinAsked | JoinClosed
Call = CallStarted | CallAnswered | CallEnded
OfMessage = Reacted | Edited | Recalled | Pinned | Vanished | Voted | PollClosed | StreamEnded
EventKind = Message | Created | Renamed | Added | Removed | RoleChanged | OfMessage | Moderation | Call | Unsupported


@dataclass(frozen=True, slots=True)
class Event:
    seq: Seq
    time_ms: int
    sender: UserId
    client_message_id: ClientMessageId
    kind: EventKind
    flags: int = 0

    @property
    def text(self) -> str | None:
        """The text of a text message."""
        return self.kind.text if isinstance(self.kind, Message) else None

    @property
    def is_erased(self) -> bool:
        """Whether it is a message, or an edit of one, whose content was recalled or has vanished."""
        kind = self.kind
        return isinstance(kind, Unsupported) and kind.kind in (_MESSAGE, _EDITED, _STREAM_ENDED) and not kind.content


def of_wire(event: WireEvent) -> Event:
    """Raises ProtocolError without a client message id: then it is no event."""
    if len(event.client_message_id) != CLIENT_MESSAGE_ID_BYTES:
        raise ProtocolError("an event has no client message id of 16 bytes")
    if max(event.seq, event.time_ms, event.sender) >= 1 << 63:
        raise ProtocolError("an event has a number that no server assigns")
    return Event(
        seq=Seq(event.seq),
        time_ms=event.time_ms,
        sender=UserId(event.sender),
        client_message_id=ClientMessageId(event.client_message_id),
        kind=_understood(event),
        flags=event.flags,
    )


def to_wire(event: Event) -> WireEvent:
    """Without a content hash: content of later versions may have been skipped."""
    from . import wire

    kind, number, content = event.kind, 0, b""
    if isinstance(kind, Message):
        number, content = 5, wire.Body(kind.kind, kind.content, kind.context).encode()
    elif isinstance(kind, Created):
        number, content = 6, wire.Created(kind.name).encode()
    elif isinstance(kind, Renamed):
        number, content = 7, wire.Renamed(kind.name).encode()
    elif isinstance(kind, Added):
        number, content = 8, wire.Added(list(kind.users)).encode()
    elif isinstance(kind, Removed):
        number, content = 9, wire.Removed(kind.user).encode()
    elif isinstance(kind, RoleChanged):
        number, content = 10, wire.RoleChanged(kind.user, kind.role).encode()
    elif isinstance(kind, Reacted):
        number, content = 11, wire.Reacted(kind.to, kind.emoji, kind.removed).encode()
    elif isinstance(kind, Edited):
        number, content = _EDITED, wire.Edited(kind.to, wire.Body(kind.body.kind, kind.body.content)).encode()
    elif isinstance(kind, Recalled):
        number, content = 13, wire.Recalled(kind.to).encode()
    elif isinstance(kind, Vanished):
        number, content = 40, wire.Vanished(kind.to).encode()
    elif isinstance(kind, StreamEnded):
        body = wire.Body(kind.body.kind, kind.body.content)
        number, content = _STREAM_ENDED, wire.StreamEnded(kind.to, body, kind.aborted).encode()
    elif isinstance(kind, Voted):
        number, content = 14, wire.Voted(kind.to, list(kind.options), kind.removed).encode()
    elif isinstance(kind, PollClosed):
        number, content = 15, wire.PollClosed(kind.to, kind.voters, list(kind.counts)).encode()
    elif isinstance(kind, SettingsChanged):
        number, content = 20, kind.settings.encode()
    elif isinstance(kind, Muted):
        number, content = 21, wire.Muted(kind.user, kind.until_ms).encode()
    elif isinstance(kind, Banned):
        number, content = 22, wire.Banned(kind.user, kind.lifted).encode()
    elif isinstance(kind, Transferred):
        number, content = 23, wire.Transferred(kind.to).encode()
    elif isinstance(kind, Disbanded):
        number, content = 24, b""
    elif isinstance(kind, LinkMade):
        number, content = 25, wire.LinkMade(kind.hash, kind.uses, kind.expires_ms).encode()
    elif isinstance(kind, JoinAsked):
        number, content = 28, b""
    elif isinstance(kind, JoinClosed):
        number, content = 29, wire.JoinClosed(kind.user).encode()
    elif isinstance(kind, Pinned):
        number, content = 31, wire.Pinned(kind.to, kind.removed).encode()
    elif isinstance(kind, CallStarted):
        number, content = 50, wire.CallStarted(kind.video, kind.device).encode()
    elif isinstance(kind, CallAnswered):
        number, content = 51, wire.CallAnswered(kind.call, kind.device).encode()
    elif isinstance(kind, CallEnded):
        ended = wire.CallEnded(kind.call, kind.caller, kind.video, kind.outcome, kind.lasted_ms)
        number, content = 52, ended.encode()
    elif isinstance(kind, LinkRevoked):
        number, content = 26, wire.LinkRevoked(kind.link).encode()
    else:
        number, content = kind.kind, kind.content
    return WireEvent(
        event.seq, event.time_ms, event.sender, event.client_message_id, number, content, event.flags
    )


def _understood(event: WireEvent) -> EventKind:
    as_it_is = Unsupported(event.kind, event.content)
    # A content with another hash is not authentic.
    if event.content_hash and sha256(event.content).digest()[:16] != event.content_hash:
        return as_it_is
    decode = _KNOWN.get(event.kind)
    if decode is None:
        return as_it_is
    try:
        return decode(event.content) or as_it_is
    except ProtocolError:
        return as_it_is


def _message(content: bytes) -> EventKind | None:
    from . import wire

    # No message is without a kind of its body: this one was erased.
    if not content:
        return None
    body = wire.Body.decode(content)
    return Message(body.kind, body.content, body.context)


def _created(content: bytes) -> EventKind | None:
    from . import wire

    return Created(wire.Created.decode(content).name)


def _renamed(content: bytes) -> EventKind | None:
    from . import wire

    return Renamed(wire.Renamed.decode(content).name)


def _added(content: bytes) -> EventKind | None:
    from . import wire

    return Added(tuple(cast(list[UserId], wire.Added.decode(content).users)))


def _removed(content: bytes) -> EventKind | None:
    from . import wire

    return Removed(UserId(wire.Removed.decode(content).user))


def _role_changed(content: bytes) -> EventKind | None:
    from . import wire

    changed = wire.RoleChanged.decode(content)
    # A role of a later version.
    if changed.role not in (1, 2, 3):
        return None
    return RoleChanged(UserId(changed.user), changed.role)


def _reacted(content: bytes) -> EventKind | None:
    from . import wire

    reacted = wire.Reacted.decode(content)
    return Reacted(Seq(reacted.to), reacted.emoji, reacted.removed)


def _edited(content: bytes) -> EventKind | None:
    from . import wire

    edited = wire.Edited.decode(content)
    if edited.body is None:
        return None
    return Edited(Seq(edited.to), Message(edited.body.kind, edited.body.content))


def _recalled(content: bytes) -> EventKind | None:
    from . import wire

    return Recalled(Seq(wire.Recalled.decode(content).to))


def _vanished(content: bytes) -> EventKind | None:
    from . import wire

    return Vanished(Seq(wire.Vanished.decode(content).to))


def _stream_ended(content: bytes) -> EventKind | None:
    from . import wire

    ended = wire.StreamEnded.decode(content)
    if ended.body is None:
        return None
    return StreamEnded(Seq(ended.to), Message(ended.body.kind, ended.body.content), ended.aborted)


def _voted(content: bytes) -> EventKind | None:
    from . import wire

    voted = wire.Voted.decode(content)
    return Voted(Seq(voted.to), tuple(voted.options), voted.removed)


def _poll_closed(content: bytes) -> EventKind | None:
    from . import wire

    closed = wire.PollClosed.decode(content)
    return PollClosed(Seq(closed.to), closed.voters, tuple(closed.counts))


def _settings_changed(content: bytes) -> EventKind | None:
    from . import wire

    return SettingsChanged(wire.GroupSettings.decode(content))


def _muted(content: bytes) -> EventKind | None:
    from . import wire

    muted = wire.Muted.decode(content)
    return Muted(UserId(muted.user), muted.until_ms)


def _banned(content: bytes) -> EventKind | None:
    from . import wire

    banned = wire.Banned.decode(content)
    return Banned(UserId(banned.user), banned.lifted)


def _transferred(content: bytes) -> EventKind | None:
    from . import wire

    return Transferred(UserId(wire.Transferred.decode(content).to))


def _link_made(content: bytes) -> EventKind | None:
    from . import wire

    made = wire.LinkMade.decode(content)
    return LinkMade(made.hash, made.uses, made.expires_ms)


def _link_revoked(content: bytes) -> EventKind | None:
    from . import wire

    return LinkRevoked(wire.LinkRevoked.decode(content).link)


def _join_closed(content: bytes) -> EventKind | None:
    from . import wire

    return JoinClosed(UserId(wire.JoinClosed.decode(content).user))


def _pinned(content: bytes) -> EventKind | None:
    from . import wire

    pinned = wire.Pinned.decode(content)
    return Pinned(Seq(pinned.to), pinned.removed)


def _call_started(content: bytes) -> EventKind | None:
    from . import wire

    started = wire.CallStarted.decode(content)
    return CallStarted(started.video, started.device)


def _call_answered(content: bytes) -> EventKind | None:
    from . import wire

    answered = wire.CallAnswered.decode(content)
    return CallAnswered(Seq(answered.call), answered.device)


def _call_ended(content: bytes) -> EventKind | None:
    from . import wire

    ended = wire.CallEnded.decode(content)
    # An outcome of a later version.
    if ended.outcome not in (1, 2, 3, 4, 5):
        return None
    return CallEnded(Seq(ended.call), UserId(ended.caller), ended.video, ended.outcome, ended.lasted_ms)


_KNOWN: dict[int, Callable[[bytes], EventKind | None]] = {
    5: _message,
    6: _created,
    7: _renamed,
    8: _added,
    9: _removed,
    10: _role_changed,
    11: _reacted,
    12: _edited,
    13: _recalled,
    14: _voted,
    15: _poll_closed,
    20: _settings_changed,
    21: _muted,
    22: _banned,
    23: _transferred,
    24: lambda _: Disbanded(),
    25: _link_made,
    26: _link_revoked,
    28: lambda _: JoinAsked(),
    29: _join_closed,
    31: _pinned,
    40: _vanished,
    50: _call_started,
    51: _call_answered,
    52: _call_ended,
    _STREAM_ENDED: _stream_ended,
}
