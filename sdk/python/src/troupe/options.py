"""The configuration of a client, and its login at one node."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import limits, wire
from .connection import LOGIN_TIMEOUT, Connection, open_connection
from .errors import Rejected, Unavailable
from .incoming import StartAt
from .store import Saved, Store
from .transport import Dialer
from .trust import Trust


@dataclass(slots=True)
class Options:
    nodes: Sequence[str]
    name: str | None
    password: str | None = field(repr=False)
    invite: str
    token: bytes | None = field(repr=False)
    device: str | None
    store: Store
    trust: Trust
    start_at: StartAt
    # Seconds for which `connect` and requests look for a node that answers. Sends wait forever.
    patience: float
    # Events kept ready for the application.
    room: int
    rng: random.Random
    dialer: Dialer

    def agree_with(self, saved: Saved) -> str:
        """A store belongs to one user. Returns the name of the device."""
        session = saved.session
        if session is not None and self.name is not None:
            if _key(self.name) != _key(session.name) and self.name != str(session.user):
                raise Rejected(
                    f"this store belongs to {session.name}: give {self.name} another one", "other_user"
                )
        if session is not None and self.token is None and session.token:
            if self.device is None or self.device == session.device:
                self.token = session.token
        if self.token is None and (self.name is None or self.password is None):
            raise Rejected("give name and password, a token, or a store with a session", "not_logged_in")
        device = self.device or (session.device if session else f"sdk-{self.rng.getrandbits(64):016x}")
        if not 0 < len(device) <= limits.DEVICE_BYTES or any(not "!" <= c <= "~" for c in device):
            raise Rejected("a device is named by 1 to 64 printable ASCII characters", "bad_request")
        return device


def _key(name: str) -> str:
    """The server keeps a name in NFKC; case does not count."""
    return unicodedata.normalize("NFKC", name).casefold()


async def log_in(
    options: Options, address: str, device: str, cluster: bytes | None
) -> tuple[Connection, wire.LoggedIn]:
    """Opens a connection and a session on it, by token or else by password."""
    connection = await open_connection(address, options.trust, options.dialer)
    try:
        welcome = connection.welcome
        # A node of another cluster may have taken the address of a stopped one. It gets neither
        # token nor password.
        if cluster is not None and welcome.cluster_id != cluster and cluster not in welcome.continues:
            raise Unavailable(f"{address} belongs to another cluster than this device")
        if options.token is not None:
            return connection, await connection.request(wire.Resume(options.token), wire.LoggedIn, LOGIN_TIMEOUT)
        if options.name is None or options.password is None:
            raise Rejected("log in with name and password", "not_logged_in")
        login = wire.Login(options.name, options.password, device)
        return connection, await connection.request(login, wire.LoggedIn, LOGIN_TIMEOUT)
    except BaseException:
        connection.abort()
        raise
