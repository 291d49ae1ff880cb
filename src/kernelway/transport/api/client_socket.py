"""The server's side of one WebSocket: whether its client is still there, and how it is closed.

A client shows that it is there by any byte that it sends, and by any byte of ours that its machine takes. So
neither a large message on a slow line is silence, nor is a slow reader a dead one. Silence counts only while
something is waited for: that the client takes what was written; or that it answers a ping, if it is one that
does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import WSCloseCode, WSMsgType, web

from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import InvalidRequest
from kernelway.protocol.message import Buffer
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_NO_HEARTBEAT: Final = 365 * 86400.0
"""aiohttp tells a WebSocket of bytes that come only if it has a heartbeat; its own one is not wanted."""

_CLOSE: Final = 5.0
"""Seconds that a client has to answer a close frame before its connection is cut."""

_LINGER: Final = 2.0
"""Seconds that a client has to leave which has sent what cannot be read."""

_LOOK: Final = 0.1
"""Seconds; nothing tells when a transport's buffer is empty, or whether it shrinks."""

_LONGEST_REASON: Final = 123
"""Bytes: a control frame holds 125, two of them the code."""

_WRITER_LIMIT: Final = 1 << 16
"""Bytes that are written before it is looked whether the other side takes them."""

_ROOM: Final = 1 << 14
"""Bytes: a transport with less than this in its buffer takes a ping without making anybody wait."""

_WIDE: Final = 1 << 19
"""Bytes that a Unix socket may hold, in each direction."""

_BINARY: Final = 0x82
"""The first byte of a frame, as RFC 6455 has it: binary, and the last of its message."""

_SHORT_HEADS: Final = tuple(bytes((_BINARY, length)) for length in range(126))
_HEAD: Final = struct.Struct("!BBH")
_LARGE_HEAD: Final = struct.Struct("!BBQ")

_LATE: Final = 1.0
"""Seconds by which a timer of an event loop that is not held up is never late."""


@dataclass(frozen=True, slots=True)
class Beat:
    """How often the other side is asked whether it is there, and how long it has to answer; in seconds."""

    interval: float = 10.0
    timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class Ending:
    """With what a WebSocket is closed."""

    code: int
    reason: str


class ClientSocket(web.WebSocketResponse):
    """A WebSocket that knows how far its client has come; ``largest`` (bytes) bounds a message from it.

    Pings and pongs are given to whoever receives. Nothing is compressed.
    """

    def __init__(self, request: web.Request, *, protocols: tuple[str, ...], largest: int) -> None:
        super().__init__(
            protocols=protocols,
            max_msg_size=largest,
            compress=False,
            timeout=_CLOSE,
            autoping=False,
            heartbeat=_NO_HEARTBEAT,
            writer_limit=_WRITER_LIMIT,
        )
        self._asked = request
        self.heard = 0.0
        """When bytes came last, by the clock of the event loop; 0 before the first."""
        self.pinged = 0.0
        """When the first ping was sent after which nothing was heard."""
        self.pinged_last = 0.0
        """When the last ping was sent."""
        self.answers = False
        """Whether it is known to answer pings."""
        self.written = 0
        """Bytes of all payloads."""
        self._parting = False
        self._left = 0
        """Bytes of a large message that are not written yet."""
        self._whole = asyncio.Event()
        """Set where there are none: nothing else, not even a pong, may stand in the middle of a frame."""
        self._whole.set()
        self.stopped: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def offered(self) -> str | None:
        """The subprotocol that it will have; :class:`InvalidRequest` where no WebSocket is asked for."""
        try:
            ready = self.can_prepare(self._asked)
        except web.HTTPException:
            ready = None
        if ready is None or not ready.ok:
            raise InvalidRequest("A kernel's channels are a WebSocket: ask for its upgrade, version 13.")
        return ready.protocol

    async def accept(self) -> None:
        """Finish the handshake."""
        await self.prepare(self._asked)
        widen(self.get_extra_info("socket"))

    def stop(self, ending: Ending) -> None:
        """Ask whoever serves this to end it, since the server stops."""
        if not self.stopped.done():
            self.stopped.set_result(ending)

    def _on_data_received(self) -> None:
        self.heard = asyncio.get_running_loop().time()

    async def put(self, payload: Buffer, kind: WSMsgType = WSMsgType.BINARY) -> None:
        """Write a frame; waits now and then until the other side has taken what was written before.

        Raises ConnectionError once there is nobody to write to. A large payload is not copied.
        """
        await self._whole.wait()
        if self._parting:
            raise ConnectionResetError("A close frame has been sent.")
        self.written += len(payload)
        # aiohttp takes a view of bytes as well, and says otherwise.
        await self.send_frame(cast("bytes", payload), kind)

    async def put_all(self, payloads: Sequence[Buffer]) -> None:
        """Write binary frames together; else as :meth:`put`. They are copied."""
        if len(payloads) == 1:
            await self.put(payloads[0])
            return
        await self._whole.wait()
        frames: list[Buffer] = []
        for payload in payloads:
            frames += (_head(len(payload)), payload)
            self.written += len(payload)
        self._write(b"".join(frames))
        await self._asked.writer.drain()

    async def put_piece(self, piece: Buffer, left: int) -> None:
        """Write a piece of a large message, of which with it so many bytes are left to be written.

        Other messages are to wait until it is whole. Else as :meth:`put`.
        """
        if not self._left:
            # One frame, not fragments: clients put those together with more copies.
            self._write(_head(left))
            self._whole.clear()
        self._left = left - len(piece)
        self.written += len(piece)
        self._write(piece)
        if not self._left:
            self._whole.set()
        await self._asked.writer.drain()

    def _write(self, data: Buffer) -> None:
        transport = self._asked.transport
        if self._parting or self.closed or transport is None or transport.is_closing():
            raise ConnectionResetError("There is nobody to write to.")
        transport.write(data)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone, and with it whatever was buffered."""
        return self._asked.transport is None or self._asked.transport.is_closing()

    @property
    def has_room(self) -> bool:
        """Whether a ping can be written at once, and without waiting."""
        return not (self.closed or self._left) and self.buffered < _ROOM

    async def ask(self, payload: bytes = b"") -> None:
        """Send a ping, which nobody but :func:`until_silent` waits an answer for."""
        self.pinged_last = asyncio.get_running_loop().time()
        if self.pinged <= self.heard:
            self.pinged = self.pinged_last
        await self.put(payload, WSMsgType.PING)

    @property
    def buffered(self) -> int:
        """Bytes that the operating system has not taken yet."""
        transport = self._asked.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    @property
    def unread(self) -> int:
        """Bytes that the other side's machine has not acknowledged."""
        transport = self._asked.transport
        return 0 if transport is None else transport.get_write_buffer_size() + _unacknowledged(transport)

    @property
    def listening(self) -> bool:
        """Whether bytes from the client are read at all now: not while its kernel takes no more."""
        transport = self._asked.transport
        return transport is not None and transport.is_reading()

    def abort(self) -> None:
        """Cut the connection at once; what is buffered is dropped."""
        if self._asked.transport is not None:
            self._asked.transport.abort()

    async def end(self, ending: Ending) -> None:
        """Close it; what is buffered goes first, as long as the client takes any of it."""
        if self._left:
            self.abort()
        if not self.closed:
            log.debug("A connection to a kernel is closed with %s: %s", ending.code, ending.reason)
            reason = ending.reason.encode()[:_LONGEST_REASON].decode("utf-8", "ignore").encode()
            if ending.code != CloseCode.SERVICE_RESTART:
                await self._taken()
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with deadlines.timeout(2 * _CLOSE):
                    # To drain is not for here: all who do share a future of aiohttp's, and a writer that was
                    # cancelled in it has left it cancelled for whoever comes next.
                    await super().close(code=ending.code, message=reason, drain=False)
        if self.buffered:
            # It does not read; what is left in the socket's buffer would keep it open for ever.
            self.abort()

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        """Called by aiohttp where the client closes, or sends what cannot be read; else see :meth:`end`.

        The connection must not be closed while the client still sends: it would be reset, and the client
        might never see why. aiohttp lets go of what comes after a frame that cannot be read.
        """
        if self._left:
            # The client would take a close frame for the rest of its message.
            self.abort()
        if code != WSCloseCode.OK and not self.closed:
            with contextlib.suppress(ConnectionError):
                await self.send_frame(struct.pack("!H", code), WSMsgType.CLOSE)
            self._parting = True
            await self._gone(within=_LINGER)
        return await super().close(code=code, message=message, drain=drain)

    async def _gone(self, *, within: float) -> None:
        until = asyncio.get_running_loop().time() + within
        while not (self.lost or self.stopped.done()) and asyncio.get_running_loop().time() < until:
            await asyncio.wait({self.stopped}, timeout=_LOOK)

    async def _taken(self) -> None:
        """Return once nothing is buffered, or the client has taken nothing for some seconds."""
        now = asyncio.get_running_loop().time
        unread, changed = self.unread, now()
        while self.buffered and now() - changed < _CLOSE:
            await asyncio.sleep(_LOOK)
            if self.unread != unread:
                unread, changed = self.unread, now()


def _head(length: int) -> bytes:
    """What stands before so many bytes that are not masked."""
    if length < len(_SHORT_HEADS):
        return _SHORT_HEADS[length]
    if length < 1 << 16:
        return _HEAD.pack(_BINARY, 126, length)
    return _LARGE_HEAD.pack(_BINARY, 127, length)


def widen(wire: socket.socket | None) -> None:
    """Let more than Linux's 208 KiB be on the way on a Unix socket, so that both ends work at the same time.

    TCP sees to that by itself.
    """
    if wire is not None and wire.family == getattr(socket, "AF_UNIX", None):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _WIDE)


def _unacknowledged(transport: asyncio.Transport) -> int:
    if sys.platform != "linux":
        return 0
    from fcntl import ioctl
    from termios import TIOCOUTQ

    wire = transport.get_extra_info("socket")
    if wire is None or wire.fileno() < 0:
        return 0
    return int.from_bytes(ioctl(wire.fileno(), TIOCOUTQ, bytes(4)), sys.byteorder)


async def until_silent(socket: ClientSocket, beat: Beat) -> None:
    """Ping a client of which nothing is heard, and return once it has been silent for too long."""
    loop = asyncio.get_running_loop()
    step = min(beat.interval, beat.timeout) / 4
    alive, taken, now = loop.time(), 0, loop.time()
    while True:
        await asyncio.sleep(step)
        before, now = now, loop.time()
        unread = socket.unread
        taken, taken_before = socket.written - unread, taken
        unanswered = socket.answers and socket.listening and socket.pinged > socket.heard
        if taken != taken_before or now - before > step + _LATE or not (unread or unanswered):
            alive = now
        alive = max(alive, socket.heard, socket.pinged if not unread else 0.0)
        if now - alive >= beat.timeout:
            return
        if now - max(socket.heard, socket.pinged_last) >= beat.interval and socket.has_room:
            await socket.ask()
