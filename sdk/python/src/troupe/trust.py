"""Server authentication: TLS 1.3, and a key that is pinned on first use or given in advance.

A node presents a certificate of its cluster's authority, or the operator's own. The pin is the SHA-256
of a public key: the authority's in the first case, so that one pin covers every node, and the
certificate's in the second. `Trust` stores pins by cluster, and the addresses of each cluster. An
address or a cluster that presents another key is refused before anything but hello is sent.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

from . import der
from .errors import Rejected, StoreError, Untrusted
from .known import Known

# The name in every certificate that a cluster's authority signs for a client port.
_CLIENT_NAME = "client.troupe"
# Authorities whose certificates are remembered, to verify a chain in the first handshake.
_AUTHORITIES = 64
# X509_V_FLAG_NO_CHECK_TIME: certificates of a cluster expire with their key, not by date, and a
# device with a wrong clock must still connect.
_ANY_TIME = 0x20_0000
_PARTIAL_CHAIN = 0x8_0000
_TLS, _PLAIN = "tls://", "tcp://"
_log = logging.getLogger("troupe")
_WEB = {"ws://": False, "wss://": True}


@dataclass(frozen=True, slots=True)
class Target:
    """A dialed address."""

    address: str
    host: str
    port: int
    tls: bool
    websocket: bool = False
    # Of a WebSocket, if it is not the usual one.
    path: str = ""

    @property
    def dial(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def target(address: str) -> Target:
    """Reads `host:port`, `tls://host:port`, `tcp://host:port`, `ws://host:port` and `wss://host:port`.

    Without a scheme, an address of this machine is plain and any other uses TLS.
    """
    rest, path, tls, websocket = address, "", None, False
    for scheme, secure in ((_TLS, True), (_PLAIN, False), *_WEB.items()):
        if address.startswith(scheme):
            rest, tls, websocket = address[len(scheme) :], secure, scheme in _WEB
    if websocket:
        rest, slash, path = rest.partition("/")
        path = slash + path
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Rejected(f"{address[:100]!r} is no address: it should be host:port", "bad_request")
    return Target(address, host, int(port), not _is_loopback(host) if tls is None else tls, websocket, path)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def followed(origin: str, told: Iterable[str]) -> list[str]:
    """Addresses that a node reports to its clients, filtered: a TLS connection leads to TLS only.

    A WebSocket leads to WebSockets, since a port for clients serves both. Addresses that this version
    cannot read are skipped.
    """
    kept: list[str] = []
    here = target(origin)
    secure = here.tls
    for address in told:
        try:
            found = target(address)
        except Rejected:
            continue
        if here.websocket and not found.websocket:
            if found.tls or not secure or "://" not in address:
                kept.append(f"{'wss' if found.tls or secure else 'ws'}://{found.dial}")
        elif not secure or found.tls:
            kept.append(address)
        elif "://" not in address:
            kept.append(_TLS + address)
    return kept


@dataclass(frozen=True, slots=True)
class FirstUse:
    """A cluster whose key was pinned on first use."""

    address: str
    cluster: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Handshake:
    context: ssl.SSLContext
    # The authority that must have signed the server's certificate.
    authority: bytes | None


class Trust:
    """Which servers to trust. The default pins the first key of a cluster for the life of this value."""

    def __init__(
        self,
        *,
        fingerprint: str | None = None,
        known_clusters: str | PathLike[str] | None = None,
        authorities: str | PathLike[str] | None = None,
        on_first_use: Callable[[FirstUse], None] | None = None,
    ) -> None:
        """
        fingerprint: accept only this key, as `troupe token ca` prints it.
        known_clusters: a file that keeps pins over restarts.
        authorities: verify by the authorities in this PEM file and the host's name; pin nothing.
        on_first_use: called with each key that is pinned on first use, to inform the user.
        """
        self._required = None if fingerprint is None else parse_fingerprint(fingerprint)
        self._known = Known(None if known_clusters is None else Path(known_clusters))
        self._roots = None if authorities is None else str(authorities)
        self._tell = on_first_use
        self._authorities: dict[str, bytes] = {}

    def handshake(self, to: Target, authority: bytes | None = None) -> Handshake:
        """The next handshake with this address. `authority` verifies the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if self._roots is not None:
            try:
                context.load_verify_locations(cafile=self._roots)
            except (OSError, ssl.SSLError) as error:
                raise Untrusted(f"{self._roots}: {error}") from error
            return Handshake(context, None)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        authority = authority or self._authorities.get(self._pinned(to) or "")
        if authority is not None:
            _verify_by(context, authority)
        return Handshake(context, authority)

    def examine(self, to: Target, tls: ssl.SSLObject, handshake: Handshake) -> str | bytes:
        """The key that a server presented, or the authority to verify in a further handshake.

        Raises Untrusted for another key than the known one. With authorities the key is "".
        """
        if self._roots is not None:
            return ""
        chain = _chain(tls)
        of_cluster = len(chain) > 1 and _CLIENT_NAME in der.dns_names(chain[0])
        seen = _pin(chain[-1] if of_cluster else chain[0])
        pinned = self._pinned(to)
        if pinned is not None and pinned != seen:
            raise self._changed(to, pinned, seen)
        if not of_cluster:
            return seen
        if handshake.authority is None:
            # The name proves nothing: the authority must have signed the certificate.
            return chain[-1]
        # OpenSSL has verified the certificate by this authority, and not by the presented one.
        if _pin(handshake.authority) != seen:
            raise Untrusted(f"the certificate of {to.dial} is refused: it was not signed by its authority")
        if len(self._authorities) >= _AUTHORITIES:
            self._authorities.clear()
        self._authorities[seen] = handshake.authority
        return seen

    def refused(self, to: Target, error: ssl.SSLError) -> Untrusted | None:
        """The error of a failed handshake, if the server is to blame."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return Untrusted(f"the certificate of {to.dial} is refused: {error.verify_message}")
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
            return Untrusted(
                f"{to.dial} does not speak TLS; if plain text is meant there, and the network between is yours, "
                f"use {_PLAIN}{to.dial}"
            )
        return None

    def confirm(self, to: Target, cluster: bytes, seen: str) -> None:
        """The server has presented this key and named its cluster. No secret has been sent yet."""
        if not seen:
            return
        name = cluster.hex()
        before = self._known.of_cluster(name)
        if before is not None and before != seen and self._required is None:
            raise self._changed(to, before, seen)
        try:
            self._known.keep(name, seen, to.dial)
        except StoreError as error:
            # This connection is valid. Only the next start does not know the pin.
            _log.warning("cannot store the key of this cluster: %s", error)
        if before is None and self._required is None and self._tell is not None:
            self._tell(FirstUse(to.dial, name, seen))

    def learn(self, cluster: bytes, addresses: Iterable[str]) -> None:
        """Addresses that a node of this cluster reported: a server there must present its key."""
        self._known.learn(cluster.hex(), [target(address).dial for address in addresses])

    def _pinned(self, to: Target) -> str | None:
        return self._required or self._known.of_address(to.dial)

    def _changed(self, to: Target, pinned: str, seen: str) -> Untrusted:
        if self._required is not None:
            way_out = "compare it with `troupe token ca` on a node of the cluster"
        elif self._known.file is not None:
            way_out = f"if its operator has changed it, remove its line from {self._known.file}"
        else:
            way_out = "if its operator has changed it, restart this client"
        return Untrusted(
            f"{to.dial} shows another key than the one that is known: {seen} instead of {pinned}. "
            f"Someone may be listening in between. Nothing was sent to it; {way_out}"
        )


def parse_fingerprint(text: str) -> str:
    """Hex digits, optionally separated by colons."""
    digits = text.strip().replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise Rejected(
            "a fingerprint is 64 hex digits, as a node logs it and `troupe token ca` prints it", "bad_request"
        )
    return digits


def _pin(certificate: bytes) -> str:
    return sha256(der.public_key(certificate)).hexdigest()


def _verify_by(context: ssl.SSLContext, authority: bytes) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags(_ANY_TIME | _PARTIAL_CHAIN)
    try:
        context.load_verify_locations(cadata=authority)
    except ssl.SSLError as error:
        raise Untrusted("the server's authority cannot be read") from error


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    """The presented certificates as DER, the server's first."""
    # Public since Python 3.13; before, the same method of the inner object.
    holder: Any = tls if hasattr(tls, "get_unverified_chain") else getattr(tls, "_sslobj", None)
    presented = holder.get_unverified_chain() or []
    chain = [item if isinstance(item, bytes) else bytes(item.public_bytes(2)) for item in presented]
    if not chain:
        raise Untrusted("the server shows no certificate")
    return chain
