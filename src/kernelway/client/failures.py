"""What aiohttp raises on the way to a gateway, as the errors of Kernelway, each in its own words.

Every sentence names the address, says what to do, and holds no token, password or header.
"""

from __future__ import annotations

import errno
import ssl
from typing import Final

import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError

from kernelway.client.answers import Peer, no_websocket, plain, speaks_tls
from kernelway.protocol.errors import (
    ConfigError,
    KernelwayError,
    LinkError,
    LinkLost,
    NotJupyter,
    TimedOut,
    Unreachable,
    WrongCertificate,
)
from kernelway.transport.tls import fingerprint_of, format_fingerprint


def broken(
    error: BaseException, peer: Peer, *, certificate: bytes | None = None, fresh: bool = False
) -> KernelwayError:
    """The error in what aiohttp raised.

    ``certificate`` is what the server shows to whoever asks, in DER form, where that was found out; ``fresh``
    says that the server has not answered anything yet.
    """
    if certificate is not None and not peer.secure:
        return speaks_tls(peer)
    match error:
        case aiohttp.ServerFingerprintMismatch():
            return _another_certificate(error, peer)
        case aiohttp.ClientConnectorCertificateError():
            return _untrusted(error.certificate_error, peer, certificate)
        case aiohttp.ClientConnectorSSLError():
            return _handshake(error, peer)
        case aiohttp.ClientConnectorError():
            return _no_connection(error, peer)
        case TimeoutError():
            return _too_late(error, peer)
        case aiohttp.WSServerHandshakeError():
            return no_websocket(peer)
        case aiohttp.ClientResponseError():
            return NotJupyter(f"What {peer.shown} answers is not HTTP: check the port of the base URL.")
        case aiohttp.InvalidURL():
            return ConfigError(f"{peer.shown} cannot be used as a base URL.")
    return _lost(error, peer, fresh=fresh)


def _too_late(error: TimeoutError, peer: Peer) -> LinkError:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unreachable(
            f"No connection to {peer.shown} within {peer.connect_timeout:g} seconds: the machine is off, or "
            "a firewall or a missing VPN is in the way."
        )
    return TimedOut(
        f"{peer.shown} did not answer within {peer.timeout:g} seconds: the option timeout allows more."
    )


def _lost(error: BaseException, peer: Peer, *, fresh: bool) -> LinkError:
    for cause in (error, error.__cause__):
        if isinstance(cause, ssl.SSLError):
            return _handshake(cause, peer)
    words = plain(str(error)) if isinstance(error, OSError) else "the other side closed it"
    # In TLS 1.3 the server looks at a client's certificate, or misses it, after the client's handshake.
    hint = (
        " If it wants a certificate of ours, give clientCert and clientKey." if peer.secure and fresh else ""
    )
    return LinkLost(f"The connection to {peer.shown} broke before the answer was complete: {words}.{hint}")


def _another_certificate(error: aiohttp.ServerFingerprintMismatch, peer: Peer) -> WrongCertificate:
    got = format_fingerprint(error.got)
    return WrongCertificate(
        f"{peer.shown} shows another certificate than the pinned one, and was sent nothing. Its SHA-256 "
        f"fingerprint is {got}. If the certificate was renewed, set fingerprint to this, after comparing it "
        "with what the server's owner says; otherwise somebody stands in between."
    )


_HOST_MISMATCH: Final = frozenset({62, 64})
_OWN_ISSUER: Final = frozenset({18, 19, 20, 21})
"""OpenSSL's X509_V_ERR codes: the two about names and addresses, and the four about an unknown issuer."""


def _untrusted(error: Exception, peer: Peer, certificate: bytes | None) -> WrongCertificate:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    seen = "" if certificate is None else f" (SHA-256 fingerprint {fingerprint_of(certificate)})"
    if code in _OWN_ISSUER:
        return WrongCertificate(
            f"Nobody known here vouches for the certificate of {peer.shown}{seen}. Give its authority as "
            "caFile, or, after comparing it with what the server's owner says, pin it as fingerprint."
        )
    if code in _HOST_MISMATCH:
        return WrongCertificate(
            f"The certificate of {peer.shown} is for another name{seen}: use the name that it is for in the "
            "base URL, or pin it as fingerprint."
        )
    if code == 10:
        return WrongCertificate(
            f"The certificate of {peer.shown} has expired{seen}: it must be renewed there."
        )
    if code == 9:
        return WrongCertificate(
            f"The certificate of {peer.shown} is not valid yet{seen}: check the clocks of both machines."
        )
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    return WrongCertificate(f"The certificate of {peer.shown} cannot be trusted{seen}: {why}.")


_PLAIN_HTTP: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def _handshake(error: BaseException, peer: Peer) -> WrongCertificate:
    reason = getattr(error, "reason", None) or ""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError):
        reason = cause.reason or reason
    if reason in _PLAIN_HTTP:
        return WrongCertificate(f"{peer.shown} does not speak TLS: say http:// in the base URL.")
    if "CERTIFICATE" in reason or "HANDSHAKE_FAILURE" in reason:
        return WrongCertificate(
            f"{peer.shown} refuses our certificate, or asks for one ({_spaced(reason)}): give clientCert and "
            "clientKey that its authority signed."
        )
    return WrongCertificate(
        f"No TLS connection to {peer.shown} could be made ({_spaced(reason) or plain(str(error))}): check "
        "the port, and whether the server speaks https."
    )


def _spaced(reason: str) -> str:
    return reason.replace("_", " ").lower()


def _no_connection(error: aiohttp.ClientConnectorError, peer: Peer) -> LinkError:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable(
            f"The name in {peer.shown} is not known: check its spelling, the network and the VPN."
        )
    number = error.os_error.errno
    if isinstance(error, UnixClientConnectorError):
        return Unreachable(_NO_SOCKET.get(number or 0, _NO_SOCKET[0]).format(peer=peer.shown))
    if peer.secure and isinstance(error.os_error, ConnectionResetError | ConnectionAbortedError):
        return WrongCertificate(
            f"{peer.shown} closes the connection instead of speaking TLS: if it is a plain server, say "
            "http:// in the base URL."
        )
    template = _NO_HOST.get(number or 0)
    if template is None:
        return Unreachable(f"No connection to {peer.shown}: {plain(str(error.os_error))}.")
    return Unreachable(template.format(peer=peer.shown))


_NO_SOCKET: Final = {
    0: "The socket {peer} cannot be used: check its path.",
    errno.ENOENT: "There is no socket {peer}: the server has not been started, or uses another path.",
    errno.ECONNREFUSED: "Nobody listens on the socket {peer} any more: start the server again.",
    errno.EACCES: "The socket {peer} belongs to somebody else: only its owner may use it.",
}
_NO_HOST: Final = {
    errno.ECONNREFUSED: "Nobody listens at {peer}: start the server, or check the port.",
    errno.EHOSTUNREACH: "There is no way to {peer}: check the network and the VPN.",
    errno.ENETUNREACH: "There is no way to {peer}: check the network and the VPN.",
    errno.ETIMEDOUT: "{peer} does not answer: the machine is off, or a firewall is in the way.",
}
