"""One connection: hello, requests with their answers, pushes.

The lowest layer of the SDK. It never reconnects or retries: a closed connection stays closed, and each
unanswered request on it is unknown. `Client` does the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from . import __version__, limits, wire
from .codec import Message, arm
from .errors import Overloaded, ProtocolError, TroupeError, Unavailable, closed, of_failure
from .transport import Dialer, Transport, dial
from .trust import Trust, target

PROTOCOL_VERSION = 1
# Seconds for connect, TLS and hello. After it the caller tries another node.
CONNECT_TIMEOUT = 1.0
# Seconds for an answer. After it the outcome of the request is unknown.
REQUEST_TIMEOUT = 5.0
# Seconds for a login: the server may hash other passwords first.
LOGIN_TIMEOUT = 10.0
# Frames waiting to be written. At the limit `start` refuses.
_OUT_FRAMES = 1_024
# Frames per write.
_WRITE_BATCH = 64

_log = logging.getLogger("troupe")
_requests = {field.message: field.name for field in wire.ClientFrame.FIELDS if field.message is not None}
_T = TypeVar("_T", bound=Message)

Answer = Message | TroupeError
Push = (
    wire.EventPush
    | wire.CursorPush
    | wire.ConversationPush
    | wire.InvitationPush
    | wire.ProfilePush
    | wire.SignalPush
    | wire.PresencePush
    | wire.ContactPush
    | wire.PersonalPush
    | wire.FavouritePush
    | wire.Kicked
    | wire.GoAway
)
_PUSHES = (
    wire.EventPush,
    wire.CursorPush,
    wire.ConversationPush,
    wire.InvitationPush,
    wire.ProfilePush,
    wire.SignalPush,
    wire.PresencePush,
    wire.ContactPush,
    wire.PersonalPush,
    wire.FavouritePush,
    wire.Kicked,
    wire.GoAway,
)


@dataclass(slots=True)
class _Pending:
    answered: Callable[[Answer], None]
    deadline: float


class Connection:
    """Made by `open_connection`. `on_push` is called with each push, in order; None is the end."""

    def __init__(self, transport: Transport, address: str, welcome: wire.Welcome) -> None:
        self.address = address
        self.welcome = welcome
        self.on_push: Callable[[Push | None], None] | None = None
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, _Pending] = {}
        self._last_id = 1
        self._last_heard = self._waiting_since = self._loop.time()
        self._out: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._closed = False
        self._closing = False
        # Half of the interval that the server asks for, so that one late packet is harmless.
        quiet = max(welcome.ping_seconds, 2) / 2
        self._tasks = [self._loop.create_task(self._read()), self._loop.create_task(self._write(quiet))]

    @property
    def in_flight(self) -> int:
        return len(self._pending)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def silence(self) -> float:
        """Seconds for which the server has been silent while it owes an answer. Zero if it owes none."""
        if not self._pending:
            return 0.0
        return self._loop.time() - max(self._last_heard, self._waiting_since)

    def unheard(self) -> float:
        """Seconds since the last frame of the server."""
        return self._loop.time() - self._last_heard

    def start(
        self, message: Message, answered: Callable[[Answer], None], timeout: float = REQUEST_TIMEOUT
    ) -> None:
        """Queues a request. `answered` is called once, or never if `abort` comes first."""
        self._check()
        now = self._loop.time()
        self._last_id += 1
        self._enqueue(self._last_id, message)
        if not self._pending:
            self._waiting_since = now
        self._pending[self._last_id] = _Pending(answered, now + timeout)

    def tell(self, message: Message) -> None:
        """Queues a frame that has no answer."""
        self._check()
        self._last_id += 1
        self._enqueue(self._last_id, message)

    async def request(self, message: Message, answer: type[_T], timeout: float = REQUEST_TIMEOUT) -> _T:
        """Sends a request and waits for its answer, which is of that type. Raises what `Failure` says."""
        future: asyncio.Future[Answer] = self._loop.create_future()

        def answered(value: Answer) -> None:
            if not future.done():
                future.set_result(value)

        self.start(message, answered, timeout)
        # At the deadline the outcome is unknown.
        timer = self._loop.call_later(timeout, answered, _late())
        try:
            got = await future
        finally:
            timer.cancel()
            self._forget(answered)
        if isinstance(got, TroupeError):
            raise got
        if not isinstance(got, answer):
            raise unexpected(got)
        return got

    def expire(self) -> None:
        """Ends requests whose answer takes too long."""
        now = self._loop.time()
        late = [id for id, pending in self._pending.items() if pending.deadline <= now]
        for id in late:
            self._pending.pop(id).answered(_late())

    async def close(self) -> None:
        """Writes queued frames and closes the connection."""
        self._closing = True
        self._more.set()
        await asyncio.wait(self._tasks[1:], timeout=CONNECT_TIMEOUT)
        self.abort()

    def abort(self) -> None:
        """Closes at once. Requests without an answer get none, and `on_push` is not called again."""
        self._closed = True
        self.on_push = None
        self._pending.clear()
        self._out.clear()
        for task in self._tasks:
            task.cancel()
        self._transport.abort()

    def _check(self) -> None:
        if self._closed or self._closing:
            raise closed()
        if len(self._out) >= _OUT_FRAMES:
            raise Overloaded("this connection has much to write", "connection_queue", 0.01)

    def _enqueue(self, id: int, message: Message) -> None:
        payload = encoded(id, message)
        if len(payload) > limits.FRAME_BYTES:
            raise of_failure(1, "too_large", "this request is larger than a frame may be", 0)
        self._out.append(payload)
        self._more.set()

    def _forget(self, answered: Callable[[Answer], None]) -> None:
        for id, pending in self._pending.items():
            if pending.answered is answered:
                del self._pending[id]
                return

    async def _read(self) -> None:
        try:
            while (payload := await self._transport.receive()) is not None:
                self._last_heard = self._loop.time()
                frame = wire.ServerFrame.decode(payload)
                found = arm(frame, "message")
                # A message of a later version is ignored.
                if found is not None and not self._heard(frame.request_id, found[1]):
                    break
        except (OSError, ProtocolError) as error:
            _log.debug("the connection to %s ends: %s", self.address, error)
        finally:
            self._ended()

    def _heard(self, request_id: int, message: object) -> bool:
        if request_id:
            pending = self._pending.pop(request_id, None)
            if pending is None:
                return True
            if isinstance(message, wire.Failure):
                pending.answered(of_failure(message.kind, message.code, message.text, message.retry_after_ms))
            elif isinstance(message, Message):
                pending.answered(message)
        elif isinstance(message, wire.Ping):
            # A full queue is a sign of life as well.
            with suppress(Overloaded, Unavailable):
                self.tell(wire.Pong(nonce=message.nonce))
        elif isinstance(message, wire.Failure):
            # The server refuses the connection as a whole and closes it.
            _log.warning("%s closed the connection: %s", self.address, of_failure(1, message.code, message.text, 0))
            return False
        elif isinstance(message, _PUSHES) and self.on_push is not None:
            self.on_push(message)
        return True

    def _ended(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._more.set()
        pending, self._pending = self._pending, {}
        for one in pending.values():
            one.answered(closed())
        if self.on_push is not None:
            self.on_push(None)
        self._transport.abort()

    async def _write(self, quiet: float) -> None:
        try:
            while not self._closed:
                self._more.clear()
                if not self._out:
                    if self._closing:
                        return await self._transport.close()
                    try:
                        await asyncio.wait_for(self._more.wait(), quiet)
                    except asyncio.TimeoutError:
                        # The reader drops its answer, but counts it as a sign of life. Id 1 was hello's.
                        self._out.append(encoded(1, wire.Ping()))
                    continue
                batch = [self._out.popleft() for _ in range(min(_WRITE_BATCH, len(self._out)))]
                await self._transport.send(batch)
        except OSError:
            # The reader notices the end too, and reports it.
            self._transport.abort()


async def open_connection(address: str, trust: Trust | None = None, dialer: Dialer = dial) -> Connection:
    """Connects to an address and says hello. Only hello is sent before the server's key is verified."""
    trust = trust or Trust()
    to = target(address)
    try:
        # The first contact with a cluster takes two handshakes.
        transport, seen = await asyncio.wait_for(dialer(to, trust), 2 * CONNECT_TIMEOUT)
    except asyncio.TimeoutError:
        raise Unavailable(f"connecting to {address} takes too long") from None
    try:
        welcome = await asyncio.wait_for(_greet(transport), CONNECT_TIMEOUT)
        if to.tls:
            trust.confirm(to, welcome.cluster_id, seen)
        return Connection(transport, address, welcome)
    except asyncio.TimeoutError:
        transport.abort()
        raise Unavailable(f"{address} does not greet") from None
    except OSError as error:
        transport.abort()
        raise Unavailable(f"{address}: {error}") from error
    except BaseException:
        transport.abort()
        raise


async def _greet(transport: Transport) -> wire.Welcome:
    hello = wire.Hello(PROTOCOL_VERSION, PROTOCOL_VERSION, f"troupe-chat-python/{__version__}")
    await transport.send([encoded(1, hello)])
    payload = await transport.receive()
    if payload is None:
        raise closed()
    frame = wire.ServerFrame.decode(payload)
    if frame.failure is not None:
        failure = frame.failure
        raise of_failure(failure.kind, failure.code, failure.text, failure.retry_after_ms)
    if frame.welcome is None:
        raise ProtocolError("the first frame was no welcome")
    return frame.welcome


def encoded(id: int, message: Message) -> bytes:
    """A frame with this request."""
    frame = wire.ClientFrame(request_id=id)
    setattr(frame, _requests[type(message)], message)
    return frame.encode()


def unexpected(message: Message) -> ProtocolError:
    """The server answered with a message that does not fit the request."""
    return ProtocolError(f"unexpected answer {type(message).__name__}")


def _late() -> Unavailable:
    return Unavailable("the answer takes too long")
