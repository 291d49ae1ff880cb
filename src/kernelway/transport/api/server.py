"""Running an application on a listening socket, with the host it stands in front of."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

from kernelway.transport.listening import BACKLOG, unlink_path

_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Addresses that mean all of a machine's, and one of those that this machine reaches itself at."""

_SHUTDOWN = 3.0
"""Seconds that open requests and sockets have to end once the server stops."""


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, listener: socket.socket, *, tls: ssl.SSLContext | None = None, shared: bool = False
) -> AsyncIterator[None]:
    """Serve the application while the context is open; the listener is closed, and its path gone, after.

    The path of one that is ``shared`` stays: another process listens on it, too.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN, handle_signals=False)
    await runner.setup()
    try:
        # What is left out here would be set to 128, for whoever shares the listener as well.
        await web.SockSite(runner, listener, ssl_context=tls, backlog=BACKLOG).start()
        yield
    finally:
        if not shared:
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
