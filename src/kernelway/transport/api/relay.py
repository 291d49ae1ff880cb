"""``…/channels`` in Kernelway's own subprotocol: frames go through as they are, both ways.

Nothing is promised here that breaks with the process: positions and request numbers are agreed between the
client and the host. Each direction is held back by its own other side: a kernel's frames by a socket that
takes no more, a client's frames by a host that takes no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

from aiohttp import WSMsgType, web

from kernelway.protocol.channels import Channels, ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, InvalidRequest, KernelwayError
from kernelway.protocol.link_framing import LINK_SUBPROTOCOL, Assembly, is_part, packed, part_in
from kernelway.protocol.models import KernelId
from kernelway.transport.api.client_socket import Beat, ClientSocket, Ending, until_silent
from kernelway.transport.api.joining import QUERY, joining_of
from kernelway.transport.api.routes import HOST, Route

log = logging.getLogger(__name__)

CLIENT_LEFT: Final = Ending(1000, "")

CONNECTION_ENDED: Final = Ending(CloseCode.SERVICE_RESTART, "The connection ended.")

_OVER: Final = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)

_LAST_WORDS: Final = 1.0
"""Seconds for what is on its way where a client will come back for the rest anyway."""

_LEAVES: Final = 5.0
"""Seconds for a client that can be written to no more to say why."""

_BUG: Final = Ending(
    CloseCode.INTERNAL_ERROR, "Something went wrong in the gateway; its log has the details."
)


async def relay(socket: ClientSocket, channels: Channels, beat: Beat, *, gateway: bool = False) -> Ending:
    """Forward frames until either side ends it; with what the client's socket is to be closed.

    Only with a ``gateway`` PARTs and BATCHes are exchanged; other clients get frames whole, and one by one.
    """
    # Whoever speaks this protocol answers pings: it is our own.
    socket.answers = True
    if gateway:
        ways = _to_gateway(socket, channels), _from_gateway(socket, channels)
    else:
        ways = _to_client(socket, channels), _from_client(socket, channels)
    return await talk(socket, channels, beat, *ways)


async def _to_gateway(socket: ClientSocket, channels: Channels) -> Ending:
    while True:
        for frame in packed(await channels.receive()):
            await socket.put(frame)


async def _to_client(socket: ClientSocket, channels: Channels) -> Ending:
    while True:
        for cut, frames in groupby(await channels.receive(), is_part):
            if cut:
                for frame in frames:
                    left, piece = part_in(frame)
                    await socket.put_piece(piece, left)
            else:
                await socket.put_all(list(frames))


async def _from_gateway(socket: ClientSocket, channels: Channels) -> Ending:
    assembly = Assembly()

    async def send(frame: bytes) -> None:
        whole = assembly.take(frame) if is_part(frame) else frame
        if whole is not None:
            await channels.send(whole)

    return await _from(socket, send)


async def _from_client(socket: ClientSocket, channels: Channels) -> Ending:
    async def send(frame: bytes) -> None:
        if is_part(frame):
            raise FrameError("A client sends no PART.")
        await channels.send(frame)

    return await _from(socket, send)


async def _from(socket: ClientSocket, send: Callable[[bytes], Awaitable[None]]) -> Ending:
    while True:
        frame = await socket.receive()
        if frame.type is WSMsgType.BINARY:
            await send(frame.data)
        elif frame.type is WSMsgType.TEXT:
            raise FrameError("A text frame came where a link has binary frames only.")
        elif frame.type is WSMsgType.PING:
            await socket.put(frame.data, WSMsgType.PONG)
        elif frame.type in _OVER:
            return left_with(frame.data)


def left_with(code: object) -> Ending:
    """The ending of a client that left with this code, or with none."""
    if isinstance(code, int) and (code in (1001, 1011) or 3000 <= code < 5000):
        return Ending(code, "The client left.")
    return CLIENT_LEFT


async def talk(
    socket: ClientSocket,
    channels: Channels,
    beat: Beat,
    to_client: Coroutine[Any, Any, Ending],
    from_client: Coroutine[Any, Any, Ending],
    *others: Coroutine[Any, Any, Ending],
) -> Ending:
    """Run both directions, and whatever else there is to do, until one of them ends, or the channels do.

    What the kernel said before the end of the channels still reaches a client that reads. The errors of a
    direction become the code that stands for them; nothing but a cancellation is raised.
    """
    sending, receiving, silence = map(
        asyncio.create_task, (to_client, from_client, _cut_if_silent(socket, beat))
    )
    closed = asyncio.create_task(channels.wait_closed())
    more = [asyncio.create_task(other) for other in others]
    tasks: set[asyncio.Future[Any]] = {sending, receiving, silence, closed, *more}
    try:
        await asyncio.wait({*tasks, socket.stopped}, return_when=asyncio.FIRST_COMPLETED)
        failures = [_failure(one) for one in (receiving, sending, *more)]
        ends = [closed.result()] if closed.done() else []
        ends += [failure for failure in failures if isinstance(failure, ChannelsClosed)]
        if ends and not silence.done():
            within = _LAST_WORDS if ends[0].code == CloseCode.SERVICE_RESTART else None
            last = {sending, silence, socket.stopped}
            await asyncio.wait(last, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            return Ending(ends[0].code, ends[0].reason)
        if socket.stopped.done():
            return socket.stopped.result()
        if any(isinstance(failure, ConnectionError) for failure in failures):
            # It may have been closed by what came from the client: too large a frame, or the client's end.
            await asyncio.wait({receiving}, timeout=_LEAVES)
        return _ending_of(next(one for one in (silence, receiving, sending, *more) if one.done()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _cut_if_silent(socket: ClientSocket, beat: Beat) -> Ending:
    await until_silent(socket, beat)
    log.info("A client of a kernel has been silent for %g s, and is cut off.", beat.timeout)
    socket.abort()
    return CONNECTION_ENDED


def _failure(task: asyncio.Task[Ending]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _ending_of(task: asyncio.Task[Ending]) -> Ending:
    error = _failure(task)
    if error is None:
        return task.result()
    if isinstance(error, ChannelsClosed):
        return Ending(error.code, error.reason)
    if isinstance(error, ConnectionError):
        return CLIENT_LEFT
    if isinstance(error, FrameError):
        return Ending(CloseCode.PROTOCOL_ERROR, str(error))
    if isinstance(error, KernelwayError) and error.shown:
        log.warning("A connection to a kernel ends: %s", error)
        return Ending(CloseCode.KERNEL_DEAD, str(error))
    log.error("A connection to a kernel failed.", exc_info=error)
    return _BUG


BEAT: web.AppKey[Beat] = web.AppKey("beat", Beat)


async def open_link(request: web.Request) -> web.WebSocketResponse:
    """GET /api/kernels/{id}/channels, in the link's subprotocol alone."""
    socket = ClientSocket(request, protocols=(LINK_SUBPROTOCOL,), largest=0)
    # Before it connects: that may close another connection of the same session.
    if socket.offered() != LINK_SUBPROTOCOL:
        raise InvalidRequest(f"These channels have one subprotocol, which is {LINK_SUBPROTOCOL}.")
    joining = joining_of(request.query, stock=False)
    channels = await request.app[HOST].connect(KernelId(request.match_info["kernel_id"]), joining)
    ending = CONNECTION_ENDED
    try:
        await socket.accept()
        ending = await relay(socket, channels, request.app.get(BEAT, Beat()), gateway=joining.parts)
    finally:
        channels.close(ending.code, ending.reason)
    await socket.end(ending)
    return socket


ROUTES = (
    Route(
        method="GET",
        path="api/kernels/{kernel_id}/channels",
        handler=open_link,
        summary="A WebSocket joined to the kernel's channels, with the frames of a link.",
        status=HTTPStatus.SWITCHING_PROTOCOLS,
        errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
        query=QUERY,
    ),
)
"""For a host's private application; a gateway has its own, which knows other subprotocols too."""
