"""The SDK and the bot on real nodes, one of which is killed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import troupe
import workload
from cluster import PROGRAM, Demo
from troupe import EVERYONE, Client, EventReceived, SqliteStore, StartAt, Trust, wire

ROOT = Path(__file__).resolve().parents[4]
BOT = ROOT / "examples" / "bot-python" / "bot.py"
pytestmark = pytest.mark.skipif(not PROGRAM, reason="TROUPE does not name the program of the nodes")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with Demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


async def text_of(client: Client, sender: troupe.UserId) -> str:
    async def look() -> str:
        async for item in client.events:
            if isinstance(item, EventReceived) and item.event.sender == sender and item.event.text:
                return item.event.text
        raise AssertionError("the client ended")

    return await asyncio.wait_for(look(), 30)


def test_the_bot_answers_each_question_once_over_a_restart(demo: Demo, tmp_path: Path) -> None:
    alice, bob = demo.accounts[0], demo.accounts[1]
    environment = {**os.environ, "TROUPE_PASSWORD": bob.password, "PYTHONPATH": str(ROOT / "sdk" / "python" / "src")}
    command = [sys.executable, str(BOT), bob.name, *demo.nodes]

    def bot() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "bob answers\n"
        return process

    async def main() -> None:
        process = bot()
        try:
            async with Client(demo.nodes, name=alice.name, password=alice.password, device="python") as client:
                (user,) = await client.get_users(names=["bob"])
                assert client.user is not None
                them = troupe.UserId(user.user_id)
                here = troupe.direct(client.user, them)
                await client.send(here, "hello")
                assert await text_of(client, them) == "echo: hello"
                process.kill()
                process.wait()
                await client.send(here, "are you there?")
                process = bot()
                assert await text_of(client, them) == "echo: are you there?"
                texts = [event.text for event in (await client.history_after(here)).events]
                assert texts == ["hello", "echo: hello", "are you there?", "echo: are you there?"]
        finally:
            process.kill()
            process.wait()

    asyncio.run(main())


# The same port takes both: the first bytes tell which.
over = pytest.mark.parametrize("scheme", ["", "ws://"], ids=["tcp", "websocket"])


@over
def test_groups_history_and_people(demo: Demo, scheme: str) -> None:
    alice, bob = demo.accounts[0], demo.accounts[1]
    nodes = [f"{scheme}{node}" for node in demo.nodes]

    async def main() -> None:
        async with Client(nodes, name=alice.name, password=alice.password, device="groups") as client:
            (user,) = await client.get_users(names=["bob"])
            team = await client.create_group("team", [troupe.UserId(user.user_id)])
            acked = await client.send(team, "welcome")
            await client.rename_group(team, "crew")
            lines, unavailable = await client.conversations()
            assert unavailable == [] and "crew" in [line.name for line in lines]
            assert {member.user_id for member in await client.members(team)} == {client.user, user.user_id}
            await client.mark_read(team, acked.seq)
            page = await client.history_before(team, limit=2)
            assert [type(event.kind).__name__ for event in page.events] == ["Message", "Renamed"] and page.more
            content = bytes(at % 251 for at in range(150_000))
            file = await client.upload(team, "numbers.bin", content)
            assert await client.download(team, file) == content
            assert (await client.file(team, file)).name == "numbers.bin"
            assert "groups" in [session.device for session in await client.sessions()]
            with pytest.raises(troupe.Rejected) as refused:
                await client.leave_group("g999424")
            assert refused.value.code == "not_member"
            assert client.user is not None
            soon = int(time.time() * 1000) + 1_500
            text = f"at its time, {soon}"
            body = wire.Body(1, text.encode())
            now, later = await client.schedule(team, body, soon), await client.schedule(team, body, soon + 3_600_000)
            assert {one.client_message_id for one in await client.scheduled(team)} >= {later.client_message_id}
            await client.cancel_scheduled(team, later.client_message_id)
            while await text_of(client, client.user) != text:
                pass
            assert (await client.history_before(team, limit=1)).events[0].client_message_id == now.client_message_id
            assert await client.scheduled(team) == []
            await client.logout()
            assert isinstance(client.state, troupe.Kicked) and client.state.code == "logged_out"

        async with Client(nodes, name=bob.name, password=bob.password, start_at=StartAt.BEGINNING) as client:
            # It goes on by the same transport at the nodes that it has learned.
            assert all(address.startswith(scheme) for address in client._driver.nodes._addresses)  # type: ignore[union-attr]
            kinds: list[str] = []
            with suppress(asyncio.TimeoutError):
                while len(kinds) < 3:
                    item = await asyncio.wait_for(client.events.next(), 10)
                    if isinstance(item, EventReceived) and item.conversation == team:
                        kinds.append(type(item.event.kind).__name__)
            assert kinds == ["Added", "Message", "Renamed"], "a founding member sees the log from its addition on"

    asyncio.run(main())


def test_tls_is_pinned(demo: Demo, tmp_path: Path) -> None:
    """A client port on loopback serves TLS too, with a certificate of the cluster."""
    alice = demo.accounts[0]
    nodes = [f"tls://{node}" for node in demo.nodes]
    known = tmp_path / "known-clusters"

    async def main() -> None:
        told: list[troupe.FirstUse] = []
        trust = Trust(known_clusters=known, on_first_use=told.append)

        def device(node: str, trust: Trust) -> Client:
            return Client([node], trust=trust, name=alice.name, password=alice.password, device="tls")

        async with device(nodes[0], trust) as client:
            await client.send(EVERYONE, "over TLS")
            # All nodes show the same authority, and TLS leads to TLS only.
            assert all(address.startswith("tls://") for address in client._driver.nodes._addresses)  # type: ignore[union-attr]
        pin = told[0].fingerprint
        async with device(nodes[1], Trust(fingerprint=pin)) as client:
            assert isinstance(client.state, troupe.Online)
        with pytest.raises(troupe.Rejected, match="another key"):
            async with device(nodes[0], Trust(fingerprint="00" * 32)):
                pass

    asyncio.run(main())


@over
def test_a_killed_leader_loses_duplicates_and_reorders_nothing(demo: Demo, tmp_path: Path, scheme: str) -> None:
    carol = demo.accounts[2]
    nodes = [f"{scheme}{node}" for node in demo.nodes]

    async def main() -> None:
        await asyncio.to_thread(demo.ready)
        store = SqliteStore(tmp_path / "carol.db")
        async with Client(nodes, name=carol.name, password=carol.password, store=store) as client:
            page = await client.history_before(EVERYONE, limit=1)
            before = page.head
            handles = [client.send(EVERYONE, f"m{n}") for n in range(100)]
            await handles[0]
            await asyncio.to_thread(demo.order, "kill", "leader")
            handles += [client.send(EVERYONE, f"m{n}") for n in range(100, 200)]
            acked = [await asyncio.wait_for(_outcome(handle), 60) for handle in handles]
            assert [one.seq for one in acked] == sorted(one.seq for one in acked)
            log = (await client.history_after(EVERYONE, before)).events
            mine = [event.text for event in log if event.sender == client.user]
            assert mine == [f"m{n}" for n in range(200)]
            assert client.outbox_len == 0

    asyncio.run(main())


async def _outcome(handle: troupe.SendHandle) -> troupe.Acked:
    return await handle


def test_killed_leaders_break_no_promise(demo: Demo, tmp_path: Path) -> None:
    """Four devices send while leaders are killed. The checkers of the chaos harness judge the history."""
    history = tmp_path / "history.jsonl"
    demo.ready()
    asyncio.run(workload.run(demo, history))
    command = [PROGRAM, "chaos", "check", str(history), "--scenario", "kill-leader", "--json"]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert judged.stdout, judged.stderr
    report = json.loads(judged.stdout)
    assert report["verdict"] == "held", report
    assert report["faults"] >= 2 and report["unknown"] == 0, report
