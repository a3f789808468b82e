"""Typed bodies of messages: the messages of content.proto, by the kind of the body."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import ProtocolError
from .ids import Seq, UserId
from .wire import (
    BodyKind,
    BundleBody,
    CardBody,
    Context,
    CustomBody,
    EmojiBody,
    FileBody,
    ImageBody,
    LocationBody,
    NoticeBody,
    PollBody,
    StickerBody,
    VideoBody,
    VoiceBody,
)

TypedBody = (
    ImageBody
    | VoiceBody
    | VideoBody
    | FileBody
    | StickerBody
    | EmojiBody
    | CardBody
    | LocationBody
    | CustomBody
    | NoticeBody
    | PollBody
    | BundleBody
)

_KINDS: dict[int, type[TypedBody]] = {
    BodyKind.BODY_IMAGE: ImageBody,
    BodyKind.BODY_VOICE: VoiceBody,
    BodyKind.BODY_VIDEO: VideoBody,
    BodyKind.BODY_FILE: FileBody,
    BodyKind.BODY_STICKER: StickerBody,
    BodyKind.BODY_EMOJI: EmojiBody,
    BodyKind.BODY_CARD: CardBody,
    BodyKind.BODY_LOCATION: LocationBody,
    BodyKind.BODY_CUSTOM: CustomBody,
    BodyKind.BODY_NOTICE: NoticeBody,
    BodyKind.BODY_POLL: PollBody,
    BodyKind.BODY_BUNDLE: BundleBody,
}
_NUMBERS = {body: int(kind) for kind, body in _KINDS.items()}


def kind_of(body: TypedBody) -> int:
    """The kind of its body."""
    return _NUMBERS[type(body)]


def typed(kind: int, content: bytes) -> TypedBody | None:
    """None: a text, a kind that this version does not know, or bytes that are not of it."""
    body = _KINDS.get(kind)
    try:
        return None if body is None else body.decode(content)
    except ProtocolError:
        return None


def context_of(
    reply_to: Seq | int,
    thread: Seq | int,
    mentions: Iterable[UserId | int],
    mentions_everyone: bool,
    expires_in_ms: int = 0,
    stream: bool = False,
) -> bytes:
    """What a message refers to, and when it vanishes, encoded. Empty: nothing."""
    users = [int(user) for user in mentions]
    return Context(int(reply_to), int(thread), users, mentions_everyone, expires_in_ms, stream).encode()
