"""Gateways of our own as processes, and clients that speak to them in the words of the wire."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from tests.support.processes import Process, environ_in
from yarl import URL

from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, framing_for

TOKEN = "the-token-of-these-tests"

AUTHORIZED = {"Authorization": f"token {TOKEN}"}

DEADLINE = 30.0

DATE = "2026-11-20T18:30:00.000000Z"


@dataclass(frozen=True, slots=True)
class Served:
    """A running gateway; ``url`` ends with a slash."""

    url: str
    folder: Path
    process: Process

    @asynccontextmanager
    async def client(self, headers: dict[str, str] | None = None) -> AsyncIterator[ClientSession]:
        """A client whose URLs are relative to the gateway's."""
        async with ClientSession(self.url, headers=AUTHORIZED if headers is None else headers) as http:
            yield http


@contextmanager
def served_in(folder: Path, *flags: str, base_url: str = "/") -> Iterator[Served]:
    """``kernelway serve`` as a process with folders of its own."""
    command = [
        *(sys.executable, "-m", "kernelway", "serve", "--ip", "127.0.0.1", "--port", "0", "--token", TOKEN),
        *("--base-url", base_url, "--state-dir", str(folder / "state"), "--kernel-shutdown-wait", "2"),
        *("--log-level", "debug", *flags),
    ]
    with Process(command, ready=r" serves http", environ=environ_in(folder), folder=folder) as process:
        line = next(line for line in process.lines if " serves http" in line)
        url = str(URL(line.split()[-1]).with_query(None))
        yield Served(url, folder, process)


@dataclass(slots=True)
class Socket:
    """A WebSocket to a kernel's channels."""

    websocket: ClientWebSocketResponse
    session: SessionId
    seen: list[Message] = field(default_factory=list)
    """Everything that was received, in order."""

    async def send(
        self,
        msg_type: str,
        content: object,
        *,
        channel: Channel = Channel.SHELL,
        buffers: tuple[bytes, ...] = (),
    ) -> MessageId:
        """Send a message; its id."""
        msg_id = MessageId(uuid.uuid4().hex)
        message = new_message(
            channel, msg_type, content, msg_id=msg_id, session=self.session, date=DATE, buffers=buffers
        )
        await self.send_frame(framing_for(self.websocket.protocol).encode(message))
        return msg_id

    async def send_frame(self, frame: str | bytes) -> None:
        """Send any frame at all."""
        if isinstance(frame, str):
            await self.websocket.send_str(frame)
        else:
            await self.websocket.send_bytes(frame)

    async def receive(self) -> Message:
        """The next message; the framing's own errors where a frame holds none."""
        async with asyncio.timeout(DEADLINE):
            frame = await self.websocket.receive()
            while frame.type is WSMsgType.PING:
                frame = await self.websocket.receive()
        assert frame.type in (WSMsgType.TEXT, WSMsgType.BINARY), (frame, self.websocket.close_code)
        message = framing_for(self.websocket.protocol).decode(frame.data)
        self.seen.append(message)
        return message

    async def until(self, msg_type: str, *, parent: str | None = None, **content: object) -> Message:
        """The next message of a type, about a request, and with this in its content."""
        while True:
            message = await self.receive()
            if message.read_header().msg_type != msg_type:
                continue
            if parent is not None and message.read_parent_header().msg_id != parent:
                continue
            if content.items() <= message.read_content().items():
                return message

    async def execute(self, code: str) -> list[Message]:
        """Execute, and return everything about it once its reply and its idle have come."""
        msg_id = await self.send(
            "execute_request", {"code": code, "store_history": False, "allow_stdin": False}
        )
        mine: list[Message] = []
        waiting = {"execute_reply", "idle"}
        while waiting:
            message = await self.receive()
            if message.read_parent_header().msg_id == msg_id:
                mine.append(message)
                waiting -= {message.read_header().msg_type, message.read_content().get("execution_state")}
        return mine

    async def value(self, code: str) -> str:
        """What the last expression of the code is, as text."""
        results = [
            each for each in await self.execute(code) if each.read_header().msg_type == "execute_result"
        ]
        text: str = results[-1].read_content()["data"]["text/plain"]
        return text

    async def closed(self) -> tuple[int | None, str]:
        """Read until the other side closes; with which code and reason."""
        async with asyncio.timeout(DEADLINE):
            while True:
                frame = await self.websocket.receive()
                if frame.type is WSMsgType.CLOSE:
                    return frame.data, frame.extra or ""
                if frame.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
                    return self.websocket.close_code, ""


@asynccontextmanager
async def connected(
    http: ClientSession,
    kernel_id: str,
    *,
    session: str | None = None,
    v1: bool = True,
    largest: int = 1 << 30,
    pongs: bool = True,
    **query: str,
) -> AsyncIterator[Socket]:
    """A WebSocket that offers the v1 protocol, or none; without ``pongs`` it answers no ping."""
    session = session or uuid.uuid4().hex
    websocket = await http.ws_connect(
        f"api/kernels/{kernel_id}/channels",
        params={"session_id": session, **query},
        protocols=(V1_SUBPROTOCOL,) if v1 else (),
        max_msg_size=largest,
        autoping=pongs,
    )
    async with websocket:
        yield Socket(websocket, SessionId(session))


@asynccontextmanager
async def own_kernel(http: ClientSession, **body: Any) -> AsyncIterator[str]:
    """The id of a kernel that ends with the block, unless it has ended before."""
    async with http.post("api/kernels", json={"name": "python3", **body}) as answer:
        assert answer.status == 201, await answer.text()
        kernel_id: str = (await answer.json())["id"]
    try:
        yield kernel_id
    finally:
        async with http.delete(f"api/kernels/{kernel_id}") as answer:
            assert answer.status in (204, 404)


def write_kernelspec(folder: Path, name: str, argv: list[str], **more: object) -> Path:
    """Put a kernelspec where a gateway of :func:`served_in` finds it; its folder."""
    place = folder / "data" / "kernels" / name
    place.mkdir(parents=True)
    spec = {"argv": argv, "display_name": name, "language": "python", **more}
    (place / "kernel.json").write_text(json.dumps(spec))
    return place
