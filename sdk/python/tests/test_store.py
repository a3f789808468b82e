"""Stores: what survives, what is refused."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from troupe import EVERYONE, ClientMessageId, MemoryStore, Seq, SqliteStore, StoreError, UserId
from troupe.event import Event, Message
from troupe.store import HISTORY_EVENTS, Queued, Session, Store


def event(seq: int, text: str) -> Event:
    return Event(Seq(seq), 5, UserId(7), ClientMessageId(bytes(16)), Message(1, text.encode()))


def queued(number: int) -> Queued:
    return Queued(EVERYONE, ClientMessageId(number.to_bytes(16, "big")), 1, b"m%d" % number)


def fill(store: Store) -> None:
    store.cluster(b"c" * 16)
    store.logged_in(Session(UserId(7), "alice", "laptop", b"secret"))
    for number in (3, 1, 2):
        store.queued(queued(number))
    store.settled(queued(1).id)
    store.cursor(EVERYONE, Seq(4))
    store.handed_out(EVERYONE, event(5, "Grüße"))
    store.history(EVERYONE, 2**64 - 1, None)


def check(store: Store) -> None:
    saved = store.load()
    assert saved.cluster == b"c" * 16
    assert saved.session == Session(UserId(7), "alice", "laptop", b"secret")
    assert saved.outbox == [queued(3), queued(2)], "in the order they were queued"
    assert saved.cursors == {EVERYONE: 5}
    assert saved.histories == {EVERYONE: 2**64 - 1}
    assert [found.text for _, found in store.search("GRÜSSE", 10)] == ["Grüße"]
    assert store.search("absent", 10) == []


def test_memory() -> None:
    store = MemoryStore()
    fill(store)
    check(store)


def test_a_file_is_reopened_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "alice.db"
    store = SqliteStore(path)
    fill(store)
    store.close()
    store = SqliteStore(path, fsync=True)
    check(store)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    store.logged_out()
    session = store.load().session
    assert session is not None and session.token == b"" and session.name == "alice"


def test_a_crash_between_the_event_and_its_cursor_leaves_both_or_neither(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "alice.db")
    store.handed_out(EVERYONE, event(1, "one"))
    # The second statement of the transaction fails.
    store._db.execute("CREATE TRIGGER full BEFORE INSERT ON cursors BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(StoreError):
        store.handed_out(EVERYONE, event(2, "two"))
    assert store.search("two", 1) == [] and store.load().cursors == {EVERYONE: 1}


def test_a_second_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("troupe.store._BUSY", 0.05)
    store = SqliteStore(tmp_path / "alice.db")
    with pytest.raises(StoreError, match="in use by another process"):
        SqliteStore(tmp_path / "alice.db")
    store.close()
    SqliteStore(tmp_path / "alice.db").close()


def test_a_file_of_the_first_form_keeps_its_outbox(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "device.db")
    store.queued(queued(1))
    store.close()
    with sqlite3.connect(tmp_path / "device.db") as first:
        first.execute("ALTER TABLE outbox DROP COLUMN context")
        first.execute("PRAGMA user_version = 1")
    first.close()
    store = SqliteStore(tmp_path / "device.db")
    answer = Queued(EVERYONE, ClientMessageId(bytes(16)), 1, b"so", b"\x08\x03")
    store.queued(answer)
    assert store.load().outbox == [queued(1), answer]
    store.close()


def test_damage_and_later_versions_are_named(tmp_path: Path) -> None:
    (tmp_path / "damaged.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="is damaged"):
        SqliteStore(tmp_path / "damaged.db")
    SqliteStore(tmp_path / "later.db").close()
    with sqlite3.connect(tmp_path / "later.db") as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(StoreError, match="later version"):
        SqliteStore(tmp_path / "later.db")


def test_the_history_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("troupe.store.HISTORY_EVENTS", 100)
    store = SqliteStore(tmp_path / "alice.db")
    for seq in range(1, 600):
        store.handed_out(EVERYONE, event(seq, f"m{seq}"))
    (kept,) = store._db.execute("SELECT count(*) FROM events").fetchone()
    assert 100 <= kept <= 100 + 256 and HISTORY_EVENTS == 10_000
    assert [found.text for _, found in store.search("m599", 5)] == ["m599"]
