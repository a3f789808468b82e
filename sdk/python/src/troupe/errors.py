"""Errors, named by what the caller should do."""

from __future__ import annotations

import unicodedata
from typing import ClassVar

# Characters kept of a server's code or text.
_SERVER_WORDS = 500


class TroupeError(Exception):
    """Base of all errors. `code` is the stable code of a refusal, listed in docs/protocol.md."""

    # Whether the request was definitely not applied.
    definite: ClassVar[bool] = False
    # Whether the same request may succeed later, possibly at another node.
    transient: ClassVar[bool] = False

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(f"{text} ({code})" if code else text)
        self.text = text
        self.code = code


class Rejected(TroupeError):
    """Definite: the request was not and never will be applied. Do not repeat it unchanged."""

    definite = True


class OutOfOrder(TroupeError):
    """Definite: the message was not applied. Send it again after its predecessor is acknowledged."""

    definite = True
    transient = True


class Overloaded(TroupeError):
    """Definite: the request was not accepted. Retry after `retry_after` seconds."""

    definite = True
    transient = True

    def __init__(self, text: str, code: str, retry_after: float) -> None:
        super().__init__(text, code)
        self.retry_after = retry_after


class Unavailable(TroupeError):
    """Unknown: the request may have been applied. Repeat it with the same id."""

    transient = True


class OutboxFull(TroupeError):
    """The outbox is full: wait until messages are sent."""

    definite = True

    def __init__(self) -> None:
        super().__init__("the outbox is full: wait until some messages are sent", "outbox_full")


class Stopped(TroupeError):
    """This client has ended. Log in with a new one."""


class StoreError(TroupeError):
    """The file of this device cannot be read or written."""


class Untrusted(TroupeError):
    """The server does not show the expected key, or does not speak TLS. Nothing was sent to it."""

    definite = True

    def __init__(self, text: str) -> None:
        super().__init__(text, "untrusted_server")


class ProtocolError(TroupeError):
    """The peer is not a Troupe server, or has an incompatible version."""


def words(text: str) -> str:
    """A server's text, cleaned and cut: it can neither control a terminal nor fill a screen."""
    categories = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join(" " if unicodedata.category(c) in categories else c for c in text[:_SERVER_WORDS])


def of_failure(kind: int, code: str, text: str, retry_after_ms: int) -> TroupeError:
    """The error that stands for a `failure` frame. An unknown kind counts as unavailable."""
    code, text = words(code), words(text)
    # Servers of earlier versions send out_of_order as rejected.
    if kind == 4 or (kind == 1 and code == "out_of_order"):
        return OutOfOrder(text, code)
    if kind == 1:
        return Rejected(text, code)
    if kind == 2:
        return Overloaded(text, code, retry_after_ms / 1000)
    return Unavailable(text or "the server cannot say whether it was applied", code)


def closed() -> Unavailable:
    return Unavailable("the connection was closed")
