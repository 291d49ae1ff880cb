"""Small servers that behave, or misbehave, as a test needs it, in the test's own event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Peer:
    """A running server, and every request that has reached it."""

    def __init__(self, base_url: str, port: int) -> None:
        self.base_url = base_url
        self.port = port
        self.requests: list[web.Request] = []


@asynccontextmanager
async def http_peer(
    answer: Answer, *, tls: ssl.SSLContext | None = None, unix_path: Path | None = None
) -> AsyncIterator[Peer]:
    """An HTTP server on a free port of 127.0.0.1, or on a Unix socket, that answers every path."""

    async def record(request: web.Request) -> web.StreamResponse:
        peer.requests.append(request)
        return await answer(request)

    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", record)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        if unix_path is not None:
            await web.UnixSite(runner, str(unix_path)).start()
            peer = Peer(f"unix:{unix_path}", 0)
        else:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            port = runner.addresses[0][1]
            peer = Peer(f"{'http' if tls is None else 'https'}://127.0.0.1:{port}", port)
        yield peer
    finally:
        await runner.cleanup()


class RawPeer:
    """A running server of bytes, and every byte that has reached it."""

    def __init__(self) -> None:
        self.base_url = ""
        self.port = 0
        self.received = bytearray()


@asynccontextmanager
async def raw_peer(answer: bytes | None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawPeer]:
    """A server that sends ``answer`` once something has come, and closes; with None it never answers."""
    peer = RawPeer()
    done = asyncio.Event()
    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.append(task)
        try:
            peer.received += await reader.read(2**16)
            if answer is None:
                await done.wait()
            writer.write(answer or b"")
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort() if answer is None else writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        peer.port = server.sockets[0].getsockname()[1]
        peer.base_url = f"{'http' if tls is None else 'https'}://127.0.0.1:{peer.port}"
        try:
            yield peer
        finally:
            done.set()
            await asyncio.wait_for(asyncio.gather(*served), 10)
