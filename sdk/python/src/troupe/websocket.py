"""Frames over WebSocket, for networks that let only HTTP through. Needs the extra `websocket`.

The package `websockets` reads and writes the protocol here, without its own sockets, so that TLS and
pins are those of TCP. Each frame is one binary message.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from . import limits
from .errors import ProtocolError, Rejected, Unavailable
from .transport import Transport, open_stream
from .trust import Target, Trust

_PATH = "/v1/ws"
# Bytes per read.
_READ = 16 * 1024
# Seconds to write the rest of the output when a connection is closed.
_CLOSE = 1.0

try:
    from websockets.client import ClientProtocol
    from websockets.exceptions import InvalidURI, WebSocketException
    from websockets.frames import Frame, Opcode
    from websockets.protocol import State
    from websockets.uri import parse_uri
except ImportError as error:
    raise Rejected("ws:// and wss:// want the extra: pip install 'troupe-chat[websocket]'", "bad_request") from error


class WebSocketTransport:
    def __init__(
        self, protocol: ClientProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._protocol = protocol
        self._reader = reader
        self._writer = writer
        # Events of the bytes that were read last: a few frames.
        self._events: deque[object] = deque()
        # Fragments of a message that is not complete; the protocol bounds them together.
        self._parts: list[bytes] = []

    async def open(self) -> None:
        """The request for the upgrade, and its answer."""
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            await self._read()
            # Frames may have come with the answer.
            while self._events and not isinstance(self._events[0], Frame):
                self._events.popleft()
        if self._protocol.handshake_exc is not None:
            raise Unavailable(f"no WebSocket: {self._protocol.handshake_exc}")

    async def send(self, frames: list[bytes]) -> None:
        for frame in frames:
            if self._protocol.state is not State.OPEN:
                raise ConnectionResetError("the WebSocket is closed")
            self._protocol.send_binary(frame)
        await self._flush()

    async def receive(self) -> bytes | None:
        while True:
            while self._events:
                event = self._events.popleft()
                if not isinstance(event, Frame) or event.opcode in (Opcode.PING, Opcode.PONG):
                    continue
                if event.opcode is Opcode.CLOSE:
                    return None
                if event.opcode is Opcode.TEXT:
                    raise ProtocolError("the server answers in text: this is no Troupe server")
                self._parts.append(bytes(event.data))
                if event.fin:
                    message = b"".join(self._parts)
                    self._parts.clear()
                    return message
            if self._protocol.state is State.CLOSED or self._reader.at_eof():
                return None
            await self._read()

    async def close(self) -> None:
        # A peer that does not read is dropped.
        with suppress(OSError, asyncio.TimeoutError):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
            await asyncio.wait_for(self._flush(), _CLOSE)
        self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _read(self) -> None:
        data = await self._reader.read(_READ)
        try:
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
        except WebSocketException as error:
            raise ProtocolError(f"the server breaks the WebSocket protocol: {error}") from error
        self._events.extend(self._protocol.events_received())
        # Answers to pings and to a close.
        await self._flush()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
        await self._writer.drain()


async def dial_websocket(to: Target, trust: Trust) -> tuple[Transport, str]:
    scheme = "wss" if to.tls else "ws"
    try:
        uri = parse_uri(f"{scheme}://{to.dial}{to.path or _PATH}")
    except InvalidURI as error:
        raise Rejected(f"{to.address} is no address of a WebSocket: {error}", "bad_request") from error
    reader, writer, seen = await open_stream(to, trust)
    transport = WebSocketTransport(ClientProtocol(uri, max_size=limits.SERVER_FRAME_BYTES), reader, writer)
    try:
        await transport.open()
    except OSError as error:
        transport.abort()
        raise Unavailable(f"{to.address}: {error}") from error
    except BaseException:
        transport.abort()
        raise
    return transport, seen
