"""The task behind a client: it finds a node, logs in, and moves messages between the state machines,
the connection and the application.

`outbox` and `inbox` decide about order and repetition. The driver owns time: when to try another node,
when to give up a silent one, and when to retry. Answers and pushes change its state where they arrive;
its task then performs the actions that have become possible.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from weakref import WeakValueDictionary

from . import wire
from .connection import Connection
from .errors import Overloaded, Rejected, Stopped, StoreError, TroupeError, Untrusted, words
from .handle import SendHandle
from .ids import ClientMessageId, ConversationId, Seq, UserId
from .inbox import Inbox
from .incoming import (
    Acked,
    Connecting,
    EventReceived,
    Incoming,
    Kicked,
    Offline,
    Online,
    Restored,
    Settled,
    State,
    StateChanged,
)
from .nodes import Nodes
from .online import Link
from .options import Options, log_in
from .outbox import Outbox, Refused
from .positions import ReadPositions
from .store import Queued, Session
from .trust import followed, target

# Items of the application's queue that are reserved for notices.
NOTICES = 64
# Codes of `kicked` after which the client connects again and resumes its session.
_SESSION_CONTINUES = ("moved", "slow_consumer", "idle", "no_login", "shutting_down")
# Ends of a client that leave its session valid.
_SESSION_KEPT = ("replaced", "other_user", "store", "untrusted_server")

log = logging.getLogger("troupe")


class Ended(Exception):
    """The client stops with this state."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.state = Kicked(code, text)


class Driver:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.loop = asyncio.get_running_loop()
        saved = options.store.load()
        self.device = options.agree_with(saved)
        self.nodes = Nodes(options.nodes, options.rng)
        self.store = options.store
        self.session: Session | None = saved.session
        self.cluster = saved.cluster
        self.inbox = Inbox()
        self.outbox = Outbox()
        for queued in saved.outbox:
            place, id = queued.conversation, queued.id
            self.outbox.push(place, id, queued.kind, queued.content, self.now(), queued.context)
        # Cursors of conversations that this device does not follow now.
        self.cursors: dict[ConversationId, Seq] = saved.cursors
        # The history that the held events belong to, if the cluster has more than one.
        self.histories = saved.histories
        self.positions = ReadPositions()
        # Delivered to the application, and not yet acknowledged to the server.
        self.taken: dict[ConversationId, Seq] = {}
        self.waiters: WeakValueDictionary[ClientMessageId, SendHandle] = WeakValueDictionary()
        self.state: State = Connecting()
        self.link: Link | None = None
        self.incoming: deque[Incoming] = deque()
        self.ended = False
        # Outcomes without a handle, at most as many as the outbox held, and one notice per
        # conversation after a restore. They wait for room in `incoming`.
        self._settled: deque[Incoming] = deque()
        self._available = asyncio.Event()
        self._changed = asyncio.Event()
        self._wake = asyncio.Event()
        self._closing = False
        self._connecting: asyncio.Task[tuple[Connection, wire.LoggedIn]] | None = None
        self._retry_at: float | None = self.now()

    def now(self) -> float:
        return self.loop.time()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        try:
            while not self._closing and not isinstance(self.state, Kicked):
                self._wake.clear()
                with suppress(Ended):
                    self._act()
                if isinstance(self.state, Kicked):
                    break
                timer = self.loop.call_at(self._wake_at(), self._wake.set)
                await self._wake.wait()
                timer.cancel()
            if self.link is not None:
                await self.link.finish()
                await self.link.connection.close()
                self.link = None
        finally:
            self._drop_connecting()
            if self.link is not None:
                self.link.connection.abort()
                self.link = None
            self.say(Offline("closed"))
            self.ended = True
            self._stop_waiters("it was closed")
            self._available.set()

    def close(self) -> None:
        """The task acknowledges delivered events and closes the connection. It bounds its own time."""
        self._closing = True
        self.wake()

    def send(
        self, conversation: ConversationId, id: ClientMessageId, kind: int, content: bytes, context: bytes
    ) -> SendHandle:
        self.store.queued(Queued(conversation, id, kind, content, context))
        self.outbox.push(conversation, id, kind, content, context=context)
        self.wake()
        return self.handle(conversation, id)

    def handle(self, conversation: ConversationId, id: ClientMessageId) -> SendHandle:
        """The handle of a message in the outbox."""
        handle = self.waiters.get(id)
        if handle is None:
            handle = self.waiters[id] = SendHandle(conversation, id)
        return handle

    async def receive(self) -> Incoming | None:
        while not self.incoming:
            if self.ended:
                return None
            self._available.clear()
            await self._available.wait()
        item = self.incoming.popleft()
        self.wake()
        return item

    def processed(self, item: Incoming) -> None:
        """Stores that the application has this item."""
        try:
            if isinstance(item, EventReceived):
                self.taken[item.conversation] = item.event.seq
                self.store.handed_out(item.conversation, item.event)
            elif isinstance(item, Restored):
                # Stored here and not at detection: events of the old history were still queued.
                self.taken.pop(item.conversation, None)
                self.store.history(item.conversation, item.history, item.kept)
        except StoreError as error:
            # A second delivery after a restart is better than none.
            log.error("cannot store the cursor: %s", error)
        self.wake()

    async def changed(self) -> None:
        """Returns at the next change of the state."""
        self._changed.clear()
        await self._changed.wait()

    # ---- actions

    def _wake_at(self) -> float:
        now = self.now()
        at = now + 60.0
        if self._connecting is None and self._retry_at is not None:
            at = min(at, self._retry_at)
        if self.link is not None:
            later = (self.link.wake_at(now), self.outbox.wake_at(now), self.inbox.wake_at(now))
            at = min([at, *(time for time in later if time is not None)])
        return at

    def _act(self) -> None:
        """Performs all actions that are possible now."""
        now = self.now()
        if self._connecting is None and self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None
            avoid = self.link.connection.address if self.link else None
            address = self.nodes.next(avoid)
            if self.link is None:
                self.say(Connecting())
            attempt = log_in(self.options, address, self.device, self.cluster)
            self._connecting = self.loop.create_task(attempt)
            self._connecting.add_done_callback(lambda _: self.wake())
        if self._connecting is not None and self._connecting.done():
            self._attempted(self._connecting)
        if self.link is not None:
            reason = self.link.watch(now)
            if reason is not None:
                self.lost(reason)
        self._hand_over()
        if self.link is not None:
            self.link.send(now)
            self.link.fetch(now)
            self.link.acknowledge(now)

    def _hand_over(self) -> None:
        """Passes items to the application as far as it has room."""
        most = self.options.room + NOTICES
        while self._settled and len(self.incoming) < most:
            self.incoming.append(self._settled.popleft())
        while len(self.incoming) < self.options.room and (item := self.inbox.take()) is not None:
            self.incoming.append(EventReceived(*item))
        if self.incoming:
            self._available.set()

    def tell(self, item: Incoming) -> None:
        """An optional notice to the application, dropped at the limit."""
        if len(self.incoming) < self.options.room + NOTICES:
            self.incoming.append(item)
            self._available.set()

    def tell_surely(self, item: Incoming) -> None:
        self._settled.append(item)
        self.wake()

    def say(self, state: State) -> None:
        if isinstance(self.state, Kicked) or state == self.state:
            return
        log.debug("state: %s", state)
        self.state = state
        self._changed.set()
        self.tell(StateChanged(state))

    # ---- the life of a connection

    def _attempted(self, attempt: asyncio.Task[tuple[Connection, wire.LoggedIn]]) -> None:
        self._connecting = None
        try:
            connection, logged_in = attempt.result()
        except TroupeError as error:
            self._not_connected(error)
        except asyncio.CancelledError:
            self._retry_at = self.now() + self.nodes.backoff()
        else:
            try:
                self._connected(connection, logged_in)
            except BaseException:
                connection.abort()
                raise

    def _connected(self, connection: Connection, logged_in: wire.LoggedIn) -> None:
        me = UserId(logged_in.user_id)
        if self.session is not None and self.session.user != me:
            self.end("other_user", f"this store belongs to user {self.session.user}, not {me}")
        if logged_in.token:
            self.options.token = logged_in.token
        welcome = connection.welcome
        session = Session(me, logged_in.name, logged_in.device, self.options.token or b"")
        try:
            if self.cluster != welcome.cluster_id:
                self.store.cluster(welcome.cluster_id)
            self.cluster = welcome.cluster_id
            if self.session != session:
                self.store.logged_in(session)
        except StoreError as error:
            self.end("store", f"cannot store the session: {error}")
        self.session = session
        now = self.now()
        self.nodes.learn(self._followed(connection.address, welcome.nodes))
        self.nodes.reached(now)
        self._retry_at = None
        self.outbox.connected(welcome.send_window, now)
        self.inbox.disconnected()
        if self.link is not None:
            self.link.connection.abort()
        self.link = Link(self, connection, me)
        self.say(Online(welcome.node_id, connection.address))

    def _followed(self, origin: str, told: list[str]) -> list[str]:
        """Addresses of other nodes that a node reports, as far as the trust rules allow them."""
        kept = followed(origin, told)
        if self.cluster is not None and target(origin).tls:
            self.options.trust.learn(self.cluster, kept)
        return kept

    def _not_connected(self, error: TroupeError) -> None:
        now = self.now()
        has_password = self.options.name is not None and self.options.password is not None
        if error.code == "expired_token" and has_password and self.options.token is not None:
            self.options.token = None
            self._retry_at = now
            self.wake()
            return
        if isinstance(error, Rejected):
            # A device with a session may be refused as online until the cluster forgets its lost
            # connection, so it retries. A device without one fails at once.
            has_session = self.session is not None and self.session.token != b""
            if error.code != "already_online" or not has_session:
                self.end(error.code, error.text)
        # The address given by the user must be trusted. An untrusted node among the learned
        # addresses is skipped.
        if isinstance(error, Untrusted) and self.cluster is None:
            self.end(error.code, error.text)
        at_least = error.retry_after if isinstance(error, Overloaded) else 0.0
        self._retry_at = now + max(self.nodes.backoff(), at_least)
        if self.link is None:
            self.say(Offline(str(error)))

    def lost(self, reason: str) -> None:
        """The connection is lost. The driver tries another node at once."""
        if self.link is None:
            return
        connection = self.link.connection
        connection.abort()
        self.link = None
        self.inbox.disconnected()
        if self._connecting is None:
            now = self.now()
            self._retry_at = now + self.nodes.lost(connection.address, now)
        self.say(Offline(reason))
        self.wake()

    def go_away(self, nodes: list[str]) -> None:
        """The node stops. The connection stays in use until a new one is ready."""
        if self.link is not None:
            self.nodes.sent_to(self._followed(self.link.connection.address, nodes))
            self._retry_at = self.now()
            self.wake()

    def kicked(self, code: str, text: str) -> None:
        if code in _SESSION_CONTINUES:
            self.lost(words(text))
        else:
            with suppress(Ended):
                self.end(words(code), words(text))

    def end(self, code: str, text: str) -> None:
        """The client stops. Raises Ended."""
        if code not in _SESSION_KEPT:
            try:
                self.store.logged_out()
            except StoreError as error:
                log.error("cannot store the end of the session: %s", error)
        if self.link is not None:
            self.link.connection.abort()
            self.link = None
        self.say(Kicked(code, text))
        self._stop_waiters(code)
        self.wake()
        raise Ended(code, text)

    def _stop_waiters(self, why: str) -> None:
        for handle in list(self.waiters.values()):
            handle.settle(Stopped(f"the client has stopped: {why}; the message is still in the outbox"))
        self.waiters.clear()

    def _drop_connecting(self) -> None:
        attempt, self._connecting = self._connecting, None
        if attempt is None:
            return
        attempt.cancel()

        def dropped(task: asyncio.Task[tuple[Connection, wire.LoggedIn]]) -> None:
            if not task.cancelled() and task.exception() is None:
                task.result()[0].abort()

        attempt.add_done_callback(dropped)

    # ---- outcomes

    def refused(self, id: ClientMessageId, refused: Refused, after: float = 0.0) -> None:
        self.outbox.refused(id, refused, self.now(), after)
        self.wake()

    def settle(self, conversation: ConversationId, id: ClientMessageId, outcome: Acked | TroupeError) -> None:
        """A message leaves the outbox. Only the first outcome counts."""
        if isinstance(outcome, Acked):
            first = self.outbox.acked(id)
        else:
            first = self.outbox.refused(id, Refused.FOR_GOOD, self.now())
        if not first:
            return
        try:
            self.store.settled(id)
        except StoreError as error:
            # It is sent again after a restart, and acknowledged as a duplicate.
            log.error("cannot store the outbox: %s", error)
        handle = self.waiters.pop(id, None)
        if handle is not None:
            handle.settle(outcome)
        else:
            self._settled.append(Settled(conversation, id, outcome))
        self.wake()
