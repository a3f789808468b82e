"""The pending outcome of a message."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

from .errors import TroupeError
from .ids import ClientMessageId, ConversationId
from .incoming import Acked


class SendHandle:
    """Await it for `Acked` or an error. Dropping it does not withdraw the message."""

    __slots__ = ("conversation", "id", "_outcome", "_settled", "__weakref__")

    def __init__(self, conversation: ConversationId, id: ClientMessageId) -> None:
        self.conversation = conversation
        self.id = id
        self._outcome: Acked | TroupeError | None = None
        self._settled = asyncio.Event()

    def settle(self, outcome: Acked | TroupeError) -> None:
        self._outcome = outcome
        self._settled.set()

    async def _wait(self) -> Acked:
        await self._settled.wait()
        if isinstance(self._outcome, Acked):
            return self._outcome
        assert self._outcome is not None  # `settle` sets it before the event.
        raise self._outcome

    def __await__(self) -> Generator[object, None, Acked]:
        return self._wait().__await__()
