"""The few parts of an X.509 certificate that pinning reads: its public key and its DNS names.

This only finds bytes. OpenSSL verifies signatures.
"""

from __future__ import annotations

from collections.abc import Iterator

from .errors import Untrusted

_SEQUENCE, _OID, _VERSION, _EXTENSIONS, _DNS = 0x30, 0x06, 0xA0, 0xA3, 0x82
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")


def public_key(certificate: bytes) -> bytes:
    """SubjectPublicKeyInfo, as DER."""
    # Serial, signature algorithm, issuer, validity, subject, key.
    return _parts(certificate)[5][2]


def dns_names(certificate: bytes) -> list[str]:
    for tag, value, _ in _parts(certificate)[6:]:
        if tag != _EXTENSIONS:
            continue
        for _, extension, _ in _walk(_first(value, _SEQUENCE)):
            parts = list(_walk(extension))
            if parts and parts[0][:2] == (_OID, _ALTERNATIVE_NAMES):
                names = _first(parts[-1][1], _SEQUENCE)
                return [name.decode("ascii", "replace") for tag, name, _ in _walk(names) if tag == _DNS]
    return []


def _parts(certificate: bytes) -> list[tuple[int, bytes, bytes]]:
    """The parts of the signed half of a certificate, without its version."""
    signed = _first(_first(certificate, _SEQUENCE), _SEQUENCE)
    parts = [part for part in _walk(signed) if part[0] != _VERSION]
    if len(parts) < 6:
        raise _unreadable()
    return parts


def _first(data: bytes, tag: int) -> bytes:
    for found, value, _ in _walk(data):
        if found == tag:
            return value
        break
    raise _unreadable()


def _walk(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, value, and all bytes of each element."""
    at = 0
    while at < len(data):
        begin = at
        if len(data) - at < 2:
            raise _unreadable()
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or len(data) - at < size:
                raise _unreadable()
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if length > len(data) - at:
            raise _unreadable()
        yield tag, data[at : at + length], data[begin : at + length]
        at += length


def _unreadable() -> Untrusted:
    return Untrusted("the server's certificate cannot be read")
