"""The persistent state of a device: session, outbox, cursors, and delivered events.

`SqliteStore` survives the process, `MemoryStore` does not. A store belongs to one cluster and one
user. Each method is one transaction.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from .errors import StoreError
from .event import Event, WireEvent, of_wire, to_wire
from .ids import ClientMessageId, ConversationId, Seq, UserId

# Events kept for local search. The oldest are dropped first.
HISTORY_EVENTS = 10_000
# Delivered events between two trims of that history.
_TRIM_EVERY = 256
# Seconds to wait for another process that closes the file.
_BUSY = 2.0
_FORM = 2
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Session:
    user: UserId
    name: str
    device: str
    # Secret: it authenticates this device. Empty after the session has ended.
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Queued:
    conversation: ConversationId
    id: ClientMessageId
    kind: int
    content: bytes
    # `Context` of content.proto, encoded; empty: none.
    context: bytes = b""


@dataclass(slots=True)
class Saved:
    """The sum of everything stored."""

    cluster: bytes | None = None
    session: Session | None = None
    # In the order they were queued.
    outbox: list[Queued] = field(default_factory=list)
    cursors: dict[ConversationId, Seq] = field(default_factory=dict)
    # The history of the cluster that the held events belong to.
    histories: dict[ConversationId, int] = field(default_factory=dict)


class Store(Protocol):
    """A store raises StoreError; then the change does not count."""

    def load(self) -> Saved: ...

    def cluster(self, id: bytes) -> None:
        """The cluster of this store. Nothing of the store is ever sent to another one."""

    def logged_in(self, session: Session) -> None: ...

    def logged_out(self) -> None:
        """The session has ended. The rest stays for a new login of the same user and device."""

    def queued(self, message: Queued) -> None:
        """A message enters the outbox."""

    def settled(self, id: ClientMessageId) -> None:
        """A message leaves the outbox, acknowledged or definitely refused."""

    def handed_out(self, conversation: ConversationId, event: Event) -> None:
        """Event and cursor: this event, and everything before it, was delivered."""

    def cursor(self, conversation: ConversationId, seq: Seq) -> None:
        """The device follows this conversation from after `seq`."""

    def history(self, conversation: ConversationId, history: int, kept: Seq | None) -> None:
        """The held events belong to this history. `kept` moves the cursor back in the same step."""

    def search(self, word: str, limit: int) -> list[tuple[ConversationId, Event]]:
        """Delivered messages whose text contains `word`: the newest `limit`, oldest first."""

    def close(self) -> None: ...


class MemoryStore:
    """For tests, and for clients that leave nothing on disk. It may be opened again in one process."""

    def __init__(self, history: int = 256) -> None:
        self._saved = Saved()
        self._history: deque[tuple[ConversationId, Event]] = deque(maxlen=history)

    def load(self) -> Saved:
        saved = self._saved
        return Saved(
            saved.cluster, saved.session, list(saved.outbox), dict(saved.cursors), dict(saved.histories)
        )

    def cluster(self, id: bytes) -> None:
        self._saved.cluster = id

    def logged_in(self, session: Session) -> None:
        self._saved.session = session

    def logged_out(self) -> None:
        session = self._saved.session
        if session is not None:
            self._saved.session = Session(session.user, session.name, session.device, b"")

    def queued(self, message: Queued) -> None:
        self._saved.outbox.append(message)

    def settled(self, id: ClientMessageId) -> None:
        self._saved.outbox = [queued for queued in self._saved.outbox if queued.id != id]

    def handed_out(self, conversation: ConversationId, event: Event) -> None:
        self._history.append((conversation, event))
        self._saved.cursors[conversation] = event.seq

    def cursor(self, conversation: ConversationId, seq: Seq) -> None:
        self._saved.cursors[conversation] = seq

    def history(self, conversation: ConversationId, history: int, kept: Seq | None) -> None:
        self._saved.histories[conversation] = history
        if kept is not None:
            self._saved.cursors[conversation] = kept

    def search(self, word: str, limit: int) -> list[tuple[ConversationId, Event]]:
        folded = word.casefold()
        found = [item for item in self._history if folded in (item[1].text or "").casefold()]
        return found[-limit:] if limit > 0 else []

    def close(self) -> None:
        pass


_TABLES = """
CREATE TABLE device (one INTEGER PRIMARY KEY CHECK (one = 1), cluster BLOB, user INTEGER, name TEXT,
    device TEXT, token BLOB);
INSERT INTO device (one) VALUES (1);
CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
    conversation TEXT NOT NULL, kind INTEGER NOT NULL, content BLOB NOT NULL, context BLOB NOT NULL DEFAULT x'');
CREATE TABLE cursors (conversation TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE histories (conversation TEXT PRIMARY KEY, history TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT NOT NULL,
    text TEXT, event BLOB NOT NULL);
"""


class SqliteStore:
    """One file per device, readable by its owner only, open in one process at a time.

    A commit survives the end of the process at any moment. With `fsync=True` it also survives a
    power loss, for some milliseconds of the caller's time per message.
    """

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = False) -> None:
        self._path = Path(path)
        self._delivered = 0
        self._do(lambda: self._open(fsync))

    def _open(self, fsync: bool) -> None:
        if self._path.parent != Path("."):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its other files the mode of this one.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        os.chmod(self._path, 0o600)
        self._db = sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
        # Takes the lock, which stays until the file is closed.
        self._db.execute("BEGIN EXCLUSIVE")
        (form,) = self._db.execute("PRAGMA user_version").fetchone()
        if form == 0:
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
        if form == 1:
            self._db.execute("ALTER TABLE outbox ADD COLUMN context BLOB NOT NULL DEFAULT x''")
        if form < _FORM:
            self._db.execute(f"PRAGMA user_version = {_FORM}")
        self._db.execute("COMMIT")
        if form > _FORM:
            self._db.close()
            raise StoreError(f"{self._path} is of a later version of this SDK: use that version")

    def load(self) -> Saved:
        def read() -> Saved:
            row = self._db.execute("SELECT cluster, user, name, device, token FROM device").fetchone()
            cluster, user, name, device, token = row
            session = None if user is None else Session(UserId(user), name, device, bytes(token or b""))
            outbox = self._db.execute("SELECT conversation, id, kind, content, context FROM outbox ORDER BY number")
            cursors = self._db.execute("SELECT conversation, seq FROM cursors")
            histories = self._db.execute("SELECT conversation, history FROM histories")
            return Saved(
                cluster,
                session,
                [Queued(c, ClientMessageId(bytes(id)), *rest) for c, id, *rest in outbox],
                {ConversationId(conversation): Seq(seq) for conversation, seq in cursors},
                {ConversationId(conversation): int(history) for conversation, history in histories},
            )

        return self._do(read)

    def cluster(self, id: bytes) -> None:
        self._write(("UPDATE device SET cluster = ?", (id,)))

    def logged_in(self, session: Session) -> None:
        values = (session.user, session.name, session.device, session.token)
        self._write(("UPDATE device SET user = ?, name = ?, device = ?, token = ?", values))

    def logged_out(self) -> None:
        self._write(("UPDATE device SET token = NULL", ()))

    def queued(self, message: Queued) -> None:
        values = (message.id, message.conversation, message.kind, message.content, message.context)
        columns = "(id, conversation, kind, content, context)"
        self._write((f"INSERT INTO outbox {columns} VALUES (?, ?, ?, ?, ?)", values))

    def settled(self, id: ClientMessageId) -> None:
        self._write(("DELETE FROM outbox WHERE id = ?", (id,)))

    def handed_out(self, conversation: ConversationId, event: Event) -> None:
        text = event.text
        row = (conversation, None if text is None else text.casefold(), to_wire(event).encode())
        statements: list[tuple[str, tuple[object, ...]]] = [
            ("INSERT INTO events (conversation, text, event) VALUES (?, ?, ?)", row),
            ("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (conversation, event.seq)),
        ]
        self._delivered += 1
        if self._delivered % _TRIM_EVERY == 0:
            oldest = "DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?"
            statements.append((oldest, (HISTORY_EVENTS,)))
        self._write(*statements)

    def cursor(self, conversation: ConversationId, seq: Seq) -> None:
        self._write(("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (conversation, seq)))

    def history(self, conversation: ConversationId, history: int, kept: Seq | None) -> None:
        statements: list[tuple[str, tuple[object, ...]]] = [
            # 64 bits without a sign do not fit into a number of SQLite.
            ("INSERT OR REPLACE INTO histories VALUES (?, ?)", (conversation, str(history)))
        ]
        if kept is not None:
            statements.append(("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (conversation, kept)))
        self._write(*statements)

    def search(self, word: str, limit: int) -> list[tuple[ConversationId, Event]]:
        def read() -> list[tuple[ConversationId, Event]]:
            rows = self._db.execute(
                "SELECT conversation, event FROM events WHERE instr(text, ?) > 0 ORDER BY number DESC LIMIT ?",
                (word.casefold(), max(limit, 0)),
            ).fetchall()
            return [(ConversationId(c), of_wire(WireEvent.decode(bytes(event)))) for c, event in reversed(rows)]

        return self._do(read)

    def close(self) -> None:
        self._do(self._db.close)

    def _write(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        def write() -> None:
            self._db.execute("BEGIN")
            try:
                for statement, values in statements:
                    self._db.execute(statement, values)
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

        self._do(write)

    def _do(self, step: Callable[[], _T]) -> _T:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreError(f"{self._path} is in use by another process: give each device a file") from error
            raise StoreError(f"{self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path} is damaged ({error}): move it away to start with an empty one") from error
        except (OSError, OverflowError) as error:
            raise StoreError(f"{self._path}: {error}") from error
