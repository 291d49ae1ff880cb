"""What of jupyter_server our connection class is made from, with the types that it does not give it.

What is declared here is all that ours uses of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableSet
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

__all__ = ["Connection", "Handler"]

if TYPE_CHECKING:
    from traitlets.config import LoggingConfigurable

    class Handler(Protocol):
        """The handler of a browser's WebSocket, which is tornado's too."""

        kernel_manager: Any
        event_logger: Any
        application: Any
        ws_connection: Any
        selected_subprotocol: str | None
        connection: Connection | None
        close_code: int | None
        last_pong: float

        def set_nodelay(self, value: bool) -> None:  # noqa: FBT001
            """Send small packets at once."""

        def write_message(self, message: str | bytes, binary: bool) -> asyncio.Future[None]:  # noqa: FBT001
            """Write a frame; done once it is flushed."""

        def ping(self, data: bytes) -> None:
            """Write a ping."""

        def on_pong(self, data: bytes) -> None:
            """Called when a pong has come."""

        def close(self, code: int | None = None, reason: str | None = None) -> None:
            """Close the WebSocket."""

    class Connection(LoggingConfigurable):
        """Between a browser's WebSocket and a local kernel."""

        log: logging.Logger
        kernel_manager: Any
        kernel_id: str
        session: Any
        session_key: str
        websocket_handler: Handler
        _open_sessions: dict[str, Handler]
        _open_sockets: MutableSet[Connection]
        _close_future: Future[None]

        async def prepare(self) -> None:
            """Get ready before the handshake is answered."""

        def connect(self) -> asyncio.Future[None] | None:
            """Let messages flow; called once the WebSocket is open."""

        def disconnect(self) -> None:
            """End the connection; called once the WebSocket is closed."""

        def handle_incoming_message(self, incoming_msg: str | bytes) -> None:
            """Take a message of the browser's."""

else:
    from jupyter_server.services.kernels.connection.channels import (
        ZMQChannelsWebsocketConnection as Connection,
    )
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler as Handler
