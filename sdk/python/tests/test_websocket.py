"""The WebSocket transport against the server of the package `websockets`."""

from __future__ import annotations

import asyncio

import pytest
import troupe
from troupe import Unavailable, limits, wire
from troupe.connection import open_connection

websockets = pytest.importorskip("websockets", reason="the package websockets is missing")

from websockets.asyncio.server import ServerConnection, serve  # noqa: E402


def answer(payload: bytes) -> bytes:
    frame = wire.ClientFrame.decode(payload)
    reply = wire.ServerFrame(frame.request_id)
    if frame.hello is not None:
        reply.welcome = wire.Welcome(1, b"c" * 16, 1, ping_seconds=30)
    else:
        reply.pong = wire.Pong(frame.ping.nonce if frame.ping else 0)
    return reply.encode()


async def talk(socket: ServerConnection) -> None:
    assert socket.request is not None and socket.request.path == "/v1/ws"
    async for message in socket:
        assert isinstance(message, bytes), "each frame is one binary message"
        # In fragments, with a ping in between: both are legal.
        whole = answer(message)
        await socket.ping()
        await socket.send([whole[:3], whole[3:]])


def test_requests_pings_and_fragments() -> None:
    async def main() -> None:
        async with serve(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connection = await open_connection(f"ws://127.0.0.1:{port}")
            for nonce in (1, 2**40):
                assert await connection.request(wire.Ping(nonce), wire.Pong) == wire.Pong(nonce)
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            connection.on_push = lambda push: ended.set_result(None) if push is None else None
            server.close()
            await asyncio.wait_for(ended, 5)
            assert connection.is_closed

    asyncio.run(main())


def test_an_orderly_end_sends_the_queued_frames_and_a_close() -> None:
    seen: list[object] = []

    async def record(socket: ServerConnection) -> None:
        async for message in socket:
            assert isinstance(message, bytes)
            seen.append(wire.ClientFrame.decode(message).request_id)
            if len(seen) == 1:
                await socket.send(answer(message))
        seen.append(socket.close_code)

    async def main() -> None:
        async with serve(record, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connection = await open_connection(f"ws://127.0.0.1:{port}")
            connection.tell(wire.Acknowledge("everyone", 1))
            await connection.close()

    asyncio.run(main())
    assert seen == [1, 2, 1000]


@pytest.mark.parametrize("bad", ["http", "text", "large", "eof"])
def test_other_servers_are_named(bad: str) -> None:
    async def speak(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("hello" if bad == "text" else bytes(limits.SERVER_FRAME_BYTES + 1))

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if bad == "http":
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def main() -> None:
        if bad in ("http", "eof"):
            server = await asyncio.start_server(refuse, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(Unavailable, match="no WebSocket"):
                await open_connection(f"ws://127.0.0.1:{port}")
            server.close()
            return
        async with serve(speak, "127.0.0.1", 0) as web:
            port = web.sockets[0].getsockname()[1]
            with pytest.raises(troupe.TroupeError):
                await open_connection(f"ws://127.0.0.1:{port}")

    asyncio.run(main())
