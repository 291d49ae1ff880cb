"""Channels that do as a test says, behind the real WebSockets of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from aiohttp import ClientSession, ClientWebSocketResponse, web

from kernelway.gateway import channels as gateway_channels
from kernelway.gateway.channels import SOCKETS, ChannelSockets
from kernelway.protocol.channels import ChannelsClosed, Joining
from kernelway.protocol.errors import KernelwayError, NotFound
from kernelway.protocol.link_framing import (
    FrameKind,
    Position,
    encode_frame,
    encode_message_frame,
    head_of,
    message_in,
)
from kernelway.protocol.message import Buffer, Message
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL
from kernelway.transport.api import relay
from kernelway.transport.api.application import build
from kernelway.transport.api.client_socket import Beat
from kernelway.transport.api.hosts import Host
from kernelway.transport.api.relay import BEAT
from kernelway.transport.api.server import serving, url_of
from kernelway.transport.listening import listen_on_port

DEADLINE = 30.0

WELCOME = encode_frame(FrameKind.WELCOME, 0, b'{"newest":0,"oldest":1}')


def frames_of(*messages: Message, after: int = 0) -> list[bytes]:
    """The messages at the positions that follow ``after``."""
    return [
        encode_message_frame(FrameKind.MESSAGE, number, message)
        for number, message in enumerate(messages, after + 1)
    ]


class ScriptedChannels:
    """Channels that publish what they are given, and whose end is up to the test."""

    def __init__(self, *published: bytes, on_send: Callable[[bytes], Awaitable[None]] | None = None) -> None:
        self.handed_out = 0
        """Frames that were received from here."""
        self.sent: list[bytes] = []
        """Frames that were sent to here."""
        self._waiting = [WELCOME, *published]
        self._on_send = on_send
        self._changed = asyncio.Event()
        self._closed: asyncio.Future[ChannelsClosed] = asyncio.get_running_loop().create_future()

    def publish(self, *frames: bytes) -> None:
        self._waiting.extend(frames)
        self._changed.set()

    async def send(self, frame: Buffer, *more: Buffer) -> None:
        if self._closed.done():
            raise self._closed.result()
        whole = b"".join((frame, *more))
        self.sent.append(whole)
        self._changed.set()
        if self._on_send is not None:
            await self._on_send(whole)

    async def receive(self) -> Sequence[bytes]:
        while not self._waiting:
            if self._closed.done():
                raise self._closed.result()
            self._changed.clear()
            await self._changed.wait()
        frames, self._waiting = self._waiting[:16], self._waiting[16:]
        self.handed_out += len(frames)
        return frames

    async def wait_closed(self) -> ChannelsClosed:
        return await asyncio.shield(self._closed)

    def close(self, code: int, reason: str) -> None:
        if not self._closed.done():
            self._closed.set_result(ChannelsClosed(code, reason))
            self._changed.set()

    async def closed(self) -> tuple[int, str]:
        """With what this was closed."""
        async with asyncio.timeout(DEADLINE):
            end = await self.wait_closed()
        return end.code, end.reason

    def requests(self) -> list[tuple[int, Message]]:
        """The requests that came, with their numbers."""
        heads = [(head_of(frame), frame) for frame in self.sent]
        return [(number, message_in(frame)) for (kind, number), frame in heads if kind is FrameKind.REQUEST]

    def received(self) -> list[Position]:
        """The positions up to which everything is said to have come."""
        heads = map(head_of, self.sent)
        return [Position(number) for kind, number in heads if kind is FrameKind.RECEIVED]


@dataclass(slots=True)
class ScriptedHost:
    """A host with one kernel, ``k``, that hands out the channels it was given, one after the other."""

    channels: list[ScriptedChannels]
    refusal: KernelwayError | None = None
    joined: list[Joining] = field(default_factory=list)

    async def connect(self, kernel_id: KernelId, joining: Joining) -> ScriptedChannels:
        if kernel_id != "k":
            raise NotFound("There is no such kernel.")
        if self.refusal is not None:
            raise self.refusal
        self.joined.append(joining)
        return self.channels[min(len(self.joined), len(self.channels)) - 1]


@dataclass(slots=True)
class ScriptedServer:
    """A running application with a scripted host."""

    host: ScriptedHost
    http: ClientSession
    app: web.Application

    @asynccontextmanager
    async def socket(
        self,
        protocol: str | None = V1_SUBPROTOCOL,
        *,
        pongs: bool = True,
        query: dict[str, str] | None = None,
    ) -> AsyncIterator[ClientWebSocketResponse]:
        """A client of the kernel's channels, which answers pings while it receives, or never."""
        async with self.http.ws_connect(
            "api/kernels/k/channels",
            params=query or {},
            protocols=() if protocol is None else (protocol,),
            autoping=pongs,
            max_msg_size=0,
        ) as websocket:
            yield websocket


@asynccontextmanager
async def scripted_server(
    *channels: ScriptedChannels,
    link_only: bool = False,
    largest: int = 1 << 30,
    interval: float = 10.0,
    timeout: float = 20.0,
) -> AsyncIterator[ScriptedServer]:
    """A gateway in this process, or, ``link_only``, the WebSockets of a host."""
    host = ScriptedHost(list(channels))
    listener = listen_on_port("127.0.0.1", 0, retries=0)
    app = build((relay if link_only else gateway_channels).ROUTES, cast("Host", host))
    app[BEAT] = Beat(interval, timeout)
    sockets = app[SOCKETS] = ChannelSockets(largest=largest, ping_interval=interval, ping_timeout=timeout)
    async with (
        serving(app, listener),
        ClientSession(url_of(listener, ip="127.0.0.1", base_url="/", tls=False)) as http,
    ):
        try:
            yield ScriptedServer(host, http, app)
        finally:
            sockets.close()
