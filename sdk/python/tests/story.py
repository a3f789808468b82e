"""Plays a golden story: a scripted server, and the application of one client. docs/sdk.md has the format."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import troupe
from troupe import wire
from troupe.codec import Message, arm
from troupe.event import WireEvent
from troupe.trust import Target

STORIES = Path(__file__).resolve().parents[2] / "stories"
FORM = 1
# Virtual seconds within which an expected thing happens.
PATIENCE = 60.0
# Frames that a client may send at any time, and told items that a story may leave out.
FREE = {"ping", "pong", "acknowledge", "list_conversations"}
FREE_TOLD = {"state", "conversation_added", "conversation_removed", "cursor"}
Value = dict[str, Any]


class Memory(Protocol):
    """The store of a device, which survives its client."""

    def open(self) -> troupe.Store: ...


class Peer:
    """The server's end of one connection."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.to_client: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = False
        self.frozen = False
        # Frames that no step has taken, by kind.
        self.heard: dict[str, deque[tuple[int, Message]]] = {}

    def say(self, request_id: int, kind: str, message: Message) -> None:
        frame = wire.ServerFrame(request_id=request_id)
        setattr(frame, kind, message)
        self.to_client.put_nowait(frame.encode())


class MemoryTransport:
    def __init__(self, peer: Peer, heard: Callable[[Peer, bytes], None]) -> None:
        self._peer = peer
        self._heard = heard

    async def send(self, frames: list[bytes]) -> None:
        if self._peer.closed:
            raise ConnectionResetError
        for frame in frames:
            self._heard(self._peer, frame)

    async def receive(self) -> bytes | None:
        return await self._peer.to_client.get()

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._peer.closed = True
        self._heard(self._peer, b"")


class Player:
    def __init__(self, story: Value, memory: Memory) -> None:
        assert story["story"] == FORM, f"this driver plays form {FORM}"
        self.story = story
        self._memory = memory
        self._down: set[str] = set()
        self._arrived: deque[Peer] = deque()
        self._peers: dict[str, Peer] = {}
        self._list: list[Value] = []
        self._requests: dict[str, tuple[Peer, int]] = {}
        self._ids: dict[str, bytes] = {}
        self._handles: dict[str, troupe.SendHandle] = {}
        self._told: dict[str, deque[Value]] = {}
        self._changed = asyncio.Event()
        self._client: troupe.Client | None = None
        self._store: troupe.Store | None = None
        self.reader: asyncio.Task[None] | None = None

    async def play_only(self) -> None:
        """Plays the steps, and leaves the client running."""
        for number, step in enumerate(self.story["steps"], 1):
            ((verb, argument),) = step.items()
            try:
                await getattr(self, f"_step_{verb}")(argument)
            except BaseException as error:
                raise AssertionError(f"step {number} {json.dumps(step)}: {error!r}; {self._seen()}") from error

    async def play(self) -> None:
        await self.play_only()
        # Nothing may be left that no step has taken.
        await asyncio.sleep(1.0)
        left = [kind for peer in self._peers.values() for kind, heard in peer.heard.items() if heard]
        left += ["connection" for peer in self._arrived if not peer.closed]
        left += [kind for kind, told in self._told.items() if told and kind not in FREE_TOLD]
        assert not [kind for kind in left if kind not in FREE], f"not in the story: {left}; {self._seen()}"
        if self._client is not None:
            await self._step_kill(None)

    # ---- for tests that are no story

    def client(self) -> troupe.Client:
        assert self._client is not None
        return self._client

    def peer(self, name: str) -> Peer:
        return self._peers[name]

    def push_text(self, peer: Peer, seq: int) -> None:
        peer.say(0, "event", wire.EventPush("everyone", text_event(seq)))

    async def answer_fetches(self, peer: Peer, head: int) -> None:
        await asyncio.sleep(0)
        for request_id, message in peer.heard.pop("fetch", ()):
            assert isinstance(message, wire.Fetch)
            last = min(message.seq + 500, head)
            events = [text_event(seq) for seq in range(message.seq + 1, last + 1)]
            peer.say(request_id, "page", wire.Page("everyone", events, head, last < head))

    def refuse(self, peer: Peer, kind: str, failure: wire.Failure) -> int:
        """Answers the waiting requests of a kind with a failure. Returns their number."""
        waiting = peer.heard.pop(kind, deque())
        for request_id, _ in waiting:
            peer.say(request_id, "failure", failure)
        return len(waiting)

    # ---- steps of the application

    async def _step_start(self, _: Value) -> None:
        options = self.story["client"]
        self._store = self._memory.open()
        self._client = troupe.Client(
            options["nodes"],
            name=options.get("name"),
            password=options.get("password"),
            device=options.get("device"),
            start_at=troupe.StartAt(options.get("start_at", "delivered")),
            store=self._store,
            dialer=self._dial,
            rng=random.Random(7),
        )
        self._client.start()
        self.reader = asyncio.get_running_loop().create_task(self._read(self._client))

    async def _step_hold(self, _: object) -> None:
        assert self.reader is not None
        self.reader.cancel()
        await asyncio.wait([self.reader])

    async def _step_take(self, _: object) -> None:
        self.reader = asyncio.get_running_loop().create_task(self._read(self.client()))

    async def _step_kill(self, _: object) -> None:
        assert self._client is not None and self._store is not None and self.reader is not None
        self._client.kill()
        self.reader.cancel()
        self._store.close()
        self._handles.clear()
        self._client = None
        await asyncio.sleep(0)

    async def _step_close(self, _: object) -> None:
        assert self._client is not None
        await self._client.close()
        self._handles.clear()
        self._client = None

    async def _step_send(self, step: Value) -> None:
        assert self._client is not None
        try:
            id = self._bytes(step["id"]) if "id" in step else None
            handle = self._client.send(step["conversation"], step["text"], id=id)
        except troupe.TroupeError as error:
            assert error.code == step.get("code"), error
            return
        assert "code" not in step, "it was accepted"
        self._handles[step["as"]] = handle
        self._ids[step["as"]] = handle.id

    async def _step_acked(self, step: Value) -> None:
        acked = await asyncio.wait_for(_outcome(self._handles.pop(step["message"])), PATIENCE)
        assert isinstance(acked, troupe.Acked) and acked.seq == step["seq"], acked

    async def _step_failed(self, step: Value) -> None:
        error = await asyncio.wait_for(_outcome(self._handles.pop(step["message"])), PATIENCE)
        assert isinstance(error, troupe.TroupeError) and _error(error) == (step["error"], step["code"]), error

    async def _step_outbox(self, count: int) -> None:
        assert self._client is not None
        assert self._client.outbox_len == count, self._client.outbox_len

    async def _step_told(self, step: Value) -> None:
        ((kind, wanted),) = step.items()
        told = await self._until(lambda: self._told.get(kind))
        if kind == "state":
            # Only the latest state matters.
            await self._until(lambda: self._told["state"] and _fits(wanted, self._told["state"][-1]["state"], self))
            self._told["state"].clear()
            return
        found = told.popleft()
        assert _fits(wanted, found, self), found

    async def _read(self, client: troupe.Client) -> None:
        async for item in client.events:
            kind, value = _shown(item)
            self._told.setdefault(kind, deque()).append(value)
            self._changed.set()

    # ---- steps of the server

    async def _dial(self, to: Target, trust: troupe.Trust) -> tuple[troupe.Transport, str]:
        if to.address in self._down:
            raise troupe.Unavailable(f"{to.address} refuses")
        peer = Peer(to.address)
        self._arrived.append(peer)
        self._changed.set()
        return MemoryTransport(peer, self._hear), ""

    def _hear(self, peer: Peer, payload: bytes) -> None:
        self._changed.set()
        if not payload:
            return
        frame = wire.ClientFrame.decode(payload)
        found = arm(frame, "request")
        assert found is not None
        kind, message = found
        assert isinstance(message, Message)
        if not peer.frozen and kind == "ping":
            peer.say(frame.request_id, "pong", wire.Pong())
        elif not peer.frozen and kind == "list_conversations":
            peer.say(frame.request_id, "conversations", self._make(wire.Conversations, {"conversations": self._list}))
        else:
            peer.heard.setdefault(kind, deque()).append((frame.request_id, message))

    async def _step_list(self, lines: list[Value]) -> None:
        self._list = lines

    async def _step_down(self, nodes: list[str]) -> None:
        self._down.update(nodes)

    async def _step_up(self, nodes: list[str]) -> None:
        self._down.difference_update(nodes)

    async def _step_accept(self, step: Value) -> None:
        def arrived() -> Peer | None:
            # A connection to a node that is up now is answered; the others stay without an answer.
            return next((peer for peer in self._arrived if not peer.closed), None)

        peer = await self._until(arrived)
        self._arrived.remove(peer)
        if "node" in step:
            assert peer.node == step["node"], peer.node
        self._peers[step["as"]] = peer
        hello = await self._until(lambda: peer.heard.get("hello"))
        welcome = {
            "version": 1,
            "cluster_id": "text:cluster-of-story",
            "node_id": 1,
            "nodes": self.story["client"]["nodes"],
            "send_window": 16,
            "ping_seconds": 30,
            **step.get("welcome", {}),
        }
        peer.say(hello.popleft()[0], "welcome", self._make(wire.Welcome, welcome))

    async def _step_login(self, step: Value) -> None:
        peer = self._peers[step["on"]]
        kind = {"password": "login", "token": "resume"}[step["by"]]
        request_id, message = (await self._until(lambda: peer.heard.get(kind))).popleft()
        token = "text:" + step.get("token", "token-1")
        if isinstance(message, wire.Resume):
            assert message.token == self._bytes(token), message.token
        client = self.story["client"]
        answer = {"user_id": client["user_id"], "name": client["name"], "device": client["device"]}
        if kind == "login":
            answer["token"] = token
        peer.say(request_id, "logged_in", self._make(wire.LoggedIn, answer))

    async def _step_expect(self, step: Value) -> None:
        peer = self._peers[step["on"]]
        ((kind, wanted),) = step["frame"].items()
        request_id, message = (await self._until(lambda: peer.heard.get(kind))).popleft()
        for name, value in wanted.items():
            found = getattr(message, name)
            assert found == self._field(type(message), name, value), f"{name} is {found!r}"
        if "as" in step:
            self._requests[step["as"]] = (peer, request_id)

    async def _step_none(self, step: Value) -> None:
        await asyncio.sleep(step["ms"] / 1000)
        if step["kind"] == "connection":
            assert all(peer.closed for peer in self._arrived), "there is one"
        else:
            assert not self._peers[step["on"]].heard.get(step["kind"]), "there is one"

    async def _step_answer(self, step: Value) -> None:
        peer, request_id = self._requests[step["to"]]
        self._say(peer, request_id, step["frame"])

    async def _step_push(self, step: Value) -> None:
        self._say(self._peers[step["on"]], 0, step["frame"])

    async def _step_cut(self, step: Value) -> None:
        peer = self._peers[step["on"]]
        peer.closed = True
        peer.to_client.put_nowait(None)

    async def _step_freeze(self, step: Value) -> None:
        self._peers[step["on"]].frozen = True

    async def _step_closed(self, step: Value) -> None:
        await self._until(lambda: self._peers[step["on"]].closed)

    async def _step_wait_ms(self, ms: int) -> None:
        await asyncio.sleep(ms / 1000)

    # ---- values

    def _say(self, peer: Peer, request_id: int, frame: Value) -> None:
        ((kind, value),) = frame.items()
        field = next(field for field in wire.ServerFrame.FIELDS if field.name == kind)
        assert field.message is not None
        peer.say(request_id, kind, self._make(field.message, value))

    def _make(self, cls: type[Message], value: Value) -> Message:
        if cls is WireEvent:
            return self._event(value)
        message = cls()
        for name, part in value.items():
            setattr(message, name, self._field(cls, name, part))
        return message

    def _field(self, cls: type[Message], name: str, value: Any) -> Any:
        field = next(field for field in cls.FIELDS if field.name == name)
        values = value if field.repeated else [value]
        if field.message is not None:
            values = [self._make(field.message, one) for one in values]
        elif field.kind == "bytes":
            values = [self._bytes(one) for one in values]
        elif field.kind == "enum":
            enum = wire.FailureKind if cls is wire.Failure else wire.Role
            values = [enum[one] for one in values]
        return values if field.repeated else values[0]

    def _event(self, value: Value) -> WireEvent:
        event = WireEvent(value["seq"], value.get("time_ms", 1), value["sender"])
        event.client_message_id = self._bytes(value["client_message_id"])
        event.flags = value.get("flags", 0)
        event.content_hash = self._bytes(value.get("content_hash", "text:"))
        for name, content in value.items():
            if name.startswith("#"):
                event.kind, event.content = int(name[1:]), self._bytes(content)
            elif name == "message":
                event.kind, event.content = 5, self._make(wire.Body, content).encode()
        return event

    def _bytes(self, text: str) -> bytes:
        if text.startswith("$"):
            return self._ids[text[1:]]
        form, _, rest = text.partition(":")
        return {"hex": bytes.fromhex, "text": str.encode}[form](rest)

    async def _until(self, ready: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while not (found := ready()):
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), deadline - loop.time())
        return found

    def _seen(self) -> str:
        heard = {name: {k: list(v) for k, v in peer.heard.items() if v} for name, peer in self._peers.items()}
        return f"untaken frames {heard}, untaken items {self._told}"


def text_event(seq: int) -> WireEvent:
    body = wire.Body(1, f"m{seq}".encode())
    return WireEvent(seq, 1, 3073, seq.to_bytes(16, "big"), 5, body.encode())


async def _outcome(handle: troupe.SendHandle) -> troupe.Acked | troupe.TroupeError:
    try:
        return await handle
    except troupe.TroupeError as error:
        return error


def _error(error: troupe.TroupeError) -> tuple[str, str]:
    names = {"Rejected": "rejected", "Stopped": "stopped", "Unavailable": "unavailable"}
    return names[type(error).__name__], error.code


def _fits(wanted: Any, found: Any, player: Player) -> bool:
    """Whether each wanted value is in what was found."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and _fits(v, found[k], player) for k, v in wanted.items())
    if isinstance(wanted, str) and wanted.startswith("$"):
        return bool(found == player._bytes(wanted))
    return bool(wanted == found)


def _shown(item: troupe.Incoming) -> tuple[str, Value]:
    match item:
        case troupe.EventReceived():
            event = item.event
            shown: Value = {"conversation": item.conversation, "seq": event.seq, "sender": event.sender}
            if isinstance(event.kind, troupe.Unsupported):
                shown["unsupported"] = event.kind.kind
            elif event.text is not None:
                shown["text"] = event.text
            return "event", shown
        case troupe.StateChanged():
            return "state", {"state": _state(item.state)}
        case troupe.Settled():
            outcome = item.outcome
            told: Value = {"conversation": item.conversation, "message": item.id}
            told.update({"seq": outcome.seq} if isinstance(outcome, troupe.Acked) else {"code": outcome.code})
            return "settled", told
        case troupe.Restored():
            return "restored", {"conversation": item.conversation, "kept": item.kept, "lost": item.lost}
        case troupe.ConversationAdded():
            return "conversation_added", {"conversation": item.conversation, "head": item.head}
        case troupe.ConversationRemoved():
            return "conversation_removed", {"conversation": item.conversation}
        case troupe.Invited():
            return "invited", {"conversation": item.conversation, "by": item.by}
        case troupe.ProfileChanged():
            return "profile", {"version": item.version}
        case troupe.PresenceChanged():
            return "presence", {"user": item.user, "online": item.online}
        case troupe.SignalReceived():
            told = {"conversation": item.conversation, "user": item.user, "device": item.device, "kind": item.kind}
            return "signal", {**told, "payload": item.payload.decode(), "seq": item.seq}
        case troupe.FavouriteChanged():
            told = {"conversation": item.conversation, "seq": item.seq, "removed": item.removed}
            return "favourite", {**told, "version": item.version}
        case troupe.PersonalChanged():
            state = {"version": item.state.version, "pin": item.state.pin}
            return "personal", {"conversation": item.conversation, **state}
        case troupe.ContactChanged():
            return "contact", {"user": item.contact.user_id, "version": item.contact.version}
        case troupe.CursorMoved():
            seqs = {"delivered": item.delivered, "read": item.read}
            return "cursor", {"conversation": item.conversation, "user": item.user, **seqs}


def _state(state: troupe.State) -> Value:
    match state:
        case troupe.Online():
            return {"online": state.address}
        case troupe.Kicked():
            return {"kicked": state.code}
        case troupe.Offline():
            return {"offline": True}
        case troupe.Connecting():
            return {"connecting": True}
