"""A server of one kernel that speaks Kernelway's own protocol, and breaks it where a test wants it broken.

The kernel answers every execute request with its code as a stream; it keeps a journal and remembers links,
in the simplest way there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from tests.client.scripted import KERNEL_ID
from tests.support.peers import Peer, http_peer

from kernelway.client import Gateway, Kernel
from kernelway.protocol.link_framing import (
    LINK_SUBPROTOCOL,
    FrameKind,
    Hole,
    Position,
    Welcome,
    encode_frame,
    encode_message_frame,
    head_of,
    message_in,
)
from kernelway.protocol.message import EMPTY, Channel, Message, MessageId, SessionId, new_message


@dataclass(frozen=True)
class Entry:
    """A message of the journal, and whose it is; everybody's where that is empty."""

    message: Message
    session: str = ""
    kind: FrameKind = FrameKind.MESSAGE


class LinkHost:
    """One kernel; a test changes what it does by its attributes."""

    def __init__(self) -> None:
        self.journal: list[Entry] = []
        self.oldest = 1
        self.links: dict[str, int] = {}
        self.received: dict[str, int] = {}
        """Up to where the sessions have told that everything came."""
        self.state = "idle"
        self.ran: list[Message] = []
        self.answer: Callable[[Message], None] = self.echo
        self.refuse: Callable[[], web.Response] | None = None
        """What handshakes are answered with, where they are refused."""
        self.takes = True
        """Whether requests are taken; else they are read, and lost with the socket."""
        self.after_welcome: Callable[[web.WebSocketResponse], None] = lambda _: None
        self.sockets: list[web.WebSocketResponse] = []
        self.queries: list[dict[str, str]] = []
        self.holes: dict[int, Hole] = {}
        self.changed = asyncio.Event()
        self.arrived = asyncio.Condition()

    # What the kernel does

    def publish(self, msg_type: str, content: dict[str, Any], parent: Message | None = None) -> None:
        self._append(Channel.IOPUB, msg_type, content, parent, "")

    def reply(self, parent: Message, **content: Any) -> None:
        kind = parent.read_header().msg_type.replace("_request", "_reply")
        session = parent.read_header().session
        self._append(Channel.SHELL, kind, {"status": "ok", **content}, parent, session)

    def finish(self, parent: Message) -> None:
        self.reply(parent)
        self.publish("status", {"execution_state": "idle"}, parent)

    def echo(self, request: Message) -> None:
        """The usual answer."""
        code = request.read_content().get("code")
        if code is not None:
            self.publish("stream", {"name": "stdout", "text": code}, request)
        self.finish(request)

    def say(self, channel: Channel, msg_type: str, content: dict[str, Any], parent: Message) -> None:
        """Send something to the session of a request."""
        self._append(channel, msg_type, content, parent, parent.read_header().session)

    def _append(
        self, channel: Channel, msg_type: str, content: dict[str, Any], parent: Message | None, session: str
    ) -> None:
        message = new_message(
            channel,
            msg_type,
            content,
            msg_id=MessageId(f"of-the-kernel-{len(self.journal) + 1}"),
            session=SessionId("kernel"),
            date="2026-11-20T18:30:00+00:00",
            parent_header=EMPTY if parent is None else parent.header,
        )
        self.journal.append(Entry(message, session))
        self._change()

    # What happens to it

    def cut(self) -> None:
        """Break every socket, without a word, and with all that is on its way."""
        for websocket in self.sockets:
            transport = websocket._req.transport
            if transport is not None:
                transport.abort()
        self._change()

    async def close(self, code: int, reason: str) -> None:
        """Close every socket."""
        for websocket in self.sockets:
            await websocket.close(code=code, message=reason.encode())
        self._change()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something is true that a request makes true."""
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(fact)

    def has_run(self, many: int) -> bool:
        """Whether it has run so many requests."""
        return len(self.ran) >= many

    def _change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    # The sockets

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/ended"):
            return web.json_response([])
        if not request.path.endswith("/channels"):
            return web.json_response({"id": KERNEL_ID, "name": "python3", "execution_state": self.state})
        query = dict(request.query)
        self.queries.append(query)
        if self.refuse is not None:
            return self.refuse()
        start = self._start(query)
        if start + 1 < self.oldest:
            told = {"message": "It is no longer kept.", "reason": "Gone", "oldest": self.oldest}
            return web.json_response(told, status=410)
        websocket = web.WebSocketResponse(protocols=(LINK_SUBPROTOCOL,), max_msg_size=0)
        await websocket.prepare(request)
        assert websocket.ws_protocol == LINK_SUBPROTOCOL
        self.sockets.append(websocket)
        welcome = Welcome(Position(len(self.journal)), Position(self.oldest))
        taken = self.links.setdefault(query["link"], 0)
        await websocket.send_bytes(encode_frame(FrameKind.WELCOME, taken, msgspec.json.encode(welcome)))
        self.after_welcome(websocket)
        pump = asyncio.create_task(self._pump(websocket, query, start))
        try:
            await self._listen(websocket, query)
        finally:
            self.sockets.remove(websocket)
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            async with self.arrived:
                self.arrived.notify_all()
        return websocket

    def _start(self, query: dict[str, str]) -> int:
        if "position" in query:
            return int(query["position"])
        if "after" in query:
            ids = [entry.message.read_header().msg_id for entry in self.journal]
            return ids.index(MessageId(query["after"])) + 1
        if "resume" in query:
            return self.received.get(query["session_id"], len(self.journal))
        return self.oldest - 1 if query.get("replay") == "all" else len(self.journal)

    async def _pump(self, websocket: web.WebSocketResponse, query: dict[str, str], position: int) -> None:
        caught_up = False
        while True:
            changed = self.changed
            while position < len(self.journal):
                position += 1
                entry = self.journal[position - 1]
                if position in self.holes:
                    told = msgspec.json.encode(self.holes[position])
                    await websocket.send_bytes(encode_frame(FrameKind.HOLE, position, told))
                if entry.session in ("", query["session_id"]) and (
                    entry.kind is FrameKind.MESSAGE or "requests" in query
                ):
                    await websocket.send_bytes(encode_message_frame(entry.kind, position, entry.message))
            if not caught_up:
                caught_up = True
                await websocket.send_bytes(encode_frame(FrameKind.TAKEN, self.links[query["link"]]))
            await changed.wait()

    async def _listen(self, websocket: web.WebSocketResponse, query: dict[str, str]) -> None:
        link = query["link"]
        async for frame in websocket:
            assert frame.type is WSMsgType.BINARY, frame
            kind, number = head_of(frame.data)
            if kind is FrameKind.RECEIVED:
                self.received[query["session_id"]] = number
                async with self.arrived:
                    self.arrived.notify_all()
                continue
            assert kind is FrameKind.REQUEST
            if not self.takes:
                continue
            assert number <= self.links[link] + 1
            if number == self.links[link] + 1:
                self.links[link] = number
                request = message_in(frame.data)
                self.ran.append(request)
                self.journal.append(Entry(request, kind=FrameKind.KEPT_REQUEST))
                self.answer(request)
            async with self.arrived:
                self.arrived.notify_all()
            if not websocket.closed:
                await websocket.send_bytes(encode_frame(FrameKind.TAKEN, self.links[link]))

    @property
    def codes(self) -> list[str]:
        """What was executed, in order."""
        executes = [each for each in self.ran if each.read_header().msg_type == "execute_request"]
        return [each.read_content()["code"] for each in executes]


@asynccontextmanager
async def served(host: LinkHost) -> AsyncIterator[Peer]:
    """A server of this kernel."""
    async with http_peer(host.serve) as peer:
        yield peer


@asynccontextmanager
async def linked(host: LinkHost, **options: Any) -> AsyncIterator[Kernel]:
    """A client of this kernel."""
    async with served(host) as peer, Gateway(peer.base_url, token="t", **options) as gateway:
        yield await gateway.connect(KERNEL_ID)


def refusal(status: int, message: str) -> Callable[[], web.Response]:
    """An answer to handshakes."""
    return lambda: web.json_response({"message": message, "reason": "x"}, status=status)
