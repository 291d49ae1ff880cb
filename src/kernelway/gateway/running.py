"""A gateway that runs as the settings of ``kernelway serve`` say: the host's child, or embedded."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

from kernelway.gateway.access import AccessRules, is_loopback
from kernelway.settings import ServeSettings
from kernelway.transport.api.client_socket import Beat
from kernelway.transport.api.hosts import Host
from kernelway.transport.api.server import serving, url_of
from kernelway.transport.tls import server_context


@contextlib.asynccontextmanager
async def running(
    settings: ServeSettings, host: Host, listener: socket.socket, *, token: str | None, shared: bool = False
) -> AsyncIterator[None]:
    """Serve a host while the context is open; ``token`` is None where everybody may come in.

    The path of a listener that is ``shared`` with another process stays.
    """
    # A host, which imports this module for what the settings mean, needs none of the routes.
    from kernelway.gateway.application import application

    app = application(
        host,
        rules=_rules(settings, token),
        base_url=base_url(settings),
        max_message_size=settings.max_message_size,
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
    )
    async with serving(app, listener, tls=tls_of(settings), shared=shared):
        yield


def tls_of(settings: ServeSettings) -> ssl.SSLContext | None:
    """What the settings say of TLS; :class:`ConfigError` names the file that cannot be used."""
    if settings.certfile is None:
        return None
    return server_context(certfile=settings.certfile, keyfile=settings.keyfile, client_ca=settings.client_ca)


def url(settings: ServeSettings, listener: socket.socket) -> str:
    """The URL of a gateway that listens there, without the token."""
    tls = settings.certfile is not None
    return url_of(listener, ip=settings.ip, base_url=base_url(settings), tls=tls)


def base_url(settings: ServeSettings) -> str:
    """With a slash at either end."""
    return "/" + "".join(f"{part}/" for part in settings.base_url.split("/") if part)


def beat(settings: ServeSettings) -> Beat:
    """How each side of a connection asks whether the other is there."""
    return Beat(interval=settings.ping_interval, timeout=settings.ping_timeout)


def _rules(settings: ServeSettings, token: str | None) -> AccessRules:
    return AccessRules(
        token=token,
        on_loopback=settings.socket is None and is_loopback(settings.ip),
        allow_origin=tuple(origin.rstrip("/").lower() for origin in settings.allow_origin),
        allow_host=tuple(name.lower() for name in settings.allow_host),
    )
