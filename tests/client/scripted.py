"""A server with one kernel that says what a test wrote for it: faults that no real one has on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from tests.support.peers import http_peer

from kernelway.client import Execution, Gateway, Kernel, Output
from kernelway.protocol.message import EMPTY, Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.websocket_framing import V1, V1_SUBPROTOCOL

KERNEL_ID = "7e6b9c1e-0f4f-4a5e-9d3c-3c3a0c1a2b3d"


class Wire:
    """The server's end of the WebSocket."""

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self.websocket = websocket

    async def request(self) -> Message:
        """The next message from the client."""
        frame = await self.websocket.receive(timeout=10)
        assert frame.type is WSMsgType.BINARY, frame
        return V1.decode(frame.data)

    async def say(
        self, channel: Channel, msg_type: str, content: dict[str, Any], parent: Message | None = None
    ) -> None:
        """Send a message, in answer to one from the client where there is a parent."""
        message = new_message(
            channel,
            msg_type,
            content,
            msg_id=MessageId("from-the-kernel"),
            session=SessionId("kernel"),
            date="2026-11-20T18:30:00+00:00",
            parent_header=EMPTY if parent is None else parent.header,
        )
        await self.send(message)

    async def send(self, message: Message) -> None:
        """Send a message as it is."""
        await self.websocket.send_bytes(V1.encode(message))

    async def until_closed(self) -> None:
        """Wait for the client to leave, which must have nothing more to say."""
        frame = await self.websocket.receive(timeout=20)
        assert frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING), frame

    async def status(self, state: str, parent: Message | None = None, **more: Any) -> None:
        """Publish a status."""
        await self.say(Channel.IOPUB, "status", {"execution_state": state, **more}, parent)

    async def reply(self, parent: Message, **content: Any) -> None:
        """Answer a request on shell."""
        kind = parent.read_header().msg_type.replace("_request", "_reply")
        await self.say(Channel.SHELL, kind, {"status": "ok", **content}, parent)

    async def stream(self, text: str, parent: Message) -> None:
        """Print something."""
        await self.say(Channel.IOPUB, "stream", {"name": "stdout", "text": text}, parent)


async def collect(execution: Execution, outputs: list[Output]) -> None:
    """Read an execution to its end; what came before an error is kept too."""
    async for output in execution:
        outputs.append(output)  # noqa: PERF401 - a comprehension would lose them with the error.


Script = Callable[[Wire], Awaitable[None]]


@asynccontextmanager
async def scripted_kernel(
    script: Script, *, model: dict[str, Any] | None = None, subprotocol: str | None = V1_SUBPROTOCOL
) -> AsyncIterator[Kernel]:
    """A kernel whose server follows the script for its WebSocket, and closes it at the script's end."""
    answer = {"id": KERNEL_ID, "name": "python3", "execution_state": "idle", **(model or {})}
    failures: list[BaseException] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/channels"):
            return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
        websocket = web.WebSocketResponse(protocols=(subprotocol,) if subprotocol else ())
        await websocket.prepare(request)
        try:
            await script(Wire(websocket))
        except (AssertionError, TimeoutError) as error:
            failures.append(error)
        await websocket.close()
        return websocket

    async with http_peer(serve) as peer, Gateway(peer.base_url, token="t") as gateway:
        yield await gateway.connect(KERNEL_ID)
    assert not failures, failures
