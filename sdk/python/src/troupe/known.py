"""The known clusters, and their file: one line per cluster, `<cluster id> <fingerprint> <host:port>,...`.

The format is that of the Rust SDK, so both can share one file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import StoreError

# A larger file was not written by this program.
_FILE_BYTES = 1024 * 1024
# Addresses stored per cluster. Above it a further address counts as new each time.
_ADDRESSES = 64
_HEAD = "# Clusters whose keys were taken on first use: cluster id, SHA-256 of the key, addresses.\n"


@dataclass(slots=True)
class _Cluster:
    fingerprint: str
    addresses: set[str] = field(default_factory=set)


class Known:
    """A missing file is empty."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._clusters = _parse(file) if file is not None else {}
        # Reported by nodes and not dialed yet. No user has named these, so they are not stored.
        self._told: dict[str, str] = {}

    def of_cluster(self, cluster: str) -> str | None:
        known = self._clusters.get(cluster)
        return known.fingerprint if known is not None else None

    def of_address(self, dial: str) -> str | None:
        for known in self._clusters.values():
            if dial in known.addresses:
                return known.fingerprint
        return self.of_cluster(self._told.get(dial, ""))

    def keep(self, cluster: str, fingerprint: str, dial: str) -> None:
        """The address belongs to this cluster only, from now on."""
        kept = self._clusters.get(cluster)
        if kept is not None and kept.fingerprint == fingerprint and dial in kept.addresses:
            return
        if self.file is not None:
            # Another process may have written it meanwhile.
            self._clusters = {**_parse(self.file), **self._clusters}
        for other in self._clusters.values():
            other.addresses.discard(dial)
        known = self._clusters.setdefault(cluster, _Cluster(fingerprint))
        known.fingerprint = fingerprint
        if len(known.addresses) < _ADDRESSES:
            known.addresses.add(dial)
        # A cluster that has lost its last address is removed.
        self._clusters = {name: known for name, known in self._clusters.items() if known.addresses}
        self._write()

    def learn(self, cluster: str, addresses: Iterable[str]) -> None:
        for address in addresses:
            # Existing bindings win: a foreign cluster cannot claim an address of another one.
            bound = any(address in known.addresses for known in self._clusters.values())
            if not bound and len(self._told) < _ADDRESSES:
                self._told.setdefault(address, cluster)

    def _write(self) -> None:
        if self.file is None:
            return
        lines = (
            f"{cluster} {known.fingerprint} {','.join(sorted(known.addresses))}\n"
            for cluster, known in sorted(self._clusters.items())
        )
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self.file.with_suffix(".new")
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as writing:
                writing.write(_HEAD + "".join(lines))
                writing.flush()
                os.fsync(writing.fileno())
            new.rename(self.file)
        except OSError as error:
            raise StoreError(f"{self.file}: {error}") from error


def _parse(file: Path) -> dict[str, _Cluster]:
    try:
        if file.stat().st_size > _FILE_BYTES:
            raise StoreError(f"{file} is too large to be one of ours")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{file}: {error}") from error
    clusters: dict[str, _Cluster] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = line.split()
        # An unreadable pin must not count as no pin.
        if len(parts) != 3 or not re.fullmatch("[0-9a-f]{64}", parts[1]):
            raise StoreError(f"{file}:{number}: wants a cluster id, a fingerprint and addresses")
        clusters[parts[0]] = _Cluster(parts[1], set(parts[2].split(",")))
    return clusters
