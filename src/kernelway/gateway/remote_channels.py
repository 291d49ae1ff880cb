"""One client's connection to a kernel of another process: a WebSocket to that kernel's host."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
from aiohttp import WSMsgType

from kernelway.host.tasks import log_failure
from kernelway.protocol.channels import ChannelsClosed, Joining
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, InternalError
from kernelway.protocol.link_framing import (
    LARGE,
    VERSION,
    FrameKind,
    Welcome,
    frames_in,
    head_of,
    is_batch,
    parts_of,
    told_in,
)
from kernelway.protocol.message import Buffer
from kernelway.transport import deadlines
from kernelway.transport.api.client_socket import Beat

_LONGEST_REASON = 123
"""Bytes: a control frame holds 125, two of them the code."""

_CLOSES_WITHIN = 5.0
"""Seconds for a WebSocket to be closed politely; after that it is cut."""


_REASON_WITHIN = 1.0
"""Seconds for the reason of a connection's end to be received, where sending has failed."""


class RemoteChannels:
    """A :class:`~kernelway.protocol.channels.Channels` over a WebSocket.

    The frames go through as they are. What comes is read only as it is received, so that a slow reader holds
    back the host by way of the socket, and costs 128 KiB and one frame here. So the end of a connection is
    seen, by :meth:`wait_closed` too, by receiving up to it; or by sending, or by closing it here.
    Pings go both ways, so that one of two that are both held back hears of the other all the same. ``task``
    is there until the WebSocket is closed.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, beat: Beat) -> None:
        self._websocket = websocket
        self._beat = beat
        self._welcomed = False
        self._takes_parts = False
        """Whether the host is known to put requests together; one that is older than its gateway may not."""
        self._end: asyncio.Future[ChannelsClosed] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._beat_until_end(), name="channels to the host")
        self.task.add_done_callback(log_failure)

    async def send(self, frame: Buffer, *more: Buffer) -> None:
        """Hand a frame to the host; waits while the host takes no more.

        Cancelled, it may be on its way all the same: it is the request's number that tells whether it came.
        Nothing more is to be sent then, since it may have gone in part.
        """
        self._raise_if_closed()
        try:
            for each in self._as_sent((frame, *more)):
                await self._websocket.send_bytes(each)
        except (aiohttp.ClientError, ConnectionError) as error:
            # Whoever receives may be about to hear the host's reason.
            await asyncio.wait({self._end}, timeout=_REASON_WITHIN)
            self._finish(_lost("The connection to the host of this kernel broke."))
            raise self._closed() from error

    def _as_sent(self, pieces: Sequence[Buffer]) -> Iterable[bytes]:
        if self._takes_parts and sum(map(len, pieces)) > LARGE:
            return parts_of(pieces)
        return (b"".join(pieces),)

    async def receive(self) -> Sequence[bytes]:
        """The next frames, in order; of a large one a PART."""
        self._raise_if_closed()
        try:
            message = await self._websocket.receive()
        except TimeoutError:
            self._finish(_lost(f"The host of this kernel has been silent for {silence(self._beat):g} s."))
        else:
            if message.type is WSMsgType.BINARY:
                if not self._welcomed:
                    self._welcomed = True
                    self._takes_parts = _version(message.data) >= VERSION
                return self._unpacked(message.data)
            self._finish(_ending(message))
        raise self._closed()

    def _unpacked(self, frame: bytes) -> Sequence[bytes]:
        if not is_batch(frame):
            return (frame,)
        try:
            return frames_in(frame)
        except FrameError as error:
            raise InternalError(f"The host sent a frame that is none: {error}") from error

    async def wait_closed(self) -> ChannelsClosed:
        """Return at the end, with its reason."""
        return await asyncio.shield(self._end)

    def close(self, code: int, reason: str) -> None:
        """End the connection, not the kernel."""
        self._finish(ChannelsClosed(code, reason))

    async def closed(self) -> None:
        """End the connection, if it is not over yet, and wait until its WebSocket is closed."""
        self.close(CloseCode.SERVICE_RESTART, "The gateway is stopping.")
        await asyncio.wait({self.task})

    def _finish(self, closed: ChannelsClosed) -> None:
        if not self._end.done():
            self._end.set_result(closed)

    def _raise_if_closed(self) -> None:
        if self._end.done():
            raise self._closed()

    def _closed(self) -> ChannelsClosed:
        closed = self._end.result()
        # An error that is raised twice would grow with each traceback.
        return ChannelsClosed(closed.code, closed.reason)

    async def _beat_until_end(self) -> None:
        """Ask the host again and again whether it is there; close the WebSocket at the end."""
        while not self._end.done():
            # A host hears a slow reader by its pings alone: those of the host are not read.
            await asyncio.wait({self._end}, timeout=min(self._beat.interval, self._beat.timeout / 2))
            if not self._end.done():
                await self._ping()
        end = self._end.result()
        reason = end.reason.encode()[:_LONGEST_REASON].decode("utf-8", "ignore").encode()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with deadlines.timeout(_CLOSES_WITHIN):
                await self._websocket.close(code=end.code, message=reason)

    async def _ping(self) -> None:
        # A host that takes nothing for so long holds back the requests of this client as well: its end is
        # told by silence, and so is that of a broken connection.
        ping = asyncio.create_task(self._websocket.ping(), name="ping the host")
        first: set[asyncio.Future[Any]] = {ping, self._end}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        ping.cancel()
        await asyncio.gather(ping, return_exceptions=True)


def silence(beat: Beat) -> float:
    """How long nothing at all may come from the host, in seconds."""
    return beat.interval + beat.timeout


def query_of(joining: Joining) -> dict[str, str]:
    """A host's query for it: as clients have it, and what only a gateway says."""
    query = {"session_id": joining.session, "link": joining.link}
    if joining.after is not None:
        query["after"] = joining.after
    if joining.position is not None:
        query["position"] = str(joining.position)
    if joining.replay_all:
        query["replay"] = "all"
    if joining.resume:
        query["resume"] = "1"
    if joining.requests:
        query["requests"] = "1"
    if joining.parts:
        query["parts"] = "1"
    return query


def _version(frame: bytes) -> int:
    """What version a WELCOME tells; that it is none is for whoever receives it to say."""
    with contextlib.suppress(FrameError):
        if head_of(frame)[0] is FrameKind.WELCOME:
            return told_in(frame, Welcome).version
    return 0


def _ending(message: aiohttp.WSMessage) -> ChannelsClosed:
    if message.type is WSMsgType.CLOSE and message.data in range(1002, 5000) and message.data != 1006:
        return ChannelsClosed(message.data, str(message.extra or ""))
    # Without a code, or with one that clients do not come back after: it is the host that went away.
    return _lost("The connection to the host of this kernel broke.")


def _lost(reason: str) -> ChannelsClosed:
    return ChannelsClosed(CloseCode.SERVICE_RESTART, reason)
