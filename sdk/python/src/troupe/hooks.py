"""Requests around the bots of this user, and the hooks of groups."""

from __future__ import annotations

from . import limits, wire
from .ids import UserId, conversation_id
from .people import PeopleRequests


class HookRequests(PeopleRequests):
    async def create_bot(
        self, name: str, *, read: bool = False, send: bool = False, manage: bool = False, request: bytes | None = None
    ) -> wire.Bot:
        """Makes a bot: an account without a password.

        Only the answer has its token, which serves like that of a session. A repeat is the same bot
        with another token.
        """
        new = wire.NewBot(name, wire.BotScopes(read, send, manage))
        return await self.call(wire.ChangeBot(request or self.request_id(), create=new), wire.Bot)

    async def rotate_bot(self, bot: UserId, *, request: bytes | None = None) -> wire.Bot:
        """Gives a bot another token. The one before ends at once."""
        return await self.call(wire.ChangeBot(request or self.request_id(), rotate=bot), wire.Bot)

    async def end_bot(self, bot: UserId, *, request: bytes | None = None) -> None:
        """Ends a bot. Its messages stay."""
        await self.call(wire.ChangeBot(request or self.request_id(), end=bot), wire.Bot)

    async def bots(self) -> list[wire.Bot]:
        """All bots of this user, without their tokens."""
        return (await self.call(wire.ListBots(), wire.Bots)).bots

    async def make_hook(
        self, conversation: str, name: str, secret: str, *, url: str = "", request: bytes | None = None
    ) -> wire.Hook:
        """Makes a hook of a group: without a URL one that posts, with one that gets the events there.

        The secret has 16 to 64 letters, digits, '-' and '_'.
        """
        kind = wire.HookKind.OUTGOING if url else wire.HookKind.INCOMING
        return await self._hook(conversation, request, make=wire.NewHook(kind, name, secret, url))

    async def make_before_hook(
        self, conversation: str, name: str, secret: str, url: str, *, closed: bool, request: bytes | None = None
    ) -> wire.Hook:
        """Makes a hook that is asked before each message of a group.

        Closed: messages are refused while it does not answer. Else they pass.
        """
        new = wire.NewHook(wire.HookKind.BEFORE, name, secret, url, closed)
        return await self._hook(conversation, request, make=new)

    async def end_hook(self, conversation: str, hook: int, *, request: bytes | None = None) -> None:
        """Ends a hook, with its dead events."""
        await self._hook(conversation, request, end=hook)

    async def retry_dead(self, conversation: str, hook: int, seq: int = 0, *, request: bytes | None = None) -> None:
        """Tries a dead event of a hook again, or with 0 all of them."""
        await self._hook(conversation, request, retry=wire.RetryDead(hook, seq))

    async def hooks(self, conversation: str) -> list[wire.Hook]:
        """The hooks of a group, without their secrets."""
        return (await self.call(wire.ListHooks(conversation_id(conversation)), wire.Hooks)).hooks

    async def dead_events(self, conversation: str, hook: int) -> list[wire.DeadEvent]:
        """The events that the receiver of a hook did not take, in order."""
        events: list[wire.DeadEvent] = []
        while True:
            after = events[-1].seq if events else 0
            page = await self.call(
                wire.ListDead(conversation_id(conversation), hook, after, limits.PAGE_DEAD), wire.DeadEvents
            )
            events.extend(page.events)
            if not page.more or not page.events:
                return events

    async def _hook(
        self,
        conversation: str,
        request: bytes | None,
        *,
        make: wire.NewHook | None = None,
        end: int | None = None,
        retry: wire.RetryDead | None = None,
    ) -> wire.Hook:
        change = wire.ChangeHook(request or self.request_id(), conversation_id(conversation), make, end, retry)
        return await self.call(change, wire.Hook)
