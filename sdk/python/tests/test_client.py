"""Bounds and errors of a client, against a server in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import troupe
import virtual
from story import Player
from test_stories import InMemory
from troupe import outbox

STORY: dict[str, Any] = {
    "story": 1,
    "client": {
        "nodes": ["127.0.0.1:7701"],
        "name": "alice",
        "password": "a long password",
        "user_id": 2049,
        "device": "test",
    },
    "steps": [
        {"start": {}},
        {"accept": {"as": "c1"}},
        {"login": {"on": "c1", "by": "password"}},
        {"told": {"state": {"online": "127.0.0.1:7701"}}},
    ],
}


def test_a_full_outbox_refuses_and_a_repeated_id_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox.Outbox.__init__, "__defaults__", (3,))

    async def main() -> None:
        client = troupe.Client(["127.0.0.1:1"], name="alice", password="a long password", dialer=refuse)
        client.start()
        handles = [client.send("everyone", "m", id=bytes([n]) * 16) for n in range(2)]
        assert client.send("everyone", "m", id=bytes(16)) is handles[0], "the same message"
        handles.append(client.send("everyone", "m"))
        with pytest.raises(troupe.OutboxFull):
            client.send("everyone", "m")
        with pytest.raises(troupe.Unavailable, match="refuses"):
            await client.wait_online(2.0)
        await client.close()
        for handle in handles:
            with pytest.raises(troupe.Stopped, match="still in the outbox"):
                await handle

    virtual.run(main())


async def refuse(to: object, trust: troupe.Trust) -> tuple[troupe.Transport, str]:
    raise troupe.Unavailable("the node refuses")


@pytest.mark.parametrize(
    "options",
    [
        {"nodes": []},
        {"nodes": ["no port"]},
        {"nodes": ["host:0"]},
        {"nodes": ["127.0.0.1:1"], "password": None},
        {"nodes": ["127.0.0.1:1"], "device": "two words"},
    ],
)
def test_wrong_options_are_named_at_once(options: dict[str, Any]) -> None:
    async def main() -> None:
        client = troupe.Client(**{"name": "alice", "password": "a long password", **options})
        with pytest.raises(troupe.Rejected):
            client.start()

    virtual.run(main())


def test_a_store_of_another_user_is_refused() -> None:
    store = troupe.MemoryStore()
    store.logged_in(troupe.store.Session(troupe.UserId(1), "bob", "laptop", b"token"))

    async def main() -> None:
        with pytest.raises(troupe.Rejected, match="belongs to bob"):
            troupe.Client(["127.0.0.1:1"], name="alice", password="a long password", store=store).start()

    virtual.run(main())


def test_a_slow_application_costs_no_memory_and_gets_everything() -> None:
    async def main() -> None:
        player = Player({**STORY, "client": {**STORY["client"], "start_at": "beginning"}}, InMemory())
        await player.play_only()
        client, peer = player.client(), player.peer("c1")
        assert player.reader is not None
        player.reader.cancel()
        client._options.room = 4
        most = 1_200
        for seq in range(1, most + 1):
            player.push_text(peer, seq)
            if seq % 100 == 0:
                await asyncio.sleep(0.001)
        await asyncio.sleep(1.0)
        driver = client._driver
        assert driver is not None
        assert len(driver.incoming) <= 4 + 64 and len(driver.inbox._ready) <= 1_024
        seqs: list[int] = []
        while len(seqs) < most:
            await player.answer_fetches(peer, most)
            try:
                item = await asyncio.wait_for(client.events.next(), 0.3)
            except asyncio.TimeoutError:
                continue
            if isinstance(item, troupe.EventReceived):
                seqs.append(item.event.seq)
        assert seqs == list(range(1, most + 1))
        client.kill()

    virtual.run(main())


def test_a_request_names_the_reason_when_its_patience_ends() -> None:
    async def main() -> None:
        player = Player(STORY, InMemory())
        await player.play_only()
        client = player.client()
        task = asyncio.create_task(client.get_users(names=["bob"]))
        peer = player.peer("c1")
        refused = 0
        while not task.done():
            await asyncio.sleep(0.01)
            refused += player.refuse(peer, "get_users", troupe.wire.Failure(2, "no_leader", "no majority", 900))
        with pytest.raises(troupe.Overloaded, match="no_leader"):
            await task
        assert 10 < refused < 20, refused
        client.kill()

    virtual.run(main())
