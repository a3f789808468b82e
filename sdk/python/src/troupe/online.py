"""One logged-in connection: requests in flight, incoming messages, and liveness."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from . import limits, wire
from .codec import Message
from .connection import Answer, Connection, Push
from .errors import OutOfOrder, Overloaded, ProtocolError, Rejected, StoreError, TroupeError
from .event import of_wire
from .ids import ClientMessageId, ConversationId, Seq, UserId, conversation_id
from .inbox import Wanted
from .incoming import (
    Acked,
    ConversationAdded,
    ConversationRemoved,
    CursorMoved,
    ContactChanged,
    FavouriteChanged,
    PersonalChanged,
    Invited,
    PresenceChanged,
    ProfileChanged,
    Restored,
    SignalReceived,
    StartAt,
)
from .outbox import Refused

if TYPE_CHECKING:
    from .driver import Driver

# Seconds. A node with pending requests is pinged after this silence ...
_PING_AFTER = 1.0
# ... and given up after this. It is looked at this often.
_GIVE_UP = 2.5
_WATCH = 0.25
# A node without pending requests is pinged at this interval.
_PING_IDLE = 5.0
# Acknowledgements are collected for this long.
_ACKNOWLEDGE = 0.2
# Delay before the conversation list is requested again, if a part of it was missing.
_RELIST = 0.5
# Delay before a page that cannot be used is requested again.
_REFUSED_PAGE = 5.0
# Announcements kept while the list is in flight. Above it one is dropped: the next event repeats it.
_UNLISTED = 20_000

log = logging.getLogger("troupe")


class Link:
    def __init__(self, driver: Driver, connection: Connection, me: UserId) -> None:
        self.connection = connection
        self._driver = driver
        self._me = me
        self._pinging = False
        self._acknowledge_at: float | None = None
        self._list_at: float | None = driver.now()
        self._listing = True
        # Listed conversations whose line was unavailable.
        self._lineless: set[ConversationId] = set()
        # Lines received since the list was requested.
        self._listed: set[ConversationId] = set()
        # Conversations announced while the list was in flight, with their heads.
        self._unlisted: dict[ConversationId, int] = {}
        connection.on_push = self._pushed

    def wake_at(self, now: float) -> float:
        watch = _WATCH if self.connection.in_flight else _PING_IDLE
        times = (self._acknowledge_at, self._list_at)
        return min([now + watch, *(at for at in times if at is not None)])

    def watch(self, now: float) -> str | None:
        """Checks liveness. Returns the reason if the connection is given up."""
        self.connection.expire()
        silence = self.connection.silence()
        if silence >= _GIVE_UP:
            return f"{self.connection.address} is silent"
        if not self._pinging and (silence >= _PING_AFTER or self.connection.unheard() >= _PING_IDLE):
            self._pinging = self._ask(wire.Ping(nonce=1), self._ponged)
        if self._list_at is not None and self._list_at <= now:
            self._list_at = None
            self._listing = True
            self._lineless.clear()
            self._listed.clear()
            self._list("")
        return None

    def send(self, now: float) -> None:
        outbox = self._driver.outbox
        while (outgoing := outbox.next(now)) is not None:
            context = wire.Context.decode(outgoing.context) if outgoing.context else None
            body = wire.Body(outgoing.kind, outgoing.content, context)
            message = wire.Send(outgoing.conversation, outgoing.id, outgoing.after or b"", body)
            conversation, id = outgoing.conversation, outgoing.id
            if not self._ask(message, partial(self._sent, conversation, id)):
                outbox.refused(id, Refused.LATER, now)
                return

    def fetch(self, now: float) -> None:
        inbox = self._driver.inbox
        while (wanted := inbox.next_fetch(now)) is not None:
            message = wire.Fetch(wanted.conversation, wanted.after, False, limits.PAGE_EVENTS)
            if not self._ask(message, partial(self._page, wanted)):
                inbox.fetch_failed(wanted, 0.0, now)
                return

    def acknowledge(self, now: float) -> None:
        taken = self._driver.taken
        if not taken:
            return
        if self._acknowledge_at is None:
            self._acknowledge_at = now + _ACKNOWLEDGE
        elif self._acknowledge_at <= now:
            self._acknowledge_at = None
            for conversation, seq in list(taken.items()):
                try:
                    self.connection.tell(wire.Acknowledge(conversation, seq))
                except TroupeError:
                    # An acknowledgement that does not fit into the queue is sent in the next round.
                    return
                del taken[conversation]

    async def finish(self) -> None:
        """Sends the last acknowledgements, and a ping to confirm that they arrived."""
        self._acknowledge_at = self._driver.now()
        self.acknowledge(self._driver.now())
        try:
            await self.connection.request(wire.Ping(nonce=2), wire.Pong, _PING_AFTER)
        except TroupeError as error:
            log.debug("the last acknowledgements may be lost: %s", error)

    def _ask(self, message: Message, answered: Callable[[Answer], None]) -> bool:
        """Sends a request. False: the queue is full."""
        try:
            self.connection.start(message, answered)
        except TroupeError:
            return False
        return True

    def _list(self, after: str) -> None:
        message = wire.ListConversations(after, limits.PAGE_CONVERSATIONS)
        if not self._ask(message, self._listed_page):
            self._list_at = self._driver.now() + _RELIST

    # ---- answers. A connection that was dropped reports none.

    def _ponged(self, _answer: Answer) -> None:
        self._pinging = False

    def _sent(self, conversation: ConversationId, id: ClientMessageId, answer: Answer) -> None:
        driver = self._driver
        match answer:
            case wire.SendAck():
                driver.settle(conversation, id, Acked(id, Seq(answer.seq), answer.time_ms))
            case Overloaded():
                driver.refused(id, Refused.LATER, answer.retry_after)
            case OutOfOrder():
                driver.refused(id, Refused.OUT_OF_ORDER)
            case Rejected(code="not_logged_in"):
                # The connection lost its session. The next one resumes it.
                driver.lost("the node does not know this session")
            case Rejected():
                driver.settle(conversation, id, answer)
            case _:
                driver.refused(id, Refused.UNKNOWN)
        driver.wake()

    def _page(self, wanted: Wanted, answer: Answer) -> None:
        inbox, now = self._driver.inbox, self._driver.now()
        match answer:
            case wire.Page():
                try:
                    events = [of_wire(event) for event in answer.events]
                    inbox.page(wanted, events, answer.head, answer.more, now)
                except ProtocolError as error:
                    log.error("cannot decode a page; this client may be too old: %s", error)
                    inbox.fetch_failed(wanted, _REFUSED_PAGE, now)
            case Rejected(code="not_member" | "no_such_conversation"):
                self._leave(wanted.conversation)
            case Overloaded():
                inbox.fetch_failed(wanted, answer.retry_after, now)
            case Rejected():
                log.error("the server refused a page of %s: %s", wanted.conversation, answer)
                inbox.fetch_failed(wanted, _REFUSED_PAGE, now)
            case _:
                inbox.fetch_failed(wanted, 0.0, now)
        self._driver.wake()

    def _listed_page(self, answer: Answer) -> None:
        driver = self._driver
        driver.wake()
        if not isinstance(answer, wire.Conversations):
            self._list_at = driver.now() + _RELIST
            return
        for line in answer.conversations:
            conversation = _readable(line.conversation)
            if conversation is None:
                continue
            self._compare(conversation, line.kept)
            if not driver.inbox.knows(conversation):
                self._follow(conversation, self._first(conversation, line.head, line.delivered))
            driver.inbox.head(conversation, line.head)
        if answer.more and answer.conversations:
            return self._list(answer.conversations[-1].conversation)
        self._listing = False
        if answer.unavailable:
            self._list_at = driver.now() + _RELIST
        else:
            self._compare_unlisted()
        # Unavailable conversations wait for their line, which holds the start position.
        self._lineless = {c for c in map(_readable, answer.unavailable) if c is not None}
        waiting = {c: head for c, head in self._unlisted.items() if c in self._lineless}
        met, self._unlisted = self._unlisted, waiting
        for conversation, head in met.items():
            if conversation not in waiting:
                self._meet(conversation, head)

    # ---- pushes

    def _pushed(self, push: Push | None) -> None:
        driver = self._driver
        match push:
            case None:
                driver.lost("the connection was closed")
            case wire.Kicked():
                driver.kicked(push.code, push.text)
            case wire.GoAway():
                driver.go_away(push.nodes)
            case wire.ProfilePush():
                own = push.profile or wire.OwnProfile()
                driver.tell(ProfileChanged(own.profile or wire.Profile(), own.version, own.messages_from))
            case wire.FavouritePush():
                if (conversation := _readable(push.conversation)) is not None:
                    driver.tell(FavouriteChanged(conversation, Seq(push.seq), push.removed, push.version))
            case wire.PersonalPush():
                state = push.personal or wire.Personal()
                if (conversation := _readable(state.conversation)) is not None:
                    driver.tell(PersonalChanged(conversation, state))
            case wire.PresencePush():
                driver.tell(PresenceChanged(UserId(push.user_id), push.online, push.last_seen_ms))
            case wire.ContactPush():
                driver.tell(ContactChanged(push.contact or wire.Contact()))
            case _:
                conversation = _readable(push.conversation)
                if conversation is not None:
                    self._news(conversation, push)
        driver.wake()

    def _news(
        self,
        conversation: ConversationId,
        push: wire.EventPush | wire.ConversationPush | wire.InvitationPush | wire.CursorPush | wire.SignalPush,
    ) -> None:
        driver = self._driver
        match push:
            case wire.EventPush():
                self._event(conversation, push)
            case wire.ConversationPush(present=True):
                self._meet(conversation, push.head)
            case wire.ConversationPush():
                self._leave(conversation)
            case wire.InvitationPush():
                driver.tell(Invited(conversation, UserId(push.invited_by)))
            case wire.SignalPush():
                user, payload = UserId(push.user_id), push.payload
                driver.tell(SignalReceived(conversation, user, push.device, push.kind, payload, Seq(push.seq)))
            case wire.CursorPush():
                user = UserId(push.user_id)
                merged = driver.positions.advance(conversation, user, push.delivered, push.read)
                if merged is not None:
                    driver.tell(CursorMoved(conversation, user, Seq(merged[0]), Seq(merged[1])))

    def _event(self, conversation: ConversationId, push: wire.EventPush) -> None:
        if push.event is None:
            return
        try:
            event = of_wire(push.event)
        except ProtocolError as error:
            return log.error("cannot decode an event; this client may be too old: %s", error)
        if event.sender == self._me:
            # An own message in the log is as good as its ack.
            id = event.client_message_id
            self._driver.settle(conversation, id, Acked(id, event.seq, event.time_ms))
        self._meet(conversation, event.seq)
        self._driver.inbox.push(conversation, event)

    def _meet(self, conversation: ConversationId, head: int) -> None:
        """A conversation with events up to `head`, possibly a new one."""
        driver = self._driver
        if driver.inbox.knows(conversation):
            return driver.inbox.head(conversation, head)
        unsure = self._listing or conversation in self._lineless
        if unsure and conversation not in driver.cursors:
            if len(self._unlisted) < _UNLISTED or conversation in self._unlisted:
                self._unlisted[conversation] = max(head, self._unlisted.get(conversation, 0))
            return
        self._follow(conversation, self._first(conversation, head, None))
        driver.inbox.head(conversation, head)
        driver.tell(ConversationAdded(conversation, Seq(head)))

    def _follow(self, conversation: ConversationId, first: int) -> None:
        driver = self._driver
        cursor = driver.cursors.pop(conversation, None)
        if cursor is not None:
            return driver.inbox.follow(conversation, cursor)
        driver.inbox.follow(conversation, first)
        try:
            driver.store.cursor(conversation, Seq(first))
        except StoreError as error:
            log.error("cannot store the cursor: %s", error)

    def _leave(self, conversation: ConversationId) -> None:
        driver = self._driver
        cursor = driver.inbox.cursor(conversation)
        if cursor is not None:
            driver.cursors[conversation] = cursor
            driver.inbox.leave(conversation)
            driver.positions.forget(conversation)
            driver.tell(ConversationRemoved(conversation))

    def _first(self, conversation: ConversationId, head: int, delivered: int | None) -> int:
        """The start position in a conversation that the device has never followed.

        `delivered` is known if the conversation was listed.
        """
        start = self._driver.options.start_at
        if start is StartAt.BEGINNING:
            return 0
        if start is StartAt.HEAD and delivered is not None:
            return head
        if start is StartAt.DELIVERED and delivered:
            return min(delivered, head)
        if conversation == "everyone":
            return head if delivered is not None else max(head - 1, 0)
        # Pages of a group begin with the event that made the user a member.
        return 0

    # ---- devices that are ahead of a restored cluster

    def _compare(self, conversation: ConversationId, kept: int) -> None:
        """A line of the list: events up to `kept` are the same in all histories."""
        driver = self._driver
        self._listed.add(conversation)
        history = self.connection.welcome.history
        if not history or driver.histories.get(conversation) == history:
            return
        driver.histories[conversation] = history
        cursor = driver.inbox.cursor(conversation)
        if cursor is None:
            cursor = driver.cursors.get(conversation)
        if cursor is None or cursor <= kept:
            try:
                driver.store.history(conversation, history, None)
            except StoreError as error:
                log.error("cannot store the history; it is compared again after a restart: %s", error)
            return
        lost = cursor - kept
        log.warning("%s: the cluster was restored and lacks %d events of this device", conversation, lost)
        driver.inbox.go_back(conversation, kept)
        if conversation in driver.cursors:
            driver.cursors[conversation] = Seq(kept)
        driver.positions.forget(conversation)
        driver.taken.pop(conversation, None)
        driver.tell_surely(Restored(conversation, Seq(kept), lost, history))

    def _compare_unlisted(self) -> None:
        """The list is complete: held conversations that it lacks were lost entirely."""
        if self.connection.welcome.history:
            held = {*self._driver.inbox.followed(), *self._driver.cursors}
            for conversation in held - self._listed:
                self._compare(conversation, 0)


def _readable(conversation: str) -> ConversationId | None:
    """None: a form of a later version."""
    try:
        return conversation_id(conversation)
    except Rejected:
        return None
