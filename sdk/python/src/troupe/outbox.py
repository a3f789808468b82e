"""Messages to send: their order and their links. No IO: the driver reports outcomes and asks what to send.

A message leaves the outbox only by its ack or by a definite refusal. Each message names its
predecessor in the outbox of that conversation as `after`. The log therefore keeps the order, however
frames are lost, repeated or reordered. A predecessor that has left the outbox is either in the log or
refused forever, so there is nothing to wait for.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum

from . import limits
from .ids import ClientMessageId, ConversationId, order

# Messages waiting on one device. Above it: OutboxFull.
OUTBOX_MESSAGES = 10_000
# Seconds before a retry after an unknown outcome, if the server names none.
RETRY = 0.1


class Refused(Enum):
    """The outcome of a send, other than its ack."""

    # Definite: the message leaves the outbox, unless an earlier send may still commit.
    FOR_GOOD = 1
    # Its predecessor is not in the log.
    OUT_OF_ORDER = 2
    # Not accepted: send again after a time.
    LATER = 3
    # The outcome is unknown: send again.
    UNKNOWN = 4


class _State(Enum):
    WAITING = 1
    # Refused because its predecessor is missing. It waits until the predecessor was sent again or
    # has left the outbox.
    AWAITING_PREDECESSOR = 2
    IN_FLIGHT = 3


@dataclass(frozen=True, slots=True)
class Outgoing:
    conversation: ConversationId
    id: ClientMessageId
    after: ClientMessageId | None
    kind: int
    content: bytes
    # `Context` of content.proto, encoded; empty: none.
    context: bytes = b""


@dataclass(slots=True)
class _Entry:
    id: ClientMessageId
    kind: int
    content: bytes
    context: bytes
    # When a send of it last ended without an answer. That send may still commit, whatever a later
    # one returned.
    unresolved_since: float | None
    state: _State = _State.WAITING
    # Number of its last send. Zero before the first.
    sent: int = 0


@dataclass(slots=True)
class _Queue:
    # In the order of the log; a dictionary finds and removes by id without a walk.
    entries: OrderedDict[ClientMessageId, _Entry] = field(default_factory=OrderedDict)
    not_before: float | None = None

    def sendable(self, now: float) -> tuple[_Entry, _Entry | None] | None:
        """The first message that is not in flight, if it may be sent now, and the one before it."""
        if self.not_before is not None and self.not_before > now:
            return None
        before: _Entry | None = None
        for entry in self.entries.values():
            if entry.state is _State.IN_FLIGHT:
                before = entry
                continue
            # Later ones would only be refused as out of order.
            ready = entry.state is _State.WAITING or before is None or before.sent > entry.sent
            return (entry, before) if ready else None
        return None


class Outbox:
    def __init__(self, capacity: int = OUTBOX_MESSAGES) -> None:
        self._capacity = capacity
        self._queues: dict[ConversationId, _Queue] = {}
        # Queues with a message that is not in flight. A queue that was served goes to the end, so
        # that conversations take turns.
        self._unsent: OrderedDict[ConversationId, None] = OrderedDict()
        self._by_id: dict[ClientMessageId, ConversationId] = {}
        self._in_flight = 0
        self._window = 1
        self._sends = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def conversation_of(self, id: ClientMessageId) -> ConversationId | None:
        """The conversation of a message in the outbox."""
        return self._by_id.get(id)

    @property
    def is_full(self) -> bool:
        return len(self._by_id) >= self._capacity

    def connected(self, window: int, now: float) -> None:
        """A new connection. Messages in flight are sent again with the same ids, in order."""
        self._window = max(window, 1)
        self._in_flight = 0
        for conversation in sorted(self._queues, key=order):
            queue = self._queues[conversation]
            queue.not_before = None
            for entry in queue.entries.values():
                if entry.state is _State.IN_FLIGHT:
                    entry.unresolved_since = now
                entry.state = _State.WAITING
            self._unsent[conversation] = None

    def push(
        self,
        conversation: ConversationId,
        id: ClientMessageId,
        kind: int,
        content: bytes,
        earlier_since: float | None = None,
        context: bytes = b"",
    ) -> bool:
        """Appends a message. False: the outbox is full, or has this id.

        `earlier_since` is the time now for a message of an earlier process, which may have sent it.
        """
        if self.is_full or id in self._by_id:
            return False
        self._by_id[id] = conversation
        queue = self._queues.setdefault(conversation, _Queue())
        queue.entries[id] = _Entry(id, kind, content, context, earlier_since)
        self._unsent[conversation] = None
        return True

    def next(self, now: float) -> Outgoing | None:
        """The next message to send. It counts as in flight from here on."""
        if self._in_flight >= self._window:
            return None
        for conversation in self._unsent:
            queue = self._queues[conversation]
            found = queue.sendable(now)
            if found is None:
                continue
            entry, before = found
            self._sends += 1
            self._in_flight += 1
            entry.state, entry.sent = _State.IN_FLIGHT, self._sends
            if next(reversed(queue.entries.values())) is entry:
                # No one waits behind it.
                del self._unsent[conversation]
            else:
                self._unsent.move_to_end(conversation)
            after = before.id if before else None
            return Outgoing(conversation, entry.id, after, entry.kind, entry.content, entry.context)
        return None

    def wake_at(self, now: float) -> float | None:
        """When, after `now`, `next` may return a message that is delayed now."""
        times = (self._queues[conversation].not_before for conversation in self._unsent)
        return min((at for at in times if at is not None and at > now), default=None)

    def acked(self, id: ClientMessageId) -> bool:
        """The message is in the log. False: it was settled before."""
        return self._remove(id)

    def refused(self, id: ClientMessageId, refused: Refused, now: float, after: float = 0.0) -> bool:
        """The message was refused. True: definitely, and for the first time."""
        conversation = self._by_id.get(id)
        if conversation is None:
            return False
        queue = self._queues[conversation]
        entry = queue.entries[id]
        if refused is Refused.FOR_GOOD:
            # An earlier send may still commit after this refusal.
            until = 0.0 if entry.unresolved_since is None else entry.unresolved_since + limits.DOUBT_SECONDS
            if until <= now:
                return self._remove(id)
            refused, after = Refused.LATER, until - now
        # A late answer to an earlier send says nothing about the one in flight. The driver drops
        # answers of old connections, and a repeated answer finds the entry waiting.
        if entry.state is _State.IN_FLIGHT:
            out_of_order = refused is Refused.OUT_OF_ORDER
            entry.state = _State.AWAITING_PREDECESSOR if out_of_order else _State.WAITING
            self._in_flight -= 1
            self._unsent[conversation] = None
        if refused is Refused.OUT_OF_ORDER:
            return False
        if refused is Refused.UNKNOWN:
            entry.unresolved_since = now
        at = now + (after if after > 0 else RETRY)
        queue.not_before = at if queue.not_before is None else max(queue.not_before, at)
        return False

    def _remove(self, id: ClientMessageId) -> bool:
        conversation = self._by_id.pop(id, None)
        if conversation is None:
            return False
        queue = self._queues[conversation]
        if queue.entries.pop(id).state is _State.IN_FLIGHT:
            self._in_flight -= 1
        if not queue.entries:
            del self._queues[conversation]
            self._unsent.pop(conversation, None)
        return True
