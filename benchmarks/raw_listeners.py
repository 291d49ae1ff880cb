"""Clients of a server that only read, for a few microseconds a message: many of them fit in one process.

A client that decoded what comes would take more time than a good server, and be what is measured. So these
speak WebSocket by themselves: frames are cut out of what the socket has and kept.
"""

from __future__ import annotations

import asyncio
import base64
import os
import uuid
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

from benchmarks.exchange import DEADLINE, Arrived, Shortfall
from kernelway.protocol.message import Channel
from kernelway.protocol.websocket_framing import V1, V1_SUBPROTOCOL, framing_for

_BINARY, _TEXT, _CLOSE, _PING = 0x2, 0x1, 0x8, 0x9
_WHOLE = 0x80
_CONNECT_DEADLINE = 30.0


class RawListener(asyncio.Protocol):
    """One connection: first the handshake, then frames."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.frames: list[bytes] = []
        self._framing = V1
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._awaited = b""
        self._idle: asyncio.Future[None] = loop.create_future()
        self._seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        # Uvloop's transports are no subclasses of this one.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        for future in (self.opened, self._idle):
            if not future.done():
                future.set_exception(Shortfall("connection lost"))
                # Nobody need wait for it any more.
                future.exception()

    def data_received(self, data: bytes) -> None:
        """Cut frames, or the end of the handshake, out of what there is."""
        self._buffer += data
        if not self.opened.done() and not self._handshake():
            return
        self._cut()
        self._look()

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    async def until_idle(self, msg_id: str) -> None:
        """Until the status is there with which a kernel ends its answer."""
        self._awaited = msg_id.encode()
        if self._idle.done():
            self._idle.result()
            self._idle = asyncio.get_running_loop().create_future()
        self._seen = 0
        self._look()
        await self._idle

    def take(self) -> list[Arrived]:
        """Decode what came on iopub."""
        messages = [
            self._framing.decode(frame if self._framing is V1 else frame.decode()) for frame in self.frames
        ]
        self.frames = []
        self._seen = 0
        return [
            Arrived(message.channel, message.read_header().msg_type, message.content, message.buffers)
            for message in messages
            if message.channel is Channel.IOPUB
        ]

    def _handshake(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        lines = head.decode("latin-1").split("\r\n")
        if " 101 " not in f"{lines[0]} ":
            self.opened.set_exception(Shortfall(f"the WebSocket was answered {lines[0]}"))
            return False
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        self._framing = framing_for(headers.get("sec-websocket-protocol"))
        self._buffer = rest
        self.opened.set_result(None)
        return True

    def _cut(self) -> None:
        buffer, start = self._buffer, 0
        while len(buffer) - start >= 2:
            size, begin = buffer[start + 1], start + 2
            if size == 126:
                begin += 2
            elif size == 127:
                begin += 8
            if size > 125:
                size = int.from_bytes(buffer[start + 2 : begin], "big")
            if len(buffer) - begin < size:
                break
            self._take_frame(buffer[start], bytes(buffer[begin : begin + size]))
            start = begin + size
        del buffer[:start]

    def _take_frame(self, first: int, payload: bytes) -> None:
        if first in (_WHOLE | _BINARY, _WHOLE | _TEXT):
            self.frames.append(payload)
        elif first == _WHOLE | _PING:
            # A client masks what it sends; with zeros that changes nothing.
            self.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        elif first == _WHOLE | _CLOSE:
            self.close()

    def _look(self) -> None:
        if not self._awaited or self._idle.done():
            return
        for frame in self.frames[self._seen :]:
            if b'"idle"' in frame and self._awaited in frame:
                self._idle.set_result(None)
                break
        self._seen = len(self.frames)


class RawListeners:
    """Many of them, on one kernel."""

    def __init__(self, listeners: Sequence[RawListener]) -> None:
        self._listeners = listeners

    async def until_idle(self, msg_id: str, *, deadline: float = DEADLINE) -> None:
        """Wait until every client has the last message of an answer."""
        try:
            async with asyncio.timeout(deadline):
                await asyncio.gather(*(listener.until_idle(msg_id) for listener in self._listeners))
        except TimeoutError:
            raise Shortfall(f"a client has not all within {deadline:g} s") from None

    def take(self) -> list[list[Arrived]]:
        """What each has had."""
        return [listener.take() for listener in self._listeners]

    async def close(self) -> None:
        """Cut all connections."""
        for listener in self._listeners:
            listener.close()


async def open_listeners(base_url: str, token: str, path: str, count: int) -> RawListeners:
    """Connect so many clients, each in a session of its own, to the channels at a path below the base URL."""
    listeners: list[RawListener] = []
    try:
        async with asyncio.timeout(_CONNECT_DEADLINE):
            while len(listeners) < count:
                listeners.append(await _open(base_url, token, path))
    except (OSError, TimeoutError, Shortfall) as error:
        await RawListeners(listeners).close()
        raise Shortfall(f"client {len(listeners) + 1} of {count} does not connect: {error}") from error
    return RawListeners(listeners)


async def _open(base_url: str, token: str, path: str) -> RawListener:
    url = urlsplit(base_url)
    loop = asyncio.get_running_loop()
    assert url.hostname is not None
    assert url.port is not None
    _, listener = await loop.create_connection(RawListener, url.hostname, url.port)
    target = f"{url.path}{path}?session_id={uuid.uuid4().hex}"
    listener.write(
        (
            f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {V1_SUBPROTOCOL}\r\nAuthorization: token {token}\r\n\r\n"
        ).encode("ascii")
    )
    try:
        await listener.opened
    except BaseException:
        listener.close()
        raise
    return listener
