"""How to reach one gateway, as a value that has been checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from kernelway.protocol.errors import ConfigError
from kernelway.transport.tls import parse_fingerprint

DEFAULT_TIMEOUT: Final = 60.0
"""Seconds for a request: starting a kernel on a slow machine is what takes longest."""

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for one connection, its TLS handshake included."""

PING_AFTER: Final = 10.0
PONG_WITHIN: Final = 10.0

UNIX_PREFIX: Final = "unix:"

_TLS: Final = ("ca_file", "client_cert", "client_key", "fingerprint")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """The options of one entry of ``gateways.json``: Hydrogen's keys in snake case, and ours.

    Making one checks it: :class:`ConfigError` names the option that does not fit and says what would.
    Secrets are left out of its ``repr``.
    """

    base_url: str
    """``http://`` or ``https://``, whose path is kept, or ``unix:/path/of/a/socket`` on this machine."""
    token: str | None = field(default=None, repr=False)
    """Sent in the ``Authorization`` header, never in a URL."""
    ws_url: str | None = None
    """``ws://`` or ``wss://``: the base URL of WebSockets, where it is not the base URL itself."""
    request_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request, and with the handshake of every WebSocket."""
    user: str | None = None
    """Sent with the password, to login pages that ask for a name; Jupyter's own does not."""
    password: str | None = field(default=None, repr=False)
    """For Jupyter's password login."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds from the start of a request to the end of its answer (milliseconds in ``gateways.json``)."""
    connect_timeout: float = CONNECT_TIMEOUT
    """Seconds for one connection, its TLS handshake included; never more than half of the timeout."""
    validate_cert: bool = True
    """False takes whatever certificate the server shows, so that who stands in between can read everything.

    It is for older settings that say so; ``gateways.json`` has ``fingerprint`` instead.
    """
    ca_file: str | None = None
    """The authorities to trust instead of the system's, in PEM form."""
    client_cert: str | None = None
    client_key: str | None = None
    fingerprint: str | None = None
    """The SHA-256 fingerprint of the one certificate to accept. Without ``ca_file`` no authority is asked."""
    ssh: str | None = None
    """``user@host`` or ``user@host:port``: ``base_url`` is what that machine calls the server."""
    ping_after: float = PING_AFTER
    """Seconds in which not a byte came from a kernelway, after which it is pinged."""
    pong_within: float = PONG_WITHIN
    """Seconds after that ping in which something must come, or else the connection counts as broken."""
    reconnect_for: float | None = None
    """Seconds for which a broken connection to a kernel is tried for again; None is for ever."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            _check_text(name, getattr(self, name))
        base = self.base_url.removeprefix(UNIX_PREFIX)
        if base != self.base_url:
            _check_socket_path(self, base)
            secure = False
        else:
            secure = _check_url("base_url", self.base_url, ("http", "https")).scheme == "https"
        if self.ws_url is not None:
            secure |= _check_url("ws_url", self.ws_url, ("ws", "wss")).scheme == "wss"
        _check_tls(self, secure=secure)
        _check_credentials(self)
        if self.ssh is not None:
            parse_destination(self.ssh)
            if self.ws_url is not None:
                raise ConfigError("ws_url and ssh exclude each other: the tunnel leads to base_url alone.")
        if not 0 < self.timeout < math.inf:
            raise ConfigError(f"timeout is {self.timeout:g} seconds; it must be above zero.")
        for name in ("connect_timeout", "ping_after", "pong_within", "reconnect_for"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < math.inf:
                raise ConfigError(f"{name} is {seconds:g} seconds; it must be above zero.")

    @property
    def unix_path(self) -> str | None:
        """The socket that ``base_url`` names, or None where it is a URL."""
        path = self.base_url.removeprefix(UNIX_PREFIX)
        return None if path == self.base_url else "/" + path.lstrip("/")


@dataclass(frozen=True, slots=True)
class SshDestination:
    """The parts of ``user@host:port``."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = "" if self.user is None else f"{self.user}@"
        return user + host + ("" if self.port is None else f":{self.port}")


_DESTINATION = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.@+-]*)@)?"
    r"(?:(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)|\[(?P<address>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


def parse_destination(text: str) -> SshDestination:
    """The parts of the option ``ssh``.

    Nothing in it can be taken for an option of ssh, or for shell syntax by a ``ProxyCommand`` of the person's
    own that has ``%h`` or ``%r`` in it. An IPv6 address stands in brackets.
    """
    match = _DESTINATION.fullmatch(text)
    port = None if match is None or match["port"] is None else int(match["port"])
    if match is None or port == 0 or (port is not None and port > 65535):
        raise ConfigError(
            f"ssh is {text!r}; it must be a host, user@host or user@host:port, in letters, digits and . _ - "
            "(an IPv6 address in brackets). Anything else about the connection belongs in ~/.ssh/config."
        )
    return SshDestination(match["name"] or match["address"], match["user"], port)


def _check_text(name: str, value: object) -> None:
    """A line break in a header would smuggle another header; in a URL or path it is a mistake."""
    texts = list(value.items()) if isinstance(value, Mapping) else [(name, value)]
    for key, text in texts:
        if isinstance(text, str) and (not text.isprintable() or not key.isprintable()):
            # The value is not shown: it may be a token.
            where = name if key == name else f"{name} {key!r}"
            raise ConfigError(f"{where} holds a line break or another character that cannot be printed.")
        if text == "" and name != "request_headers":
            raise ConfigError(f"{name} is empty: leave it out, or give it a value.")


def _check_url(name: str, text: str, schemes: tuple[str, str]) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise ConfigError(f"{name} is no URL: {error}.") from error
    if url.query_string or url.user or url.password or url.fragment:
        # The URL is not shown: what is too much in it is most likely a secret.
        raise ConfigError(
            f"{name} must end with its path. Take off what follows a question mark, and what stands before "
            "an @; the options token, user and password are for that."
        )
    if url.scheme not in schemes or not url.host:
        unix = f", or {UNIX_PREFIX}/path/of/a/socket" if name == "base_url" else ""
        raise ConfigError(
            f"{name} is {text!r}; it must begin with {schemes[0]}:// or {schemes[1]}:// and a host{unix}."
        )
    return url


def _check_socket_path(options: GatewayOptions, path: str) -> None:
    if not path.startswith("/"):
        raise ConfigError(f"base_url is {options.base_url!r}; the path of a socket must begin with a slash.")
    if options.ws_url is not None:
        raise ConfigError("ws_url and a socket as base_url exclude each other: leave ws_url out.")


def _check_tls(options: GatewayOptions, *, secure: bool) -> None:
    if options.client_key is not None and options.client_cert is None:
        raise ConfigError("client_key is given without client_cert, the certificate it belongs to.")
    given = [name for name in _TLS if getattr(options, name) is not None]
    if given and not secure:
        # Going on without TLS would send the token in clear to whoever listens, against what was asked.
        raise ConfigError(f"{given[0]} is given, but {options.base_url} does not use TLS: say https://.")
    if not options.validate_cert and (options.ca_file or options.fingerprint):
        raise ConfigError("validate_cert is off, but ca_file or fingerprint says what to trust: give one.")
    if options.fingerprint is not None:
        parse_fingerprint(options.fingerprint)
        plain = [
            url for url in (options.base_url, options.ws_url) if url and url.startswith(("http:", "ws:"))
        ]
        if plain:
            raise ConfigError(f"fingerprint is given, but {plain[0]} does not use TLS.")


def _check_credentials(options: GatewayOptions) -> None:
    if options.user is not None and options.password is None:
        raise ConfigError("user is given without password.")
    if options.token is not None and options.password is not None:
        raise ConfigError("token and password exclude each other: give one.")
    own = any(name.lower() == "authorization" for name in options.request_headers)
    if own and options.token is not None:
        raise ConfigError("token and an Authorization in request_headers exclude each other: give one.")
