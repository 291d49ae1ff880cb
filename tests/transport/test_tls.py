from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.certificates import Authority, Issued

from kernelway.protocol.errors import ConfigError
from kernelway.transport.tls import (
    client_context,
    fingerprint_of,
    format_fingerprint,
    parse_fingerprint,
    server_context,
    shown_certificate,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Issued:
    return authority.issue("localhost")


@asynccontextmanager
async def greeting(context: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a server that says hello to whoever it trusts."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def said(port: int, context: ssl.SSLContext) -> bytes:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        try:
            return await reader.read()
        finally:
            writer.transport.abort()


async def test_a_client_trusts_the_authority_it_was_given_and_no_other(
    authority: Authority, stranger: Authority, server: Issued
) -> None:
    async with greeting(server_context(certfile=server.cert, keyfile=server.key)) as port:
        assert await said(port, client_context(ca_file=authority.file)) == b"hello"
        for context in (client_context(ca_file=stranger.file), client_context()):
            with pytest.raises(ssl.SSLCertVerificationError):
                await said(port, context)


async def test_a_pinning_client_asks_no_authority_unless_it_was_given_one(
    stranger: Authority, server: Issued, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text(server.cert.read_text() + server.key.read_text())
    async with greeting(server_context(certfile=both)) as port:
        assert await said(port, client_context(pinned=True)) == b"hello"
        with pytest.raises(ssl.SSLCertVerificationError):
            await said(port, client_context(pinned=True, ca_file=stranger.file))


async def test_mutual_tls_lets_in_only_certificates_of_its_authority(
    authority: Authority, stranger: Authority, server: Issued
) -> None:
    mine, other = authority.issue("me@example.com"), stranger.issue("me@example.com")
    context = server_context(certfile=server.cert, keyfile=server.key, client_ca=authority.file)
    async with greeting(context) as port:
        known = client_context(ca_file=authority.file, client_cert=mine.cert, client_key=mine.key)
        assert await said(port, known) == b"hello"
        unknown = client_context(ca_file=authority.file, client_cert=other.cert, client_key=other.key)
        for refused in (unknown, client_context(ca_file=authority.file)):
            # In TLS 1.3 a client has finished its handshake before the server refuses its certificate.
            with suppress(ssl.SSLError, ConnectionError):
                assert await said(port, refused) == b""


async def test_the_certificate_that_a_server_shows_is_seen(server: Issued) -> None:
    async with greeting(server_context(certfile=server.cert, keyfile=server.key)) as port:
        assert await shown_certificate("127.0.0.1", port, deadline=10) == server.der
    assert await shown_certificate("127.0.0.1", port, deadline=10) is None


async def test_a_server_that_never_shakes_hands_shows_nothing() -> None:
    done = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await shown_certificate("127.0.0.1", port, deadline=0.2) is None
        done.set()


def test_a_fingerprint_is_what_openssl_prints(server: Issued) -> None:
    command = ["openssl", "x509", "-in", str(server.cert), "-noout", "-fingerprint", "-sha256"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert parse_fingerprint(printed) == hashlib.sha256(server.der).digest()
    assert fingerprint_of(server.der) in printed


@given(digest=st.binary(min_size=32, max_size=32))
def test_a_fingerprint_is_read_in_every_spelling(digest: bytes) -> None:
    spellings = (
        format_fingerprint(digest),
        digest.hex(),
        digest.hex().upper(),
        digest.hex(" ", 2),
        f"sha256:{digest.hex()}",
        f" SHA256 Fingerprint={format_fingerprint(digest)}\n",
    )
    assert {parse_fingerprint(spelling) for spelling in spellings} == {digest}


@pytest.mark.parametrize("text", ["", "0a", "g" * 64, "0" * 63, "0" * 40, "0" * 65, "md5:" + "0" * 64])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        parse_fingerprint(text)


def test_a_file_that_cannot_be_used_is_named(authority: Authority, server: Issued, tmp_path: Path) -> None:
    missing, empty, garbage = tmp_path / "missing.pem", tmp_path / "empty.pem", tmp_path / "garbage.pem"
    empty.touch()
    garbage.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    cert, key, other_key = server.cert, server.key, authority.issue("localhost").key
    cases = [
        (lambda: client_context(ca_file=missing), f"{missing} cannot be read: No such file"),
        (lambda: client_context(ca_file=empty), f"{empty} holds no certificate"),
        (lambda: client_context(ca_file=garbage), f"{garbage} cannot be used as a certificate authority"),
        (lambda: client_context(client_cert=missing), f"{missing} cannot be read"),
        (lambda: client_context(client_cert=cert), f"{cert} holds no private key"),
        (lambda: client_context(client_cert=key, client_key=key), f"{key} holds no certificate"),
        (lambda: server_context(certfile=cert, keyfile=missing), f"{missing} cannot be read"),
        (lambda: server_context(certfile=cert, keyfile=tmp_path), f"{tmp_path} cannot be read"),
        (
            lambda: server_context(certfile=cert, keyfile=other_key),
            f"The key in {other_key} does not belong to the certificate in {cert}",
        ),
        (lambda: server_context(certfile=garbage, keyfile=key), f"certificate in {garbage} cannot be used"),
        (
            lambda: server_context(certfile=cert, keyfile=key, client_ca=empty),
            f"{empty} holds no certificate",
        ),
    ]
    for make, words in cases:
        with pytest.raises(ConfigError) as caught:
            make()
        assert words in str(caught.value)


def test_a_locked_key_is_told_instead_of_asking_on_the_terminal(server: Issued, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(server.key), "-aes256", "-passout", "pass:s3cret"]
    subprocess.run([*command, "-out", str(locked)], check=True)
    with pytest.raises(ConfigError, match=f"{locked} is locked with a passphrase"):
        server_context(certfile=server.cert, keyfile=locked)
