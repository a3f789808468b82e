"""Transports: a stream of frames in both directions, and how to open one.

A frame is the payload of one protocol frame. TCP puts four bytes of length before it.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Protocol

from . import limits
from .errors import ProtocolError, Unavailable, Untrusted
from .trust import Target, Trust

# Bytes read ahead of the reader. At the limit the socket is no longer read.
_READ_BUFFER = 64 * 1024
# Seconds to write the rest of the output when a connection is closed.
_CLOSE = 1.0


class Transport(Protocol):
    async def send(self, frames: list[bytes]) -> None:
        """Writes frames and waits while the peer is slow. Raises OSError when the connection is gone."""

    async def receive(self) -> bytes | None:
        """The next frame, or None at the end. Raises OSError or ProtocolError."""

    async def close(self) -> None:
        """Writes what was sent, then closes. Bounded in time."""

    def abort(self) -> None:
        """Closes at once."""


class Dialer(Protocol):
    async def __call__(self, to: Target, trust: Trust) -> tuple[Transport, str]:
        """Opens a transport. Returns it with the key that the server presented, "" for none."""


class TcpTransport:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, frames: list[bytes]) -> None:
        self._writer.write(b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames))
        await self._writer.drain()

    async def receive(self) -> bytes | None:
        try:
            prefix = await self._reader.readexactly(4)
        except asyncio.IncompleteReadError:
            return None
        length = int.from_bytes(prefix, "big")
        # Checked before anything is read or allocated.
        if not 0 < length <= limits.SERVER_FRAME_BYTES:
            raise ProtocolError(f"a frame of {length} bytes is announced: this is no Troupe server, or it is HTTP")
        try:
            return await self._reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return None

    async def close(self) -> None:
        # A peer that does not read is dropped.
        with suppress(OSError, asyncio.TimeoutError):
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), _CLOSE)
        self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()


async def dial(to: Target, trust: Trust) -> tuple[Transport, str]:
    """Connects over TCP, or over WebSocket if the address says so."""
    if to.websocket:
        # The extra may not be installed.
        from .websocket import dial_websocket

        return await dial_websocket(to, trust)
    reader, writer, seen = await open_stream(to, trust)
    return TcpTransport(reader, writer), seen


async def open_stream(to: Target, trust: Trust) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """A stream to a server, and the key that it presented if the stream is TLS."""
    authority: bytes | None = None
    while True:
        handshake = trust.handshake(to, authority) if to.tls else None
        try:
            reader, writer = await asyncio.open_connection(
                to.host,
                to.port,
                limit=_READ_BUFFER,
                ssl=handshake.context if handshake else None,
                server_hostname=to.host if handshake else None,
            )
        except ssl.SSLError as error:
            raise trust.refused(to, error) or Unavailable(f"TLS with {to.dial}: {error}") from error
        except OSError as error:
            raise Unavailable(f"connecting to {to.dial}: {error}") from error
        if handshake is None:
            return reader, writer, ""
        try:
            seen = trust.examine(to, writer.get_extra_info("ssl_object"), handshake)
        except Untrusted:
            writer.transport.abort()
            raise
        if isinstance(seen, str):
            return reader, writer, seen
        # The chain is one of a cluster: a second handshake verifies it.
        writer.transport.abort()
        authority = seen
