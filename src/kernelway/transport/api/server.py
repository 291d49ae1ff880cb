"""Running an application on a listening socket, with the host it stands in front of."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

from kernelway.transport.listening import unlink_path

_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Addresses that mean all of a machine's, and one of those that this machine reaches itself at."""

_SHUTDOWN = 3.0
"""Seconds that open requests and sockets have to end once the server stops."""


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, listener: socket.socket, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Serve the application while the context is open; the listener is closed, and its path gone, after."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN, handle_signals=False)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, ssl_context=tls).start()
        yield
    finally:
        unlink_path(listener)
        await runner.cleanup()
        listener.close()


def url_of(listener: socket.socket, *, ip: str, base_url: str, tls: bool) -> str:
    """The URL that a listener is reached at from this machine, without a token."""
    address = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{address}"
    if ip in _ANY:
        ip = _ANY[ip]
    name = f"[{ip}]" if ":" in ip else ip
    return f"{'https' if tls else 'http'}://{name}:{address[1]}{base_url}"
