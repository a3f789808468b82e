"""The wire form: the example frames and limits of docs/protocol.md, and input that is no message."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from troupe import ProtocolError, Seq, TypedBody, UserId, content, event, limits, wire
from troupe.connection import encoded

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
ID = bytes(range(16))


def example(name: str) -> bytes:
    """The bytes of an example, without its length."""
    match = re.search(rf"<!-- frame: {name} -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert match is not None
    lines = [line.split("|")[0] for line in match[1].splitlines()]
    frame = bytes.fromhex("".join(lines))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    return frame[4:]


def test_examples() -> None:
    assert encoded(1, wire.Hello(1, 1, "example/1.0")) == example("hello")
    send = wire.Send("d1029-2050", ID, b"", wire.Body(1, "hé".encode()))
    assert encoded(7, send) == example("send")
    frame = wire.ServerFrame.decode(example("send_ack"))
    assert frame.request_id == 7
    assert frame.send_ack == wire.SendAck(ID, 300, 1_700_000_000_123, False, "d1029-2050")


def test_limits_of_the_page() -> None:
    rows = {
        "one message's body": limits.MESSAGE_BYTES,
        "one frame from a client": limits.FRAME_BYTES,
        "one frame from a server": limits.SERVER_FRAME_BYTES,
        "chunk of a file, and one write": limits.CHUNK_BYTES,
        "one file": limits.FILE_BYTES,
        "device": limits.DEVICE_BYTES,
        "page of history": limits.PAGE_EVENTS,
        "page of users": limits.PAGE_USERS,
        "page of members": limits.PAGE_MEMBERS,
        "page of contacts": limits.PAGE_CONTACTS,
        "page of dead events": limits.PAGE_DEAD,
        "page of conversations": limits.PAGE_CONVERSATIONS,
    }
    for name, value in rows.items():
        assert re.search(rf"^\| {name} \| {value} ", PAGE, re.MULTILINE), name


def test_generated_code_is_what_the_protocol_says() -> None:
    script = Path(__file__).resolve().parents[1] / "generate.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_oneof_holds_the_last_field_and_zero_is_a_value() -> None:
    change = wire.ChangeGroup(ID, "g1024", remove=0)
    assert wire.ChangeGroup.decode(change.encode()) == change
    both = change.encode() + wire.ChangeGroup(rename="new").encode()
    decoded = wire.ChangeGroup.decode(both)
    assert (decoded.rename, decoded.remove) == ("new", None)


def test_lists_are_read_packed_and_not_packed() -> None:
    users = [1, 300, 2**53 - 1]
    assert wire.AddMembers.decode(wire.AddMembers(users).encode()).users == users
    assert wire.AddMembers.decode(b"\x08\x01\x08\xac\x02").users == [1, 300]


def test_fields_of_later_versions_are_skipped() -> None:
    later = b"\xfa\x7f\x03abc" + b"\xf9\x7f" + bytes(8) + b"\xfd\x7f" + bytes(4) + b"\xf8\x7f\x05"
    assert wire.Ping.decode(b"\x08\x07" + later) == wire.Ping(7)


@pytest.mark.parametrize(
    "data",
    [b"\x08", b"\x08" + b"\xff" * 10, b"\x12\x05ab", b"\x0b", b"\x00", b"\x12\x02\x08\x80", b"\x22\x03\x0a\x01\xff"],
)
def test_no_message(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.ServerFrame.decode(data)


def test_any_bytes_decode_or_are_refused() -> None:
    rng = random.Random(1)
    seeds = [example("send_ack"), wire.ServerFrame(page=wire.Page(events=[_event(7, b"x")])).encode()]
    for _ in range(3_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            frame = wire.ServerFrame.decode(bytes(data))
            for one in frame.page.events if frame.page else []:
                event.of_wire(one)
        except ProtocolError:
            pass


def _event(kind: int, content: bytes) -> event.WireEvent:
    return event.WireEvent(1, 2, 3, ID, kind, content)


def test_events_of_each_kind_survive_the_store() -> None:
    kinds: list[event.EventKind] = [
        event.Message(1, b"hi"),
        event.Message(1, b"so", wire.Context(reply_to=3, thread=2, mentions=[5], mentions_everyone=True)),
        event.Created("team"),
        event.Renamed("crew"),
        event.Added((UserId(5),)),
        event.Removed(UserId(5)),
        event.RoleChanged(UserId(5), 2),
        event.Reacted(Seq(3), "👍", True),
        event.Edited(Seq(3), event.Message(1, b"hello")),
        event.Recalled(Seq(3)),
        event.Vanished(Seq(3)),
        event.StreamEnded(Seq(3), event.Message(1, b"hello"), True),
        event.Voted(Seq(3), (0, 2), False),
        event.Voted(Seq(3), (), True),
        event.PollClosed(Seq(3), 2, (1, 0, 1)),
        event.Unsupported(5, b""),
        event.Unsupported(77, b"later"),
        event.Unsupported(0, b""),
    ]
    for kind in kinds:
        before = event.of_wire(_event(0, b""))
        one = event.Event(before.seq, before.time_ms, before.sender, before.client_message_id, kind, 1)
        assert event.of_wire(event.WireEvent.decode(event.to_wire(one).encode())) == one


def test_a_message_without_content_was_recalled() -> None:
    assert event.of_wire(_event(5, b"")).is_erased and event.of_wire(_event(12, b"")).is_erased
    assert not event.of_wire(_event(5, wire.Body(1, b"").encode())).is_erased
    assert not event.of_wire(_event(77, b"")).is_erased


def test_an_event_without_an_id_or_with_an_impossible_seq_is_none() -> None:
    for broken in (event.WireEvent(1, 2, 3, b"short"), event.WireEvent(1 << 63, 2, 3, ID)):
        with pytest.raises(ProtocolError):
            event.of_wire(broken)


def test_typed_bodies_are_read_by_their_kind() -> None:
    file = wire.Attachment(bytes(32), "cat.png", 1000, "image/png")
    bodies: list[TypedBody] = [
        wire.ImageBody(file, 640, 480, bytes(32), "the cat"),
        wire.LocationBody(-900_000_000, 1_800_000_000, "pole"),
        wire.CustomBody("org.example/order", b"\x00\xff"),
        wire.PollBody("Lunch?", ["soup", "pasta"], True, True, 9),
    ]
    for body in bodies:
        message = event.Message(content.kind_of(body), body.encode())
        assert message.body == body and message.text is None
    assert event.Message(2, b"\xff").body is None, "not of its kind"
    assert event.Message(1000, b"").body is None and event.Message(1, b"hi").body is None
    assert content.context_of(0, 0, (), False) == b""
    assert wire.Context.decode(content.context_of(3, 0, (5,), True)) == wire.Context(3, 0, [5], True)
