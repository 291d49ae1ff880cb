"""One WebSocket to the channels of one kernel, and the two tasks that serve it.

The link knows frames and messages, and nothing of what they mean: every message goes, in the order of its
arrival, to ``receive``, and the end of the connection, once, to ``lost``. What is to happen then is for
whoever holds the link to say.

    offered ──open──> open ──the other side closes, the network breaks, a frame is garbage──> lost
                       └─────close──> closed
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import aiohttp

from kernelway.client.http import HttpClient
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import (
    FrameError,
    InternalError,
    KernelDied,
    KernelwayError,
    LimitReached,
    LinkLost,
    TimedOut,
)
from kernelway.protocol.message import Message, SessionId
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, Framing, framing_for

_log = logging.getLogger(__name__)

UNSENT_LIMIT: Final = 64 * 2**20
"""Bytes that may wait to be sent before another message is refused; one alone may be larger."""

_UNSENT_EASY: Final = 2**20
"""Bytes that may wait to be sent before whoever can wait is asked to."""

_HEARTBEAT: Final = 60.0
"""Seconds of silence after which the other side is asked whether it is there; it has half of that to answer.

Long enough for a large message on a slow line to get through before the question that waits behind it.
"""

_CLOSING: Final = 2.0
"""Seconds for a polite end of the WebSocket; after it the connection is dropped."""


class Link:
    """One WebSocket to one kernel's channels, in the v1 framing where the server has it.

    ``session`` becomes the identity of the connection at the kernel: replies go to it alone, and a second
    link with the same session replaces the first. ``receive`` must not raise anything but
    :class:`FrameError`, which ends the link; neither callback may wait.
    """

    def __init__(
        self,
        http: HttpClient,
        kernel_id: KernelId,
        session: SessionId,
        *,
        receive: Callable[[Message], None],
        lost: Callable[[KernelwayError], None],
    ) -> None:
        self.kernel_id = kernel_id
        self.session = session
        self._http = http
        self._receive = receive
        self._lost = lost
        self._framing: Framing = framing_for(None)
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._error: KernelwayError | None = None
        self._unsent: deque[str | bytes] = deque()
        self._unsent_size = 0
        self._work = asyncio.Event()
        self._easy = asyncio.Event()
        self._easy.set()

    @property
    def subprotocol(self) -> str | None:
        """What the handshake agreed on: None is the default framing."""
        return self._framing.subprotocol

    async def open(self, *, timeout: float) -> None:
        """Connect within ``timeout`` seconds; errors of the way are those of :class:`HttpClient`."""
        try:
            async with asyncio.timeout(timeout):
                self._websocket = await self._http.websocket(
                    f"api/kernels/{self.kernel_id}/channels",
                    query={"session_id": self.session},
                    subprotocols=(V1_SUBPROTOCOL,),
                    heartbeat=_HEARTBEAT,
                )
        except TimeoutError as error:
            raise TimedOut(
                f"The server did not open the channels of kernel {self.kernel_id} within {timeout:g} seconds."
            ) from error
        self._framing = framing_for(self._websocket.protocol)
        reader = asyncio.create_task(self._read(self._websocket), name=f"read kernel {self.kernel_id}")
        writer = asyncio.create_task(
            self._write(self._websocket, reader), name=f"write kernel {self.kernel_id}"
        )
        self._tasks = [reader, writer]
        for task in self._tasks:
            task.add_done_callback(self._check)

    async def close(self) -> None:
        """End the connection, and wait for its tasks; the kernel goes on. ``lost`` is not called."""
        self._lose(
            LinkLost(f"The connection to kernel {self.kernel_id} was closed on this side."), tell=False
        )
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._websocket is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING):
                    await self._websocket.close()

    def post(self, message: Message) -> None:
        """Take a message for sending, in order, and do not wait.

        Raises the error that ended the link, :class:`LimitReached` where too much waits already, or
        :class:`FrameError` for a message that the framing cannot hold.
        """
        if self._error is not None:
            raise type(self._error)(str(self._error))
        if self._unsent_size > UNSENT_LIMIT:
            raise LimitReached(
                f"{self._unsent_size} bytes already wait to be sent to kernel {self.kernel_id}: wait for the "
                "answers to what was sent before sending more."
            )
        frame = self._framing.encode(message)
        self._unsent.append(frame)
        self._unsent_size += len(frame)
        if self._unsent_size > _UNSENT_EASY:
            self._easy.clear()
        self._work.set()

    async def ready(self) -> None:
        """Wait until little is left to be sent: how a slow connection pushes back on who can wait."""
        await self._easy.wait()

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        decode, receive = self._framing.decode, self._receive
        try:
            while (frame := await websocket.receive()).type in _DATA:
                receive(decode(frame.data))
        except FrameError as error:
            self._lose(
                LinkLost(
                    f"The server sent what is no message of kernel {self.kernel_id}, and the connection was "
                    f"closed: {error}"
                )
            )
            await websocket.close(code=CloseCode.PROTOCOL_ERROR, message=b"A frame is not a message.")
        else:
            self._lose(self._reason(frame))

    def _reason(self, frame: aiohttp.WSMessage) -> KernelwayError:
        kernel = f"kernel {self.kernel_id}"
        if frame.type is aiohttp.WSMsgType.ERROR:
            return LinkLost(f"The connection to {kernel} broke: {frame.data}.")
        if frame.type is not aiohttp.WSMsgType.CLOSE:
            return LinkLost(f"The connection to {kernel} broke: the server went away without a word.")
        said = str(frame.extra).rstrip(".") if frame.extra else "it gave no reason"
        if frame.data in _KERNEL_ENDED:
            return KernelDied(f"The server closed the connection to {kernel}, which has ended: {said}.")
        code = f"code {frame.data}" if frame.data else "no code"
        return LinkLost(f"The server closed the connection to {kernel}: {said} ({code}).")

    async def _write(self, websocket: aiohttp.ClientWebSocketResponse, reader: asyncio.Task[None]) -> None:
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._unsent:
                    await self._send(websocket, self._unsent.popleft())
        except (aiohttp.ClientError, OSError) as error:
            # The reader sees the end too, and may hear the server's reason for it.
            await asyncio.wait([reader], timeout=_CLOSING)
            self._lose(LinkLost(f"The connection to kernel {self.kernel_id} broke while sending: {error}."))

    async def _send(self, websocket: aiohttp.ClientWebSocketResponse, frame: str | bytes) -> None:
        if isinstance(frame, str):
            await websocket.send_str(frame)
        else:
            await websocket.send_bytes(frame)
        self._unsent_size -= len(frame)
        if self._unsent_size <= _UNSENT_EASY:
            self._easy.set()

    def _check(self, task: asyncio.Task[None]) -> None:
        """End the link where one of its tasks ended by a fault of ours: nobody may wait for it in vain."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("The link to kernel %s failed.", self.kernel_id, exc_info=error)
            self._lose(InternalError(f"The link to kernel {self.kernel_id} failed: {error!r}."))

    def _lose(self, error: KernelwayError, *, tell: bool = True) -> None:
        if self._error is not None:
            return
        self._error = error
        self._unsent.clear()
        self._easy.set()
        if tell:
            self._lost(error)


_DATA: Final = frozenset({aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT})
_KERNEL_ENDED: Final = frozenset({CloseCode.KERNEL_GONE, CloseCode.KERNEL_DEAD})
