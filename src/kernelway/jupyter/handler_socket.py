"""jupyter_server's WebSocket handler as the browser that a relay sees; what is used of tornado is here.

Two methods of the handler are replaced, for its one socket: ``on_message``, so that nothing is read from a
browser while its kernel's link is full (tornado waits for what it returns, and jupyter_server's returns
nothing); and ``on_pong``, since the pongs say how far the browser is.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClosedError

from kernelway.jupyter.relay import Relay
from kernelway.jupyter.upstream_websocket import Handler
from kernelway.protocol.websocket_framing import Frame, Framing, framing_for
from kernelway.transport import deadlines

LARGEST: Final = 512 * 2**20
"""Bytes of a message from a browser, as a gateway takes them."""

_LONGEST_REASON: Final = 123
"""Bytes: a control frame holds 125, two of them the code."""

_STALL: Final = 5.0
"""Seconds after which a browser that is not read is noted as alive: nobody reads its pongs."""


class HandlerSocket:
    """An open WebSocket of a browser, whose small packets leave at once."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.framing: Framing = framing_for(handler.selected_subprotocol)
        handler.set_nodelay(True)
        # Of this socket alone: those of local kernels keep the server's limit.
        handler.ws_connection.params.max_message_size = LARGEST

    def serve(self, relay: Relay) -> None:
        """Give the relay what comes."""
        handler = self._handler
        note_alive = handler.on_pong

        async def on_message(frame: Frame) -> None:
            relay.take(frame)
            await self._ready(relay)

        def on_pong(payload: bytes) -> None:
            note_alive(payload)
            relay.answered(payload)

        vars(handler).update(on_message=on_message, on_pong=on_pong)

    async def _ready(self, relay: Relay) -> None:
        while True:
            try:
                async with deadlines.timeout(_STALL):
                    return await relay.ready()
            except TimeoutError:
                # jupyter_server cuts off whose pongs it has not heard for some time.
                self._handler.last_pong = IOLoop.current().time()

    def write(self, frame: str | bytes) -> asyncio.Future[None]:
        """Write a frame."""
        try:
            return self._handler.write_message(frame, binary=isinstance(frame, bytes))
        except WebSocketClosedError as error:
            raise ConnectionResetError("The browser's socket is closed.") from error

    def ping(self, payload: bytes) -> None:
        """Write a ping."""
        try:
            self._handler.ping(payload)
        except WebSocketClosedError as error:
            raise ConnectionResetError("The browser's socket is closed.") from error

    def close(self, code: int, reason: str) -> None:
        """Close it."""
        self._handler.close(code, reason.encode()[:_LONGEST_REASON].decode("utf-8", "ignore"))
