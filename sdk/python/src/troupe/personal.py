"""Requests around this user's own state of a conversation, the same on its devices."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from . import wire
from .codec import Message
from .ids import Seq, conversation_id

_M = TypeVar("_M", bound=Message)


class PersonalRequests:
    @abstractmethod
    async def call(self, message: Message, answer: type[_M]) -> _M: ...

    @abstractmethod
    def request_id(self) -> bytes: ...

    async def personal(self, conversation: str) -> wire.Personal:
        """Pinned, muted, archived, hidden, draft, marked as unread, and the cleared history."""
        return await self.call(wire.ShowPersonal(conversation_id(conversation)), wire.Personal)

    async def delete_for_me(self, conversation: str, seqs: Sequence[Seq]) -> wire.Personal:
        """This user sees these messages no more, at most 100 in one request. It cannot be undone."""
        return await self.call(wire.DeleteForMe(conversation_id(conversation), list(seqs)), wire.Personal)

    async def change_personal(
        self,
        conversation: str,
        *,
        seen: int | None = None,
        pin: int | None = None,
        muted_until_ms: int | None = None,
        archived: bool | None = None,
        hidden: bool | None = None,
        draft: str | None = None,
        marked_unread: bool | None = None,
        clear_to: Seq | None = None,
        request: bytes | None = None,
    ) -> wire.Personal:
        """Sets the properties that are given, and returns the state behind the change.

        With `seen` it is refused if another device has changed one of them since that version.
        """
        change = wire.ChangePersonal(
            conversation_id(conversation),
            request or self.request_id(),
            seen=seen,
            pin=pin,
            muted_until_ms=muted_until_ms,
            archived=archived,
            hidden=hidden,
            draft=draft,
            marked_unread=marked_unread,
            clear_to=clear_to,
        )
        return await self.call(change, wire.Personal)

    async def save_favourite(self, conversation: str, seq: Seq, *, request: bytes | None = None) -> None:
        """Saves a message that this user sees."""
        change = wire.ChangeFavourite(request or self.request_id(), conversation_id(conversation), seq)
        await self.call(change, wire.Done)

    async def remove_favourite(self, conversation: str, seq: Seq, *, request: bytes | None = None) -> None:
        change = wire.ChangeFavourite(request or self.request_id(), conversation_id(conversation), seq, True)
        await self.call(change, wire.Done)

    async def favourites(self, before: int = 0, limit: int = 0) -> wire.Favourites:
        """The saved messages as this user sees them now, the last one first.

        `before` is `next` of the page before. An `event` is absent if this user does not see it any more.
        """
        return await self.call(wire.ListFavourites(before, limit), wire.Favourites)
