"""Certificates of an authority made for the tests."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from kernelway.transport.tls import fingerprint_of, server_context


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as files in PEM form."""

    cert: Path
    key: Path

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.cert.read_text())

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.der)


class Authority:
    """Issues certificates into a folder; ``file`` is its own, in PEM form."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.file = folder / "ca.pem"
        self._ca = trustme.CA()
        self._count = 0
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, *identities: str, days: tuple[int, int] = (-1, 1)) -> Issued:
        """A certificate for these names, valid from and to so many days from now."""
        now = datetime.now(UTC)
        issued = self._ca.issue_cert(
            *identities, not_before=now + timedelta(days[0]), not_after=now + timedelta(days[1])
        )
        self._count += 1
        files = Issued(self.folder / f"{self._count}.pem", self.folder / f"{self._count}.key")
        issued.cert_chain_pems[0].write_to_path(files.cert)
        issued.private_key_pem.write_to_path(files.key)
        return files

    def server(self, *identities: str, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
        """The context of a server with such a certificate, by default for 127.0.0.1."""
        issued = self.issue(*(identities or ("127.0.0.1", "localhost")), days=days)
        return server_context(certfile=issued.cert, keyfile=issued.key)
