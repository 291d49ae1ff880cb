"""One socket of a link, from its WELCOME to its end: one task reads, one writes, one watches for silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import aiohttp

from kernelway.client.link_ends import Unmendable, ended_by
from kernelway.client.pulse import Patience, WatchedWebSocket, until_silent
from kernelway.client.resume import Came, Joined, Missing, State, Taken
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, KernelwayError
from kernelway.protocol.models import KernelId
from kernelway.transport import deadlines

CLOSING: Final = 2.0
"""Seconds for a polite end of the WebSocket; after it the connection is dropped."""

DATA: Final = frozenset({aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT})


class Listener(Protocol):
    """Who is told what comes over a link. Nothing here may wait.

    Only ``came`` may raise, and only :class:`FrameError`, which ends the link.
    """

    def joined(self, joined: Joined) -> None:
        """A socket has been joined; not told of servers without links."""

    def came(self, came: Came) -> None:
        """A message, in order and once."""

    def missing(self, missing: Missing) -> None:
        """What comes next does not follow what came last."""

    def taken(self) -> None:
        """The host has more of the requests than before, or says that nothing older is left to come."""

    def lost(self, error: KernelwayError) -> None:
        """The link is gone for good; told once, and not to who closed it."""


class Outgoing:
    """Says when there is something to write, and when something has been written or taken."""

    def __init__(self) -> None:
        self.work = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()

    async def progress(self) -> None:
        """Wait until something has been written or taken, or the link has ended."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def progressed(self) -> None:
        """Wake who waits for that."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


class Talk:
    """What goes on over one socket, as the link's state wants it."""

    def __init__(
        self,
        websocket: WatchedWebSocket,
        kernel_id: KernelId,
        state: State,
        listener: Listener,
        *,
        patience: Patience,
        outgoing: Outgoing,
        room: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._websocket = websocket
        self._kernel_id = kernel_id
        self._state = state
        self._listener = listener
        self._patience = patience
        self._outgoing = outgoing
        self._room = room
        self._listening = True
        self._known: str | None = None
        """What our own side knows of the break."""

    async def serve(self) -> KernelwayError:
        """Serve the socket until its end, and say why it ended. Cancelled, it leaves the socket open."""
        others = [
            asyncio.create_task(self._beside(self._write)),
            asyncio.create_task(self._beside(self._watch)),
        ]
        try:
            return await self._read()
        finally:
            for task in others:
                task.cancel()
            ends = await asyncio.gather(*others, return_exceptions=True)
            faults = [end for end in ends if isinstance(end, Exception)]
            if faults:
                raise faults[0]

    async def _beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do what the reader does not wait for; where it ends by itself, the socket is of no more use."""
        try:
            await work()
        except Exception:
            self._websocket.abort()
            raise
        self._websocket.abort()

    async def _read(self) -> KernelwayError:
        websocket = self._websocket
        try:
            while True:
                if self._room is not None:
                    self._listening = False
                    await self._room()
                    self._listening = True
                frame = await websocket.receive()
                if frame.type not in DATA:
                    return ended_by(frame, self._kernel_id, known=self._known)
                self._take(frame.data)
        except FrameError as error:
            with contextlib.suppress(TimeoutError):
                async with deadlines.timeout(CLOSING):
                    await websocket.close(code=CloseCode.PROTOCOL_ERROR, message=b"A frame is not a message.")
            return Unmendable(
                f"The server sent what is no message of kernel {self._kernel_id}, and the connection was "
                f"closed: {error}"
            )

    def _take(self, data: str | bytes) -> None:
        match self._state.received(data):
            case Came() as came:
                self._listener.came(came)
            case Missing() as missing:
                self._listener.missing(missing)
            case Taken():
                self._outgoing.progressed()
                self._listener.taken()

    async def _write(self) -> None:
        websocket, state, outgoing = self._websocket, self._state, self._outgoing
        try:
            while True:
                outgoing.work.clear()
                while (frame := state.next_frame()) is not None:
                    if isinstance(frame, str):
                        await websocket.send_str(frame)
                    else:
                        await websocket.send_bytes(frame)
                    websocket.frames_written += 1
                    state.wrote()
                    outgoing.progressed()
                await outgoing.work.wait()
        except (aiohttp.ClientError, OSError) as error:
            # The reader sees the end too, and may hear the server's reason for it.
            self._known = f"it could not be written to: {error}"
            await asyncio.sleep(CLOSING)

    async def _watch(self) -> None:
        await until_silent(self._websocket, self._patience, listening=lambda: self._listening)
        self._known = f"nothing came from the server for {self._patience.most:g} seconds"
