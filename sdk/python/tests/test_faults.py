"""A server that loses, repeats, refuses and cuts at random: every message has one place, in order."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import troupe
import virtual
from troupe import wire
from troupe.event import WireEvent
from troupe.trust import Target

MESSAGES = 150


class Faulty:
    """One log for `everyone`, behind three nodes."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.log: list[WireEvent] = []
        self.users = ["alice", "bob"]
        self.lines: set[Line] = set()

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    async def dial(self, to: Target, trust: troupe.Trust) -> tuple[troupe.Transport, str]:
        if self.chance(10):
            raise troupe.Unavailable("no route")
        return Line(self), ""

    def place(self, user: int, send: wire.Send) -> wire.SendAck | wire.Failure:
        mine = {event.client_message_id: event.seq for event in self.log if event.sender == user}
        held = mine.get(send.client_message_id)
        if held is not None:
            return wire.SendAck(send.client_message_id, held, 1, True, "everyone")
        if send.after and send.after not in mine:
            return wire.Failure(4, "out_of_order", "its predecessor is missing")
        assert send.body is not None
        event = WireEvent(len(self.log) + 1, 1, user, send.client_message_id, 5, send.body.encode())
        self.log.append(event)
        for line in list(self.lines):
            line.push(event)
        return wire.SendAck(send.client_message_id, event.seq, 1, False, "everyone")


class Line:
    def __init__(self, server: Faulty) -> None:
        self.server = server
        self.user = 0
        self.out: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = False

    def push(self, event: WireEvent) -> None:
        if self.server.chance(15):
            # The exchange of heads repairs a lost push.
            return self.say(0, wire.ServerFrame(conversation=wire.ConversationPush("everyone", True, event.seq)))
        for _ in range(2 if self.server.chance(15) else 1):
            self.say(0, wire.ServerFrame(event=wire.EventPush("everyone", event)))

    def say(self, id: int, frame: wire.ServerFrame) -> None:
        frame.request_id = id
        self.out.put_nowait(frame.encode())

    def abort(self) -> None:
        self.closed = True
        self.server.lines.discard(self)
        self.out.put_nowait(None)

    async def close(self) -> None:
        self.abort()

    async def receive(self) -> bytes | None:
        return await self.out.get()

    async def send(self, frames: list[bytes]) -> None:
        for payload in frames:
            # Frames take their time, so that much is in flight when a connection breaks.
            await asyncio.sleep(self.server.rng.uniform(0, 0.02))
            if self.closed:
                raise ConnectionResetError
            self.hear(wire.ClientFrame.decode(payload))

    def hear(self, frame: wire.ClientFrame) -> None:
        server, answer = self.server, wire.ServerFrame()
        if frame.hello is not None:
            nodes = [f"127.0.0.1:{port}" for port in (1, 2, 3)]
            answer.welcome = wire.Welcome(1, b"c" * 16, 1, nodes=nodes, send_window=16, ping_seconds=30)
        elif frame.login is not None or frame.resume is not None:
            name = frame.login.name if frame.login else (frame.resume.token.decode() if frame.resume else "")
            self.user = server.users.index(name) + 1
            answer.logged_in = wire.LoggedIn(self.user, name, "test", name.encode() if frame.login else b"")
            server.lines.add(self)
        elif frame.send is not None:
            if server.chance(8):
                answer.failure = wire.Failure(2, "overloaded", "busy", 5)
            elif server.chance(8):
                # In half of the cases it was accepted.
                if server.chance(50):
                    server.place(self.user, frame.send)
                answer.failure = wire.Failure(3, "unavailable", "no answer in time")
            else:
                placed = server.place(self.user, frame.send)
                if isinstance(placed, wire.SendAck):
                    answer.send_ack = placed
                else:
                    answer.failure = placed
                if server.chance(4):
                    return self.abort()
        elif frame.fetch is not None:
            page = server.log[frame.fetch.seq : frame.fetch.seq + 7]
            more = bool(page) and page[-1].seq < len(server.log)
            answer.page = wire.Page("everyone", page, len(server.log), more)
        elif frame.list_conversations is not None:
            line = wire.Conversation("everyone", head=len(server.log))
            answer.conversations = wire.Conversations([line] if server.log else [])
        elif frame.ping is not None:
            answer.pong = wire.Pong(frame.ping.nonce)
        else:
            return
        self.say(frame.request_id, answer)


def device(server: Faulty, name: str, store: troupe.Store) -> troupe.Client:
    nodes = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
    return troupe.Client(
        nodes,
        name=name,
        password="a long password",
        device="test",
        store=store,
        start_at=troupe.StartAt.BEGINNING,
        dialer=server.dial,
        rng=server.rng,
    )


@pytest.mark.parametrize("seed", range(8))
def test_each_message_has_one_place_in_order(seed: int, tmp_path: Path) -> None:
    async def main() -> None:
        server = Faulty(seed)
        path = tmp_path / "alice.db"
        reader = device(server, "bob", troupe.MemoryStore())
        reader.start()
        sent: list[bytes] = []
        seen: list[int] = []

        async def read() -> None:
            async for item in reader.events:
                if isinstance(item, troupe.EventReceived):
                    seen.append(item.event.seq)

        task = asyncio.create_task(read())
        # The writer is killed now and then, and started again with its store.
        while True:
            store = troupe.SqliteStore(path)
            writer = device(server, "alice", store)
            writer.start()
            for _ in range(min(50, MESSAGES - len(sent))):
                sent.append(writer.send("everyone", f"m{len(sent)}").id)
            if len(sent) < MESSAGES:
                await asyncio.sleep(server.rng.uniform(0, 1.5))
                writer.kill()
                store.close()
                await asyncio.sleep(0)
                continue
            while writer.outbox_len or len(seen) < MESSAGES:
                await asyncio.sleep(0.1)
            break
        assert [event.client_message_id for event in server.log] == sent, "one place each, in order"
        assert seen == list(range(1, MESSAGES + 1)), "each event once, in order"
        writer.kill()
        store.close()
        task.cancel()
        reader.kill()

    virtual.run(main())
