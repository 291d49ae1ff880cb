"""Where the requests to one gateway go: straight to it, over a Unix socket, or into a tunnel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from yarl import URL

from kernelway.client.options import GatewayOptions, parse_destination

LOCALHOST: Final = URL("http://localhost/")
"""The name that requests on a Unix socket give the server; jupyter_server accepts no strange one there."""

_WS_SCHEMES: Final = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Base URLs that end with a slash, and what differs from them on the way."""

    base: URL
    ws_base: URL
    unix_path: str | None = None
    """The socket to connect to, where it is no port."""
    port: int | None = None
    """The port of 127.0.0.1 to connect to, where a tunnel begins there."""

    @property
    def secure(self) -> bool:
        """Whether requests go over TLS."""
        return self.base.scheme == "https"

    @property
    def server_hostname(self) -> str | None:
        """The name that the certificate must be for, where it is not that of the URL."""
        return None if self.port is None else self.base.host

    @property
    def headers(self) -> dict[str, str]:
        """What makes the server see the name that it was addressed by."""
        return {} if self.port is None else {"Host": self.base.authority}

    def request_url(self, path: str, query: Mapping[str, str]) -> URL:
        """The URL to ask for a path below the base URL; its characters are percent-encoded here."""
        return self._url(self.base, path, query)

    def websocket_url(self, path: str, query: Mapping[str, str]) -> URL:
        """As :meth:`request_url`, for a WebSocket."""
        return self._url(self.ws_base, path, query)

    def _url(self, base: URL, path: str, query: Mapping[str, str]) -> URL:
        url = base.joinpath(*path.split("/")).with_query(query or None)
        return url if self.port is None else url.with_host("127.0.0.1").with_port(self.port)


def address_of(options: GatewayOptions) -> Address:
    """The address in the options, as the machine that the tunnel leads to has it where there is one."""
    if options.unix_path is not None:
        return Address(base=LOCALHOST, ws_base=LOCALHOST.with_scheme("ws"), unix_path=options.unix_path)
    base = _with_slash(URL(options.base_url))
    ws_base = base.with_scheme(_WS_SCHEMES[base.scheme]) if options.ws_url is None else URL(options.ws_url)
    return Address(base=base, ws_base=_with_slash(ws_base))


def tunnelled(address: Address, *, unix_path: str | None, port: int | None) -> Address:
    """The same server, reached through the local end of a tunnel."""
    return replace(address, unix_path=unix_path, port=port)


def remote_end(address: Address) -> str:
    """What a tunnel must lead to: the path of a socket, or ``host:port`` with an IPv6 host in brackets."""
    if address.unix_path is not None:
        return address.unix_path
    host = address.base.host or ""
    return f"[{host}]:{address.base.port}" if ":" in host else f"{host}:{address.base.port}"


def shown(options: GatewayOptions) -> str:
    """How messages name the gateway; no secret can be in it, for the options refuse one in a URL."""
    if options.ssh is None:
        return options.unix_path or options.base_url
    return f"{options.unix_path or options.base_url} (through ssh to {parse_destination(options.ssh)})"


def _with_slash(url: URL) -> URL:
    return url if url.raw_path.endswith("/") else url.with_path(url.raw_path + "/", encoded=True)
