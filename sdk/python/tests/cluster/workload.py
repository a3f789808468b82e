"""Devices of the Python SDK that send in bursts while leaders are killed, and record what they see.

The record is the history format of `troupe chaos check`, so the checkers of the chaos harness judge it.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import troupe
from cluster import Account, Demo
from troupe import Client, StartAt

# Seconds: of the workload, until the first kill, between kills, and for everything to settle.
SECONDS, FIRST, BETWEEN, SETTLE = 16.0, 1.0, 7.0, 60.0
# Messages per second of each device.
RATE = 30
# Longest burst of one device without waiting for acks.
BURST = 4
# A node that ended comes back after five seconds.
AWAY = 6.0


class Recorder:
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._begin = time.monotonic_ns()

    def now(self) -> int:
        return (time.monotonic_ns() - self._begin) // 1_000

    def record(self, what: str, **values: object) -> None:
        self.lines.append({"what": what, "at": self.now(), **values})

    def write(self, path: Path) -> None:
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")


class Device:
    def __init__(self, number: int, client: Client, recorder: Recorder, rng: random.Random) -> None:
        self.number, self.client, self._recorder, self._rng = number, client, recorder, rng
        self.positions: dict[str, int] = {}
        self.pending: set[asyncio.Task[None]] = set()

    async def listen(self, judged: set[str]) -> None:
        async for item in self.client.events:
            if isinstance(item, troupe.EventReceived) and item.conversation in judged:
                event = item.event
                self._recorder.record(
                    "deliver",
                    device=self.number,
                    conversation=item.conversation,
                    seq=event.seq,
                    sender=event.sender,
                    id=f"{event.sender}/{event.client_message_id.hex()}",
                    message=isinstance(event.kind, troupe.Message),
                )
                self.positions[item.conversation] = event.seq
            elif isinstance(item, troupe.CursorMoved) and item.conversation in judged:
                self._recorder.record(
                    "cursor",
                    device=self.number,
                    conversation=item.conversation,
                    user=item.user,
                    delivered=item.delivered,
                    read=item.read,
                )

    async def send(self, conversations: list[str], until: float) -> None:
        while time.monotonic() < until:
            conversation = self._rng.choice(conversations)
            burst = 1 + self._rng.randrange(BURST)
            for _ in range(burst):
                self._send(conversation)
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * burst / RATE)

    def _send(self, conversation: str) -> None:
        id = self._rng.randbytes(16)
        message = {"device": self.number, "conversation": conversation, "id": f"{self.client.user}/{id.hex()}"}
        self._recorder.record("invoke", user=self.client.user, **message)
        handle = self.client.send(conversation, f"from device {self.number}", id=id)

        async def outcome() -> None:
            try:
                acked = await handle
                self._recorder.record("ack", seq=acked.seq, **message)
            except troupe.TroupeError as error:
                # Without a definite outcome both are possible.
                if error.definite:
                    self._recorder.record("reject", code=error.code, **message)

        task = asyncio.create_task(outcome())
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)


async def run(demo: Demo, history: Path) -> None:
    rng = random.Random(1)
    recorder = Recorder()
    clients = [
        Client(demo.nodes, name=one.name, password=one.password, device=f"chaos-{number}", start_at=StartAt.BEGINNING)
        for number, one in enumerate([*demo.accounts, demo.accounts[0]])
    ]
    await asyncio.gather(*(client.connect() for client in clients))
    devices = [Device(number, client, recorder, rng) for number, client in enumerate(clients)]
    users = [client.user for client in clients[1:3] if client.user is not None]
    groups: list[str] = [await clients[0].create_group(name, users) for name in ("busy", "quiet")]
    readers = [asyncio.create_task(device.listen(set(groups))) for device in devices]
    until = time.monotonic() + SECONDS
    senders = [asyncio.create_task(device.send(groups, until)) for device in devices]
    await asyncio.gather(*senders, _kill_leaders(demo, recorder, until))
    for device in devices:
        if device.pending:
            await asyncio.wait(device.pending, timeout=SETTLE)
    await asyncio.to_thread(_wait_ready, demo)
    await _read_back(demo, recorder, groups)
    deadline = time.monotonic() + SETTLE
    heads = {line["conversation"]: line["log"]["head"] for line in recorder.lines if line["what"] == "final"}
    while time.monotonic() < deadline and any(device.positions != heads for device in devices):
        await asyncio.sleep(0.05)
    for device in devices:
        for group in groups:
            end = {"device": device.number, "conversation": group, "seq": device.positions.get(group, 0)}
            recorder.lines.append({"what": "end", **end})
    for client, reader in zip(clients, readers, strict=True):
        await client.close()
        await reader
    recorder.write(history)


async def _kill_leaders(demo: Demo, recorder: Recorder, until: float) -> None:
    await asyncio.sleep(FIRST)
    while time.monotonic() + AWAY < until:
        begin = recorder.now()
        text = await asyncio.to_thread(demo.order, "kill", "leader")
        recorder.record("fault", text=text)
        await asyncio.sleep(AWAY)
        recorder.lines.append({"what": "window", "text": "kill leader", "from": begin, "to": recorder.now()})
        await asyncio.sleep(BETWEEN - AWAY)


def _wait_ready(demo: Demo) -> None:
    deadline = time.monotonic() + SETTLE
    for node in demo.http:
        while True:
            try:
                with urllib.request.urlopen(f"http://{node}/readyz", timeout=1.0):
                    break
            except OSError:
                assert time.monotonic() < deadline, f"{node} is not ready"
                time.sleep(0.05)


async def _read_back(demo: Demo, recorder: Recorder, groups: list[str]) -> None:
    """Each group as each node serves it."""
    deadline = time.monotonic() + SETTLE
    for number, node in enumerate(demo.nodes, 1):
        while True:
            try:
                logs = {group: log async for group, log in _served(node, demo.accounts[0], groups)}
                break
            except (troupe.Unavailable, troupe.Overloaded):
                # A machine with other work may take its time.
                assert time.monotonic() < deadline, f"{node} does not serve the groups"
                await asyncio.sleep(0.5)
        for group, log in logs.items():
            recorder.lines.append({"what": "final", "node": number, "conversation": group, "log": log})


async def _served(node: str, account: Account, groups: list[str]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    # A connection, unlike a client, asks no other node.
    connection = await troupe.open_connection(node)
    try:
        login = troupe.wire.Login(account.name, account.password, "chaos-reader")
        await connection.request(login, troupe.wire.LoggedIn, SETTLE)
        for group in groups:
            entries: list[dict[str, Any]] = []
            head, more = 0, True
            while more:
                after = entries[-1]["seq"] if entries else 0
                page = await connection.request(troupe.wire.Fetch(group, after, False, 500), troupe.wire.Page, SETTLE)
                head, more = page.head, page.more and bool(page.events)
                for event in page.events:
                    id = f"{event.sender}/{event.client_message_id.hex()}"
                    entry = {"seq": event.seq, "time_ms": event.time_ms, "sender": event.sender, "id": id}
                    entries.append({**entry, "message": event.kind == 5})
            yield group, {"head": head, "chain": "", "entries": entries}
    finally:
        connection.abort()
