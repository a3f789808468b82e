"""The public face of the SDK: a client for sends and requests, and the stream of incoming events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

from . import limits, wire
from .codec import Message
from .connection import Connection, open_connection
from .content import TypedBody, context_of, kind_of
from .driver import Driver
from .errors import OutboxFull, Overloaded, Rejected, Stopped, TroupeError, Unavailable
from .event import TEXT, Event
from .handle import SendHandle
from .ids import ClientMessageId, ConversationId, Seq, UserId, client_message_id, conversation_id
from .incoming import Incoming, Kicked, Offline, Online, StartAt, State
from .nodes import Nodes
from .options import Options
from .requests import Requests
from .store import MemoryStore, Store
from .transport import Dialer, dial
from .trust import Trust

# Seconds between two attempts at the same node.
_PAUSE = 0.05
_T = TypeVar("_T")
_M = TypeVar("_M", bound=Message)


class Client(Requests):
    """A logged-in device.

        async with Client(["127.0.0.1:7700"], name="alice", password="...", device="laptop") as client:
            acked = await client.send(EVERYONE, "hello")
            async for incoming in client.events:
                ...

    A message that `send` accepted is sent exactly once, whatever happens to nodes and connections, and
    messages of one device to one conversation keep their order. Every event is delivered once, in order
    and without gaps.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        *,
        name: str | None = None,
        password: str | None = None,
        invite: str = "",
        token: bytes | None = None,
        device: str | None = None,
        store: Store | None = None,
        trust: Trust | None = None,
        start_at: StartAt = StartAt.DELIVERED,
        patience: float = 15.0,
        room: int = 1_024,
        dialer: Dialer = dial,
        rng: random.Random | None = None,
    ) -> None:
        """
        nodes: addresses `host:port`. They use TLS unless the host is this machine; `tls://` and
            `tcp://` are explicit, `ws://` and `wss://` use WebSocket. The client learns the others.
        name, password: used if the store has no session, or its session has ended.
        token: a session from elsewhere, as `Client.token` returns it.
        device: the name of this device; a user has one session per device.
        store: session, outbox and cursors; memory by default.
        patience: seconds for which `connect` and requests look for a node. Sends wait forever.
        room: events kept ready for the application. The client fetches more when it has taken some.
        """
        self._options = Options(
            nodes=nodes,
            name=name,
            password=password,
            invite=invite,
            token=token,
            device=device,
            store=store if store is not None else MemoryStore(),
            trust=trust or Trust(),
            start_at=start_at,
            patience=patience,
            room=max(room, 1),
            rng=rng or random.SystemRandom(),
            dialer=dialer,
        )
        self._driver: Driver | None = None
        self._task: asyncio.Task[None] | None = None
        self.events = Events(self)

    async def register(self) -> UserId:
        """Registers name and password once, at any node that answers. Does not log in."""
        options = self._options
        if options.name is None or options.password is None:
            raise Rejected("a registration wants name and password", "bad_request")
        request = options.rng.randbytes(16)
        message = wire.Register(options.name, options.password, request, options.invite)

        async def attempt(address: str) -> UserId:
            connection = await open_connection(address, options.trust, options.dialer)
            try:
                return UserId((await connection.request(message, wire.Registered)).user_id)
            finally:
                connection.abort()

        return await self._anywhere(attempt)

    def start(self) -> None:
        """Starts without waiting. Messages stay in the outbox until a node is found."""
        if self._driver is not None:
            raise Stopped("a client starts once: make another one")
        self._driver = Driver(self._options)
        self._task = asyncio.get_running_loop().create_task(self._driver.run())

    async def connect(self) -> None:
        """Starts and waits for the login."""
        self.start()
        try:
            await self.wait_online()
        except BaseException:
            await self.close()
            raise

    async def wait_online(self, patience: float | None = None) -> None:
        driver = self._running()
        deadline = driver.now() + (self._options.patience if patience is None else patience)
        while not isinstance(driver.state, Online):
            if isinstance(driver.state, Kicked):
                raise Rejected(driver.state.text, driver.state.code)
            if driver.ended:
                raise Stopped("the client has stopped: it was closed")
            try:
                await asyncio.wait_for(driver.changed(), deadline - driver.now())
            except asyncio.TimeoutError:
                state = driver.state
                raise Unavailable(state.reason if isinstance(state, Offline) else "no node answers") from None

    async def close(self) -> None:
        """Acknowledges delivered events and closes the connection. Session and outbox remain."""
        if self._driver is not None and self._task is not None:
            self._driver.close()
            await asyncio.wait([self._task])
        self._options.store.close()

    def kill(self) -> None:
        """Ends like a killed process: nothing is acknowledged, and nothing is waited for."""
        if self._task is not None:
            self._task.cancel()
        if self._driver is not None and self._driver.link is not None:
            self._driver.link.connection.abort()

    async def __aenter__(self) -> Client:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def send(
        self,
        conversation: ConversationId | str,
        body: str | bytes | TypedBody,
        *,
        kind: int = TEXT,
        id: ClientMessageId | bytes | None = None,
        reply_to: Seq | int = 0,
        thread: Seq | int = 0,
        mentions: Iterable[UserId | int] = (),
        mentions_everyone: bool = False,
        expires_in_ms: int = 0,
        stream: bool = False,
    ) -> SendHandle:
        """Puts a message into the outbox, and into the store. Await the handle for its place.

        Sending twice with one `id` never creates a second message: the first content stays. `kind` is
        the kind of the body: 1 is text, 1000 and above are the application's own. A typed body, such as
        `wire.ImageBody`, brings its own kind. `reply_to` and `thread` are seqs of messages.
        The content vanishes `expires_in_ms` after the message is sent, everywhere; 0: it stays. With `stream`
        it grows by `write_piece` until `end_stream`, and its first text may be empty.
        """
        driver = self._running()
        if isinstance(body, str):
            content = body.encode("utf-8")
        elif isinstance(body, bytes | bytearray | memoryview):
            content = bytes(body)
        else:
            kind, content = kind_of(body), body.encode()
        context = context_of(reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream)
        if len(content) > limits.MESSAGE_BYTES:
            raise Rejected(f"a message has at most {limits.MESSAGE_BYTES} bytes", "too_large")
        if kind == TEXT and not content and not stream:
            raise Rejected("a text is not empty", "bad_request")
        if isinstance(driver.state, Kicked):
            raise Stopped(f"the client has stopped: {driver.state.text}")
        if driver.ended:
            raise Stopped("the client has stopped: it was closed")
        place = conversation_id(conversation)
        message = client_message_id(self._options.rng.randbytes(16) if id is None else id)
        held = driver.outbox.conversation_of(message)
        if held == place:
            # An application that was restarted sends what it had sent before.
            return driver.handle(place, message)
        if held is not None:
            raise Rejected("a message to another conversation has this id, and waits in the outbox", "bad_request")
        if driver.outbox.is_full:
            raise OutboxFull
        return driver.send(place, message, kind, content, context)

    @property
    def outbox_len(self) -> int:
        """Messages without an outcome."""
        return len(self._running().outbox)

    @property
    def state(self) -> State:
        return self._running().state

    @property
    def user(self) -> UserId | None:
        """The user id, or None before the first login."""
        session = self._running().session
        return session.user if session is not None else None

    @property
    def name(self) -> str | None:
        session = self._running().session
        return session.name if session is not None else None

    @property
    def device(self) -> str:
        return self._running().device

    @property
    def token(self) -> bytes | None:
        """The session secret, to continue the session elsewhere."""
        session = self._running().session
        return session.token if session is not None else None

    @property
    def connection(self) -> Connection | None:
        """The current connection, for requests without a method. It may close at any time."""
        link = self._running().link
        return link.connection if link is not None else None

    def search(self, word: str, limit: int = 50) -> list[tuple[ConversationId, Event]]:
        """Messages kept on this device whose text contains `word`: the newest, oldest first."""
        return self._options.store.search(word, limit)

    async def call(self, message: Message, answer: type[_M]) -> _M:
        """Asks any node until one answers. Only for requests that may be repeated."""
        driver = self._running()
        deadline = driver.now() + self._options.patience
        while True:
            await self.wait_online(max(deadline - driver.now(), 0.0))
            last: TroupeError = Unavailable("no node could do it in time: try again")
            pause = _PAUSE
            try:
                # Between two connections there is none. The state changes soon.
                if driver.link is not None:
                    return await driver.link.connection.request(message, answer)
            except Overloaded as error:
                # Nothing was applied, and the server has named the reason and a delay.
                last, pause = error, max(error.retry_after, _PAUSE)
            except Unavailable:
                pass
            except Rejected as error:
                if error.code != "not_logged_in":
                    raise
            if driver.now() + pause >= deadline:
                raise last
            await asyncio.sleep(pause)

    async def once(self, message: Message, answer: type[_M]) -> _M:
        link = self._running().link
        if link is None:
            raise Unavailable("not connected: try again")
        return await link.connection.request(message, answer)

    def request_id(self) -> bytes:
        return self._options.rng.randbytes(16)

    async def _anywhere(self, attempt: Callable[[str], Awaitable[_T]]) -> _T:
        """Asks one node after another until the patience ends."""
        loop = asyncio.get_running_loop()
        nodes = Nodes(self._options.nodes, self._options.rng)
        deadline = loop.time() + self._options.patience
        while True:
            try:
                return await attempt(nodes.next())
            except TroupeError as error:
                told = error.retry_after if isinstance(error, Overloaded) else 0.0
                pause = max(nodes.backoff(), told)
                if not error.transient or loop.time() + pause >= deadline:
                    raise
                await asyncio.sleep(pause)

    def _running(self) -> Driver:
        if self._driver is None:
            raise Stopped("the client was not started: use `async with`, connect() or start()")
        return self._driver


class Events:
    """The stream of incoming events, for one reader. `async for` ends after the client has ended."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def next(self) -> Incoming | None:
        """The next item, or None after the client has ended.

        The event and its cursor are stored before this returns, so the event counts as delivered.
        """
        incoming = await self.receive()
        if incoming is not None:
            self.processed(incoming)
        return incoming

    async def receive(self) -> Incoming | None:
        """Like `next`, but an event counts as delivered only after `processed`.

        A process that ends in between receives it again: at least once instead of at most once.
        """
        return await self._client._running().receive()

    def processed(self, incoming: Incoming) -> None:
        """Marks an item from `receive` as processed. Call it in the same order."""
        self._client._running().processed(incoming)

    def __aiter__(self) -> AsyncIterator[Incoming]:
        return self

    async def __anext__(self) -> Incoming:
        incoming = await self.next()
        if incoming is None:
            raise StopAsyncIteration
        return incoming
