from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey

from kernelway.client.answers import Peer
from kernelway.client.failures import broken
from kernelway.protocol.errors import (
    ConfigError,
    KernelwayError,
    LinkLost,
    NotJupyter,
    TimedOut,
    Unreachable,
    WrongCertificate,
)

# What loopback shows is tested through requests in test_http.py; here is the rest.
PEER = Peer(shown="https://h:1", credential=None, secure=True, connect_timeout=3, timeout=9)
KEY: Any = ConnectionKey("h", 1, True, True, None, None, None)


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason} (_ssl.c:1)")
    error.reason = reason
    return error


def caused_by(cause: BaseException) -> aiohttp.ClientError:
    try:
        raise aiohttp.ClientOSError from cause
    except aiohttp.ClientError as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
            Unreachable,
            "The name in https://h:1 is not known",
        ),
        (aiohttp.ClientConnectorError(KEY, os_error(errno.EHOSTUNREACH)), Unreachable, "There is no way to"),
        (aiohttp.ClientConnectorError(KEY, os_error(errno.ENETUNREACH)), Unreachable, "There is no way to"),
        (aiohttp.ClientConnectorError(KEY, os_error(errno.ETIMEDOUT)), Unreachable, "does not answer"),
        (aiohttp.ClientConnectorError(KEY, os_error(errno.EMFILE)), Unreachable, "Too many open files"),
        (
            aiohttp.ClientConnectorError(KEY, ConnectionResetError()),
            WrongCertificate,
            "instead of speaking TLS",
        ),
        (
            UnixClientConnectorError("/s", KEY, os_error(errno.EACCES)),
            Unreachable,
            "only its owner may use it",
        ),
        (UnixClientConnectorError("/s", KEY, os_error(errno.ENOTSOCK)), Unreachable, "check its path"),
        (aiohttp.ConnectionTimeoutError("x"), Unreachable, "within 3 seconds"),
        (aiohttp.SocketTimeoutError("x"), TimedOut, "within 9 seconds"),
        (TimeoutError(), TimedOut, "within 9 seconds"),
        (aiohttp.ServerDisconnectedError(), LinkLost, "the other side closed it"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), LinkLost, "reset by peer"),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), WrongCertificate, "give clientCert and clientKey"),
        (caused_by(tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE")), WrongCertificate, "give clientCert"),
        (tls_error("UNSUPPORTED_PROTOCOL"), WrongCertificate, "unsupported protocol"),
        (aiohttp.InvalidURL("x"), ConfigError, "cannot be used as a base URL"),
        (aiohttp.ClientPayloadError("x"), LinkLost, "before the answer was complete"),
        (aiohttp.ClientError("x"), LinkLost, "before the answer was complete"),
    ],
)
def test_each_failure_has_its_own_sentence(
    error: BaseException, kind: type[KernelwayError], words: str
) -> None:
    failure = broken(error, PEER)
    assert type(failure) is kind
    assert words in str(failure)
    assert str(failure).endswith(".")


def test_what_is_not_http_is_told_without_what_was_sent() -> None:
    info: Any = None
    failure = broken(aiohttp.ClientResponseError(info, (), status=400, message="token s3cret"), PEER)
    assert type(failure) is NotJupyter
    assert "s3cret" not in str(failure)
