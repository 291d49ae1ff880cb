"""Whether the other side of a WebSocket is still there.

Any byte is a sign of life, in whatever piece of whatever frame: a large message on a slow line is no
silence, and neither is one of ours that the line still takes. After some seconds without a sign the other
side is pinged; where none comes for some seconds more, the connection counts as broken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp

from kernelway.transport import deadlines

NO_HEARTBEAT: Final = 365 * 86400.0
"""What a :class:`WatchedWebSocket` is opened with: aiohttp tells it of bytes only if it has a heartbeat.

aiohttp's own heartbeat takes any byte for a sign too, but waits for a pong half as long as before the ping,
whatever is wanted, and takes it for silence when a message of ours keeps the line busy.
"""


class WatchedWebSocket(aiohttp.ClientWebSocketResponse):
    """A WebSocket that tells when it heard something, and can be dropped at once."""

    heard = 0.0
    """When bytes came last, by the clock of the event loop; 0 before the first."""
    frames_written = 0

    def _on_data_received(self) -> None:
        self.heard = self._loop.time()

    @property
    def unwritten(self) -> int:
        """Bytes that the operating system has not taken yet."""
        transport = self._transport()
        return 0 if transport is None else transport.get_write_buffer_size()

    def abort(self) -> None:
        """Drop the connection without a word and without waiting; who receives is told that it is closed."""
        transport = self._transport()
        if transport is not None:
            transport.abort()

    def drop(self) -> None:
        """Drop the connection, where nobody receives any more."""
        self.abort()
        self._response.close()

    def _transport(self) -> asyncio.Transport | None:
        connection = self._response.connection
        return None if connection is None else connection.transport


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silence may last, in seconds."""

    ping_after: float
    pong_within: float

    @property
    def most(self) -> float:
        """From the last sign of life to the end."""
        return self.ping_after + self.pong_within


async def until_silent(
    websocket: WatchedWebSocket, patience: Patience, *, listening: Callable[[], bool]
) -> None:
    """Ping after silence, and return once the other side has shown no sign of life for too long.

    As long as nobody is ``listening`` on our own side nothing can be heard: the pings go on, so that the
    other side hears us, and silence is nobody's fault. The same holds while the event loop itself is late.
    """
    loop = asyncio.get_running_loop()
    silent_since = loop.time()
    while True:
        silent_since = max(silent_since, websocket.heard)
        wait = silent_since + patience.ping_after - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
            continue
        pinged, unwritten, frames = loop.time(), websocket.unwritten, websocket.frames_written
        late = await _ping(websocket, patience.pong_within)
        writes = websocket.unwritten < unwritten or websocket.frames_written > frames
        if not (websocket.heard >= pinged or writes or late) and listening():
            return
        silent_since = pinged


_LATE: Final = 1.0
"""Seconds by which a timer of an event loop that is not held up is never late."""


async def _ping(websocket: WatchedWebSocket, pong_within: float) -> bool:
    """Send a ping, and give the other side its time; whether this took longer than it may here."""
    loop = asyncio.get_running_loop()
    until = loop.time() + pong_within
    # Whoever reads sees an end of the connection; here it is silence like any other. A line that is full
    # lets no ping through.
    with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with deadlines.timeout(pong_within):
            await websocket.ping()
    await asyncio.sleep(until - loop.time())
    return loop.time() - until > _LATE
