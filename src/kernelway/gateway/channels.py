"""``/api/kernels/{id}/channels``: one client's WebSocket joined to a kernel's channels."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from kernelway.gateway.stock_socket import StockClient, StockSocket
from kernelway.protocol.channels import Channels
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.link_framing import HEAD_SIZE, LINK_SUBPROTOCOL
from kernelway.protocol.message import SessionId
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, framing_for
from kernelway.transport.api.client_socket import Beat, ClientSocket, Ending
from kernelway.transport.api.joining import QUERY, joining_of
from kernelway.transport.api.relay import CONNECTION_ENDED, relay
from kernelway.transport.api.routes import HOST, Route

_MOST_CLIENTS: Final = 1024
"""Stock clients that are remembered between their sockets: those that were here last."""


class ChannelSockets:
    """The open WebSockets of a gateway.

    ``largest`` (bytes) bounds one message from a client. A client is pinged after ``ping_interval`` seconds
    of silence, and cut off where nothing at all comes from it, and nothing gets to it, for ``ping_timeout``.
    """

    def __init__(self, *, largest: int, ping_interval: float = 10.0, ping_timeout: float = 20.0) -> None:
        self._largest = largest
        self._beat = Beat(ping_interval, ping_timeout)
        self._open: set[ClientSocket] = set()
        self._stock: dict[tuple[KernelId, SessionId], StockClient] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Join a WebSocket to its kernel until either side ends it."""
        socket = ClientSocket(
            request,
            protocols=(LINK_SUBPROTOCOL, V1_SUBPROTOCOL),
            largest=self._largest and self._largest + HEAD_SIZE,
        )
        # Before it connects: that may close another connection of the same session.
        protocol = socket.offered()
        asked = joining_of(request.query, stock=protocol != LINK_SUBPROTOCOL)
        requests = asked.requests and protocol == LINK_SUBPROTOCOL
        joining = msgspec.structs.replace(asked, parts=True, requests=requests)
        kernel_id = KernelId(request.match_info["kernel_id"])
        channels = await request.app[HOST].connect(kernel_id, joining)
        self._open.add(socket)
        ending = CONNECTION_ENDED
        try:
            await socket.accept()
            if protocol == LINK_SUBPROTOCOL:
                ending = await relay(socket, channels, self._beat)
            else:
                ending = await self._serve_stock(socket, channels, (kernel_id, joining.session))
        finally:
            self._open.discard(socket)
            channels.close(ending.code, ending.reason)
        await socket.end(ending)
        return socket

    async def _serve_stock(
        self, socket: ClientSocket, channels: Channels, client: tuple[KernelId, SessionId]
    ) -> Ending:
        known = self._stock[client] = self._stock.pop(client, StockClient())
        if len(self._stock) > _MOST_CLIENTS:
            del self._stock[next(iter(self._stock))]
        return await StockSocket(socket, channels, framing_for(socket.ws_protocol), self._beat, known).serve()

    def close(self) -> None:
        """End every connection because the gateway stops; clients that reconnect are right to."""
        for socket in tuple(self._open):
            socket.stop(Ending(CloseCode.SERVICE_RESTART, "The gateway is stopping."))


SOCKETS: web.AppKey[ChannelSockets] = web.AppKey("sockets", ChannelSockets)


async def open_channels(request: web.Request) -> web.WebSocketResponse:
    """GET /api/kernels/{id}/channels."""
    return await request.app[SOCKETS].serve(request)


ROUTES = (
    Route(
        method="GET",
        path="api/kernels/{kernel_id}/channels",
        handler=open_channels,
        summary=(
            "A WebSocket joined to the kernel's channels: of the subprotocols that the client offers "
            "Kernelway's own or v1 of Jupyter's, else Jupyter's first one."
        ),
        status=HTTPStatus.SWITCHING_PROTOCOLS,
        errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
        query=QUERY,
    ),
)
