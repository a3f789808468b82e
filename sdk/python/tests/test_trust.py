"""TLS: pins, and certificates that are refused. The certificates are made by openssl."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from troupe import Trust, Unavailable, Untrusted
from troupe.transport import open_stream
from troupe.trust import FirstUse, followed, target

OURS, THEIRS = b"\x01" * 16, b"\x02" * 16

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing: install it")


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.count = folder, name, 0
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.pem"
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        subject = ("-subj", f"/CN={name}", "-days", "30")
        openssl("req", "-x509", "-new", "-key", self.key, "-out", self.certificate, *subject)

    def node(self, names: str = "DNS:client.troupe,IP:127.0.0.1", *, days: str = "30", chain: str = "") -> Server:
        self.count += 1
        stem = self.folder / f"{self.name}-{self.count}"
        key, request, leaf = stem.with_suffix(".key"), stem.with_suffix(".csr"), stem.with_suffix(".crt")
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        openssl("genpkey", "-algorithm", "ed25519", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", "/CN=node", "-out", request)
        signer = ("-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *signer, "-days", days, "-extfile", extensions, "-out", leaf)
        bundle = stem.with_suffix(".bundle")
        bundle.write_text(leaf.read_text() + (chain or self.certificate.read_text()))
        return Server(bundle, key)


class Server:
    def __init__(self, chain: Path, key: Path) -> None:
        self.chain, self.key = chain, key
        self.port = 0

    async def start(self) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"welcome")

        server = await asyncio.start_server(serve, "127.0.0.1", self.port, ssl=context)
        self.server = server
        self.port = server.sockets[0].getsockname()[1]
        return f"tls://127.0.0.1:{self.port}"

    async def replace_with(self, other: Server) -> None:
        """Another server takes the address."""
        self.server.close()
        await self.server.wait_closed()
        other.port = self.port
        await other.start()


async def reach(trust: Trust, address: str, cluster: bytes = OURS) -> str:
    to = target(address)
    reader, writer, seen = await open_stream(to, trust)
    try:
        assert await reader.readexactly(7) == b"welcome"
        trust.confirm(to, cluster, seen)
        return seen
    finally:
        writer.transport.abort()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    folder = tmp_path_factory.mktemp("tls")
    return Authority(folder, "ours"), Authority(folder, "theirs")


Pair = tuple[Authority, Authority]


def test_one_pin_serves_every_node_of_a_cluster_and_no_other(authorities: Pair) -> None:
    ours, theirs = authorities

    async def main() -> None:
        told: list[FirstUse] = []
        trust = Trust(on_first_use=told.append)
        a, b = ours.node(), ours.node()
        first = await reach(trust, await a.start())
        assert await reach(trust, await b.start()) == first
        assert [one.fingerprint for one in told] == [first], "the user learns of it once"
        await a.replace_with(ours.node())
        assert await reach(trust, f"tls://127.0.0.1:{a.port}") == first, "a new certificate"
        # An attacker in between, at a known address, and as the known cluster at a new one.
        await b.replace_with(theirs.node())
        with pytest.raises(Untrusted, match="another key|is refused"):
            await reach(trust, f"tls://127.0.0.1:{b.port}")
        with pytest.raises(Untrusted, match="another key"):
            await reach(trust, await theirs.node().start())
        assert await reach(trust, await theirs.node().start(), THEIRS) != first, "another cluster"

    asyncio.run(main())


def test_a_chain_that_its_authority_did_not_sign_is_refused(authorities: Pair) -> None:
    ours, theirs = authorities

    async def main() -> None:
        # The attacker's own certificate, with the real authority's certificate behind it.
        forged = theirs.node(chain=ours.certificate.read_text())
        with pytest.raises(Untrusted, match="is refused"):
            await reach(Trust(), await forged.start())
        trust = Trust()
        await reach(trust, await ours.node().start())
        with pytest.raises(Untrusted, match="is refused"):
            await reach(trust, await theirs.node(chain=ours.certificate.read_text()).start())

    asyncio.run(main())


def test_a_given_fingerprint_accepts_no_other_key(authorities: Pair) -> None:
    ours, theirs = authorities

    async def main() -> None:
        address = await ours.node().start()
        pin = await reach(Trust(), address)
        colons = ":".join(pin[at : at + 2] for at in range(0, 64, 2)).upper()
        assert await reach(Trust(fingerprint=colons), address) == pin
        with pytest.raises(Untrusted, match="token ca"):
            await reach(Trust(fingerprint=pin), await theirs.node().start())

    asyncio.run(main())


def test_an_operators_own_certificate_is_pinned_itself(authorities: Pair) -> None:
    ours, _ = authorities

    async def main() -> None:
        own = ours.node("DNS:chat.example,IP:127.0.0.1")
        trust = Trust()
        first = await reach(trust, await own.start())
        assert first != await reach(Trust(), await ours.node().start()), "not the authority's key"
        await own.replace_with(ours.node("DNS:chat.example,IP:127.0.0.1"))
        with pytest.raises(Untrusted, match="another key"):
            await reach(trust, f"tls://127.0.0.1:{own.port}")

    asyncio.run(main())


def test_authorities_verify_the_name_and_the_signature(authorities: Pair) -> None:
    ours, theirs = authorities

    async def main() -> None:
        trust = Trust(authorities=ours.certificate)
        assert await reach(trust, await ours.node().start()) == ""
        with pytest.raises(Untrusted, match="is refused"):
            await reach(trust, await theirs.node().start())
        with pytest.raises(Untrusted, match="is refused"):
            await reach(trust, await ours.node("DNS:client.troupe").start())

    asyncio.run(main())


def test_pins_survive_a_restart_in_a_file_that_the_rust_sdk_reads(authorities: Pair, tmp_path: Path) -> None:
    ours, theirs = authorities
    file = tmp_path / "new" / "known-clusters"

    async def main() -> None:
        a = ours.node()
        first = await reach(Trust(known_clusters=file), await a.start())
        lines = file.read_text().splitlines()
        assert lines[1:] == [f"{OURS.hex()} {first} 127.0.0.1:{a.port}"]
        assert file.stat().st_mode & 0o777 == 0o600
        await a.replace_with(theirs.node())
        with pytest.raises(Untrusted, match="known-clusters"):
            await reach(Trust(known_clusters=file), f"tls://127.0.0.1:{a.port}")

    asyncio.run(main())


def test_plain_text_where_tls_is_expected_is_named() -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Untrusted, match=f"use tcp://127.0.0.1:{port}"):
            await open_stream(target(f"tls://127.0.0.1:{port}"), Trust())
        server.close()
        with pytest.raises(Unavailable):
            await open_stream(target(f"127.0.0.1:{port}"), Trust())

    asyncio.run(main())


def test_addresses() -> None:
    assert not target("127.0.0.1:7700").tls and not target("localhost:7700").tls and not target("[::1]:7700").tls
    assert target("chat.example:7700").tls and target("tls://127.0.0.1:7700").tls
    assert not target("tcp://chat.example:7700").tls
    assert target("[::1]:7700").dial == "[::1]:7700"
    told = ["10.0.0.2:7700", "127.0.0.1:7700", "tcp://10.0.0.3:7700", "later://x"]
    assert followed("tls://10.0.0.1:7700", told) == ["10.0.0.2:7700", "tls://127.0.0.1:7700"]
    assert followed("127.0.0.1:7700", told) == told[:3]
    web = target("wss://chat.example:443/gate/v1/ws")
    assert web.tls and web.websocket and (web.dial, web.path) == ("chat.example:443", "/gate/v1/ws")
    assert followed("wss://10.0.0.1:7700", told) == ["wss://10.0.0.2:7700", "wss://127.0.0.1:7700"]
    assert followed("ws://127.0.0.1:7700", told[:2]) == ["wss://10.0.0.2:7700", "ws://127.0.0.1:7700"]
