"""Received and missing events. No IO: the driver reports what it received and asks what to deliver and to fetch.

Each conversation has a cursor, the highest seq below which nothing is missing. A push is a hint. The
next event is delivered, a known one is dropped, and a later one reveals a gap that is fetched. Every
event is therefore delivered exactly once and in order, however pushes are lost or reordered. A slow
application costs no memory: events that do not fit are fetched later.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .event import Event
from .ids import ConversationId, Seq

# Events ready for the application. Above it pushes count only as heads, and no page is fetched.
READY_EVENTS = 1_024
# Events of one conversation held although earlier ones are missing.
AHEAD_EVENTS = 64
# Concurrent page requests.
FETCHES = 4
# Seconds before a page is requested again.
RETRY = 0.2


@dataclass(slots=True)
class _Progress:
    # No event up to here is missing.
    cursor: int
    # The highest known seq.
    head: int
    ahead: dict[int, Event] = field(default_factory=dict)
    fetching: bool = False
    not_before: float | None = None
    # Head of the last page, if that page was unexpectedly empty.
    empty_at: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A range of history to fetch: events after `after`."""

    conversation: ConversationId
    after: Seq


class Inbox:
    def __init__(self) -> None:
        self._conversations: dict[ConversationId, _Progress] = {}
        self._behind: OrderedDict[ConversationId, None] = OrderedDict()
        self._ready: deque[tuple[ConversationId, Event]] = deque()
        self._fetching = 0

    def knows(self, conversation: ConversationId) -> bool:
        return conversation in self._conversations

    def cursor(self, conversation: ConversationId) -> Seq | None:
        progress = self._conversations.get(conversation)
        return None if progress is None else Seq(progress.cursor)

    def followed(self) -> Iterator[ConversationId]:
        return iter(self._conversations)

    def follow(self, conversation: ConversationId, cursor: int) -> None:
        """Follows a conversation from after `cursor`. A followed conversation keeps its cursor."""
        self._conversations.setdefault(conversation, _Progress(cursor, cursor))

    def leave(self, conversation: ConversationId) -> None:
        """The user is no longer a member. Ready events are still delivered."""
        progress = self._conversations.pop(conversation, None)
        if progress is not None and progress.fetching:
            self._fetching -= 1
        self._behind.pop(conversation, None)

    def go_back(self, conversation: ConversationId, kept: int) -> None:
        """The log continues differently after `kept`: later ready events are dropped."""
        progress = self._conversations.get(conversation)
        if progress is None:
            return
        # A page in flight is recognised by its start.
        self._conversations[conversation] = _Progress(kept, kept, fetching=progress.fetching)
        self._ready = deque(item for item in self._ready if item[0] != conversation or item[1].seq <= kept)
        self._note(conversation)

    def head(self, conversation: ConversationId, head: int) -> None:
        """Events up to `head` exist."""
        progress = self._conversations.get(conversation)
        if progress is not None:
            progress.head = max(progress.head, head)
            self._note(conversation)

    def push(self, conversation: ConversationId, event: Event) -> None:
        progress = self._conversations.get(conversation)
        if progress is None:
            return
        progress.head = max(progress.head, event.seq)
        if event.seq == progress.cursor + 1 and len(self._ready) < READY_EVENTS:
            self._accept(conversation, progress, event)
        elif event.seq > progress.cursor and len(progress.ahead) < AHEAD_EVENTS:
            progress.ahead[event.seq] = event
        self._note(conversation)

    def next_fetch(self, now: float) -> Wanted | None:
        """The next page to request."""
        if self._fetching >= FETCHES or len(self._ready) >= READY_EVENTS // 2:
            return None
        for conversation in self._behind:
            progress = self._conversations[conversation]
            if not progress.fetching and (progress.not_before is None or progress.not_before <= now):
                progress.fetching = True
                self._fetching += 1
                return Wanted(conversation, Seq(progress.cursor))
        return None

    def wake_at(self, now: float) -> float | None:
        """When, after `now`, a fetch that is delayed now may start."""
        times = (self._conversations[conversation].not_before for conversation in self._behind)
        return min((at for at in times if at is not None and at > now), default=None)

    def page(self, wanted: Wanted, events: Iterable[Event], head: int, more: bool, now: float) -> None:
        """The answer to `wanted`. An event that a page omits is not visible to this device."""
        if not self._fetched(wanted.conversation):
            return
        progress = self._conversations[wanted.conversation]
        if wanted.after > progress.cursor:
            # Requested before this device went back.
            return self._note(wanted.conversation)
        events = list(events)
        progress.head = max(progress.head, head)
        progress.not_before = None
        if not events and not more:
            # One such page may come from a lagging replica, or from a head that was read later than
            # the events. A second one up to the same head means that the events between are not
            # visible to this device.
            if progress.empty_at is not None and progress.empty_at > progress.cursor:
                progress.cursor, progress.empty_at = progress.empty_at, None
            else:
                progress.empty_at = head
            progress.not_before = now + RETRY
        else:
            progress.empty_at = None
        for event in events:
            if event.seq > progress.cursor:
                self._accept(wanted.conversation, progress, event)
        self._note(wanted.conversation)

    def fetch_failed(self, wanted: Wanted, after: float, now: float) -> None:
        """The page request failed. It is repeated later."""
        if self._fetched(wanted.conversation):
            self._conversations[wanted.conversation].not_before = now + max(after, RETRY)

    def disconnected(self) -> None:
        """Pending answers are lost."""
        self._fetching = 0
        for progress in self._conversations.values():
            progress.fetching = False
            progress.not_before = None

    def take(self) -> tuple[ConversationId, Event] | None:
        """The next event for the application. The caller delivers it."""
        return self._ready.popleft() if self._ready else None

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def _fetched(self, conversation: ConversationId) -> bool:
        """Ends a fetch. False: it was abandoned."""
        progress = self._conversations.get(conversation)
        if progress is None or not progress.fetching:
            return False
        progress.fetching = False
        self._fetching -= 1
        return True

    def _accept(self, conversation: ConversationId, progress: _Progress, event: Event) -> None:
        """Accepts the next event, and held events that directly follow it."""
        following: Event | None = event
        while following is not None:
            progress.cursor = following.seq
            self._ready.append((conversation, following))
            following = progress.ahead.pop(progress.cursor + 1, None)
        if progress.ahead:
            progress.ahead = {seq: held for seq, held in progress.ahead.items() if seq > progress.cursor}

    def _note(self, conversation: ConversationId) -> None:
        progress = self._conversations.get(conversation)
        if progress is not None and progress.head > progress.cursor:
            self._behind[conversation] = None
        else:
            self._behind.pop(conversation, None)
