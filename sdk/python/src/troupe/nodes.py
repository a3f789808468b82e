"""Choice of the next node, and the backoff before it."""

from __future__ import annotations

import random
from collections.abc import Iterable

from .errors import Rejected
from .trust import target

# Addresses in memory. A cluster has far fewer.
_ADDRESSES = 64
# Seconds: the first pause, and the longest.
_FIRST, _MOST = 0.05, 5.0
# A connection that lasted this many seconds resets the backoff.
_GOOD = 2.0


class Nodes:
    """Starts at a random position of the list, so that clients spread over the nodes."""

    def __init__(self, given: Iterable[str], rng: random.Random) -> None:
        self._rng = rng
        self._addresses: list[str] = []
        # None until an attempt has failed: the first one is repeated at once.
        self._pause: float | None = None
        self._reached: float | None = None
        self.learn(given)
        if not self._addresses:
            raise Rejected("no node is given to connect to", "bad_request")
        for address in self._addresses:
            target(address)
        self._next = rng.randrange(len(self._addresses))

    def learn(self, told: Iterable[str]) -> None:
        for address in told:
            if len(self._addresses) < _ADDRESSES and address and address not in self._addresses:
                self._addresses.append(address)

    def sent_to(self, told: list[str]) -> None:
        """A node asks its clients to move to one of these: at random, because others move too."""
        self.learn(told)
        if told and (one := self._rng.choice(told)) in self._addresses:
            self._next = self._addresses.index(one)

    def next(self, avoid: str | None = None) -> str:
        """The next address, but not `avoid` if there is another."""
        address = self._addresses[self._next % len(self._addresses)]
        self._next = (self._next + 1) % len(self._addresses)
        return self.next() if address == avoid and len(self._addresses) > 1 else address

    def reached(self, now: float) -> None:
        self._reached = now

    def lost(self, address: str, now: float) -> float:
        """The connection to this node ended. Returns the wait before the next attempt.

        It is zero unless the connection was short. The next address is random, because all clients
        of a lost node look for another one.
        """
        good = self._reached is not None and now - self._reached >= _GOOD
        self._reached = None
        if good:
            self._pause = None
            here = self._addresses.index(address) if address in self._addresses else self._next
            step = 1 + self._rng.randrange(max(len(self._addresses) - 1, 1))
            self._next = (here + step) % len(self._addresses)
        return self.backoff()

    def backoff(self) -> float:
        """The wait before the next attempt: zero at first, then doubling, half of it random."""
        if self._pause is None:
            self._pause = _FIRST
            return 0.0
        longest = self._pause
        self._pause = min(2 * longest, _MOST)
        return self._rng.uniform(longest / 2, longest)
