"""``/api/kernels/{id}/channels``: one client's WebSocket joined to a kernel's channels."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import WSMsgType, web

from kernelway.protocol.channels import Channels, ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, InvalidRequest, KernelwayError
from kernelway.protocol.message import Message, SessionId
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, Framing, framing_for
from kernelway.transport.api.routes import HOST, Route

log = logging.getLogger(__name__)

_FLUSH = 5.0
"""Seconds that a client has to take what was on its way when its connection ends."""

_CLOSE = 5.0
"""Seconds that a client has to answer a close frame before its connection is cut."""

_LONGEST_REASON = 123
"""Bytes: a control frame holds 125, two of them the code."""


@dataclass(frozen=True, slots=True)
class _Ending:
    code: int
    reason: str


_CLIENT_LEFT = _Ending(1000, "")


class ChannelSockets:
    """The open WebSockets of a gateway; ``largest`` (bytes) bounds one message from a client."""

    def __init__(self, *, largest: int) -> None:
        self._largest = largest
        self._open: set[Channels] = set()

    def __len__(self) -> int:
        return len(self._open)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Join a WebSocket to its kernel until either side ends it."""
        websocket = web.WebSocketResponse(
            protocols=(V1_SUBPROTOCOL,), max_msg_size=self._largest, compress=False, timeout=_CLOSE
        )
        # Before it connects: that may close another connection of the same session.
        _require_upgrade(websocket, request)
        kernel_id = KernelId(request.match_info["kernel_id"])
        session = SessionId(request.query.get("session_id") or uuid.uuid4().hex)
        channels = await request.app[HOST].connect(kernel_id, session)
        self._open.add(channels)
        try:
            await websocket.prepare(request)
            ending = await _join(websocket, channels, framing_for(websocket.ws_protocol))
            await _close(websocket, request, ending)
        finally:
            self._open.discard(channels)
            channels.close(CloseCode.SERVICE_RESTART, "The connection ended.")
        return websocket

    def close(self) -> None:
        """End every connection because the gateway stops; clients that reconnect are right to."""
        for channels in tuple(self._open):
            channels.close(CloseCode.SERVICE_RESTART, "The gateway is stopping.")


SOCKETS: web.AppKey[ChannelSockets] = web.AppKey("sockets", ChannelSockets)


async def open_channels(request: web.Request) -> web.WebSocketResponse:
    """GET /api/kernels/{id}/channels."""
    return await request.app[SOCKETS].serve(request)


def _require_upgrade(websocket: web.WebSocketResponse, request: web.Request) -> None:
    try:
        upgrades = websocket.can_prepare(request).ok
    except web.HTTPException:
        upgrades = False
    if not upgrades:
        raise InvalidRequest("A kernel's channels are a WebSocket: ask for its upgrade, version 13.")


async def _join(websocket: web.WebSocketResponse, channels: Channels, framing: Framing) -> _Ending:
    to_client = asyncio.create_task(_to_client(websocket, channels, framing))
    from_client = asyncio.create_task(_from_client(websocket, channels, framing))
    closed = asyncio.create_task(channels.wait_closed())
    tasks = {to_client, from_client, closed}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if closed.done():
            # What the kernel said before the end still reaches a client that reads.
            await asyncio.wait({to_client}, timeout=_FLUSH)
            return _Ending(closed.result().code, closed.result().reason)
        return _ending_of(from_client if from_client.done() else to_client)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _ending_of(task: asyncio.Task[_Ending]) -> _Ending:
    error = task.exception()
    if error is None:
        return task.result()
    log.error("A connection to a kernel failed.", exc_info=error)
    return _Ending(CloseCode.INTERNAL_ERROR, "Something went wrong in the gateway; its log has the details.")


async def _to_client(websocket: web.WebSocketResponse, channels: Channels, framing: Framing) -> _Ending:
    try:
        while True:
            for message in await channels.receive():
                await _send(websocket, message, framing)
    except ChannelsClosed as closed:
        return _Ending(closed.code, closed.reason)
    except ConnectionError:
        return _CLIENT_LEFT


async def _send(websocket: web.WebSocketResponse, message: Message, framing: Framing) -> None:
    try:
        frame = framing.encode(message)
    except FrameError as error:
        log.warning("A message that a kernel sent is not passed on: %s", error)
        return
    if isinstance(frame, str):
        await websocket.send_str(frame)
    else:
        await websocket.send_frame(frame, WSMsgType.BINARY)


async def _from_client(websocket: web.WebSocketResponse, channels: Channels, framing: Framing) -> _Ending:
    try:
        async for frame in websocket:
            if frame.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                await channels.send(framing.decode(frame.data))
    except FrameError as error:
        return _Ending(CloseCode.PROTOCOL_ERROR, str(error))
    except ChannelsClosed as closed:
        return _Ending(closed.code, closed.reason)
    except KernelwayError as error:
        log.warning("A connection to a kernel ends: %s", error)
        return _Ending(CloseCode.KERNEL_DEAD, str(error))
    return _CLIENT_LEFT


async def _close(websocket: web.WebSocketResponse, request: web.Request, ending: _Ending) -> None:
    if not websocket.closed:
        log.debug("A connection to a kernel is closed with %s: %s", ending.code, ending.reason)
        reason = ending.reason.encode()[:_LONGEST_REASON].decode("utf-8", "ignore").encode()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_CLOSE):
                await websocket.close(code=ending.code, message=reason)
    if request.transport is not None and request.transport.get_write_buffer_size():
        # It does not read; what is left in the socket's buffer would keep it open for ever.
        request.transport.abort()


ROUTES = (
    Route(
        method="GET",
        path="api/kernels/{kernel_id}/channels",
        handler=open_channels,
        summary="A WebSocket joined to the kernel's channels; v1 of its protocol where the client offers it.",
        status=HTTPStatus.SWITCHING_PROTOCOLS,
        errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
        query={"session_id": "The client's session; a newer connection of the same one takes its place."},
    ),
)
