"""Requests around the profile of this user, its contacts, and users that it blocks."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from . import limits, wire
from .codec import Message
from .ids import UserId, conversation_id

_M = TypeVar("_M", bound=Message)


class PeopleRequests:
    @abstractmethod
    async def call(self, message: Message, answer: type[_M]) -> _M: ...

    @abstractmethod
    def request_id(self) -> bytes: ...

    async def profile(self) -> wire.OwnProfile:
        """The texts that this user shows of itself, and the number of their changes."""
        return await self.call(wire.ShowProfile(), wire.OwnProfile)

    async def change_presence(self, shown_to: wire.Viewers) -> None:
        """Sets who sees whether this user is online, and when it last was."""
        await self.call(wire.ChangePresence(shown_to), wire.Done)

    async def watch(self, *users: UserId) -> list[wire.PresencePush]:
        """Sets the users whose presence this device hears of, as `PresenceChanged`; none ends it.

        Returns the present state of those that exist. A new connection watches no one.
        """
        return (await self.call(wire.Watch(list(users)), wire.Watched)).users

    async def change_profile(
        self,
        *,
        display_name: str | None = None,
        avatar: str | None = None,
        about: str | None = None,
        language: str | None = None,
        messages_from: wire.Audience | None = None,
        request: bytes | None = None,
    ) -> None:
        """Sets the values that are given; an empty text erases."""
        texts = (display_name, avatar, about, language)
        change = wire.ChangeProfile(request or self.request_id(), *texts, messages_from=messages_from)
        await self.call(change, wire.Done)

    async def contacts(self, since: int = 0) -> tuple[list[wire.Contact], int]:
        """All contacts and open requests in order of their users, and the version of the list.

        With a version: the changes since then, also of relations that have ended.
        """
        contacts: list[wire.Contact] = []
        changes, after = since > 0, 0
        while True:
            page = await self.call(wire.ListContacts(after, limits.PAGE_CONTACTS, since), wire.Contacts)
            contacts.extend(page.contacts)
            if page.next <= (since if changes else after):
                return contacts, page.version
            if changes:
                since = page.next
            else:
                after = page.next

    async def contact(self, user: UserId) -> wire.Contact:
        """Its state is CONTACT_STATE_UNSPECIFIED if there is no relation."""
        return await self.call(wire.ShowContact(user), wire.Contact)

    async def ask_contact(self, user: UserId, text: str = "", *, request: bytes | None = None) -> None:
        """If that user has asked already, both are contacts at once."""
        await self._contact(wire.ChangeContact(request or self.request_id(), user, ask=text))

    async def accept_contact(self, user: UserId, *, request: bytes | None = None) -> None:
        await self._contact(wire.ChangeContact(request or self.request_id(), user, accept=wire.Done()))

    async def end_contact(self, user: UserId, *, request: bytes | None = None) -> None:
        """Withdraws or refuses a request, or removes the contact for both users."""
        await self._contact(wire.ChangeContact(request or self.request_id(), user, end=wire.Done()))

    async def remark_contact(self, user: UserId, remark: str, *, request: bytes | None = None) -> None:
        """Sets this user's own name for a contact; empty: none."""
        await self._contact(wire.ChangeContact(request or self.request_id(), user, remark=remark))

    async def block(self, user: UserId, *, lift: bool = False, request: bytes | None = None) -> None:
        """The block is in force when this returns. The other user is not told of it."""
        await self._contact(wire.ChangeContact(request or self.request_id(), user, block=not lift))

    async def blocks(self) -> list[wire.Block]:
        """The users that this one blocks, in order of their ids."""
        blocks: list[wire.Block] = []
        after = 0
        while True:
            page = await self.call(wire.ListBlocks(after, limits.PAGE_CONTACTS), wire.Blocks)
            blocks.extend(page.blocks)
            last = page.blocks[-1].user_id if page.blocks else 0
            if not page.more or last <= after:
                return blocks
            after = last

    async def report_message(
        self, conversation: str, seq: int, reason: str, *, request: bytes | None = None
    ) -> None:
        """Reports a message that this user sees. A repeated report of the same is one."""
        report = wire.Report(request or self.request_id(), conversation_id(conversation), seq, reason=reason)
        await self.call(report, wire.Done)

    async def report_user(self, user: UserId, reason: str, *, request: bytes | None = None) -> None:
        await self.call(wire.Report(request or self.request_id(), user_id=user, reason=reason), wire.Done)

    async def _contact(self, change: wire.ChangeContact) -> None:
        await self.call(change, wire.Done)
