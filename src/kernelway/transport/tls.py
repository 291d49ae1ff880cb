"""TLS of both sides: contexts made from files, and certificates pinned by their fingerprint.

A fingerprint is the SHA-256 digest of a certificate in DER form, as ``openssl x509 -fingerprint -sha256``
prints it. Pinning one is what a self-signed certificate needs: the name and the issuer say nothing there.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from pathlib import Path

from kernelway.protocol.errors import ConfigError
from kernelway.transport import deadlines

_ALPN = ["http/1.1"]
"""A WebSocket is an upgrade of HTTP/1.1; a proxy that picked HTTP/2 could not carry it to us."""


def client_context(
    *,
    ca_file: str | Path | None = None,
    client_cert: str | Path | None = None,
    client_key: str | Path | None = None,
    pinned: bool = False,
) -> ssl.SSLContext:
    """The context of a client; :class:`ConfigError` names the file that cannot be used.

    ``ca_file`` takes the place of the system's authorities. ``client_cert`` may hold its key too. With
    ``pinned`` and no ``ca_file`` no authority is asked and no host name compared: the caller compares the
    fingerprint, before anything is sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(_ALPN)
    if ca_file is not None:
        _trust(context, Path(ca_file))
    elif pinned:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if client_cert is not None:
        _present(context, Path(client_cert), None if client_key is None else Path(client_key))
    return context


def server_context(
    *, certfile: str | Path, keyfile: str | Path | None = None, client_ca: str | Path | None = None
) -> ssl.SSLContext:
    """The context of a server; :class:`ConfigError` names the file that cannot be used.

    With ``client_ca`` a client must show a certificate of that authority (mutual TLS).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(_ALPN)
    _present(context, Path(certfile), None if keyfile is None else Path(keyfile))
    if client_ca is not None:
        _trust(context, Path(client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def fingerprint_of(certificate: bytes) -> str:
    """The fingerprint of a certificate in DER form, as pairs of capital digits between colons."""
    return format_fingerprint(hashlib.sha256(certificate).digest())


def format_fingerprint(digest: bytes) -> str:
    """A digest as people compare it, such as ``0A:1B:…``."""
    return digest.hex(":").upper()


def parse_fingerprint(text: str) -> bytes:
    """The 32 bytes of a fingerprint written with or without colons or blanks, in any case.

    The prefixes that ``openssl`` and others print (``SHA256 Fingerprint=``, ``sha256:``) may stay.
    """
    digits = re.sub(r"^\s*sha-?256(\s+fingerprint)?\s*[=:]", "", text, flags=re.IGNORECASE)
    digits = re.sub(r"[:\s]", "", digits)
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        raise ConfigError(
            f"The fingerprint {text!r} is not a SHA-256 fingerprint, which has 64 hexadecimal digits: "
            "`openssl x509 -in CERTIFICATE -noout -fingerprint -sha256` prints it."
        )
    return bytes.fromhex(digits)


async def shown_certificate(
    host: str, port: int, *, server_hostname: str | None = None, deadline: float
) -> bytes | None:
    """The certificate, in DER form, that a server shows; None where no TLS handshake succeeds.

    The connection is dropped after the handshake: no byte of a request is sent. It is meant for telling a
    person what was seen, never for trusting it. ``deadline`` is in seconds.
    """
    context = client_context(pinned=True)
    try:
        async with deadlines.timeout(deadline):
            _, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=server_hostname or host
            )
    except OSError:  # TimeoutError and ssl.SSLError are among them.
        return None
    session = writer.get_extra_info("ssl_object")
    certificate: bytes | None = session.getpeercert(binary_form=True)
    writer.transport.abort()
    return certificate


def _trust(context: ssl.SSLContext, path: Path) -> None:
    if "-----BEGIN " not in _text(path):
        raise ConfigError(f"{path} holds no certificate in PEM form.")
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise ConfigError(f"{path} cannot be used as a certificate authority: {_words(error)}.") from error


def _present(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    key = cert if key is None else key
    if "CERTIFICATE-----" not in _text(cert):
        raise ConfigError(f"{cert} holds no certificate in PEM form.")
    if "PRIVATE KEY-----" not in _text(key):
        raise ConfigError(f"{key} holds no private key in PEM form.")

    def refuse() -> str:
        # Without this OpenSSL would ask on the terminal, and stop the whole program until it is answered.
        raise ConfigError(f"The key in {key} is locked with a passphrase: save it without one, mode 0600.")

    try:
        context.load_cert_chain(cert, key, password=refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"The key in {key} does not belong to the certificate in {cert}.") from error
        raise ConfigError(f"The certificate in {cert} cannot be used: {_words(error)}.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
