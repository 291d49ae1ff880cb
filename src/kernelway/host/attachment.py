"""One client's connection to one kernel, as the host sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from kernelway.host.links import Link
from kernelway.host.reading import Reading
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, KernelDied
from kernelway.protocol.link_framing import FrameKind, Position, encode_frame, head_of, message_in
from kernelway.protocol.message import Buffer, Channel, Message, SessionId

if TYPE_CHECKING:
    from kernelway.host.clients import Clients
    from kernelway.host.run import KernelRun


class Attachment:
    """Frames both ways between a client and a kernel, across the kernel's restarts.

    What the kernel sends is read from its journal, so nothing waits here. One task sends and one receives.
    """

    def __init__(self, clients: Clients, session: SessionId, link: Link, reading: Reading) -> None:
        self.session = session
        self._clients = clients
        self._link = link
        self._reading = reading
        self._welcome: bytes | None = reading.welcome(link.taken)
        self._tells_taken = False
        self._up_to_date = not reading.replays
        self._arrival: asyncio.Future[None] | None = None
        self._closed: ChannelsClosed | None = None
        self._end = asyncio.Event()

    # To the kernel

    async def send(self, frame: Buffer, *more: Buffer) -> None:
        """Take a REQUEST, waiting while the kernel restarts or while its queue is full, or a RECEIVED.

        Raises :class:`ChannelsClosed` once this connection is closed, and closes it where the kernel is dead;
        :class:`FrameError` for any other frame. A request that waits while a run ends goes to the next run,
        or to nobody; raising or cancelled, this has not taken it.
        """
        kind, number = head_of(frame)
        if kind is FrameKind.REQUEST:
            await self._request(number, message_in(b"".join((frame, *more)) if more else frame))
        elif kind is FrameKind.RECEIVED:
            if self._closed is not None:
                raise self._closed
            self._clients.note_received(self.session, Position(number))
        else:
            raise FrameError(f"A {kind.name} is nothing that a client sends.")

    async def _request(self, number: int, message: Message) -> None:
        if message.channel is Channel.IOPUB:
            raise FrameError("A client cannot send on iopub.")
        while (obstacle := self._try_request(number, message)) is not None:
            await _either(obstacle, self._end.wait())

    def _try_request(self, number: int, message: Message) -> Coroutine[Any, Any, None] | None:
        """Hand the request to the kernel, if nobody has; else what to wait for before another try."""
        run = self._run()
        if number > self._link.taken + 1:
            raise FrameError(f"Request {number} leaves out others: {self._link.taken} came last.")
        if number > self._link.taken:
            if run is None:
                return self._clients.settled()
            obstacle = self._clients.try_send(run, self.session, message)
            if obstacle is not None:
                return obstacle
            self._link.taken = number
        self._tells_taken = True
        self.wake()
        return None

    def _run(self) -> KernelRun | None:
        if self._closed is not None:
            raise self._closed
        try:
            return self._clients.run
        except KernelDied as error:
            self.close(CloseCode.KERNEL_DEAD, str(error))
            assert self._closed is not None
            raise self._closed from error

    # To the client

    async def receive(self) -> Sequence[bytes]:
        """The next frames, in order; waits for the first, raises :class:`ChannelsClosed` at the end.

        What the journal had at the end is received before. Cancelling loses nothing.
        """
        while True:
            own = [] if self._reading.within else self._own()
            recent = self._reading.recent()
            frames = [*own, *(recent or ())]
            if recent is None and not frames:
                # Nothing is in hand while this waits: it may be cancelled.
                frames = await self._reading.stored()
            if frames:
                return frames
            if recent is not None and not self._up_to_date:
                # The newest entry may be for others alone, so the end of the replay has to be said.
                self._up_to_date = self._tells_taken = True
            elif recent is not None:
                await self._arrive()

    def _own(self) -> list[bytes]:
        """What is not in the journal, since it is for this connection alone."""
        frames: list[bytes] = []
        if self._welcome is not None:
            frames.append(self._welcome)
            self._welcome = None
        if self._tells_taken:
            self._tells_taken = False
            frames.append(encode_frame(FrameKind.TAKEN, self._link.taken))
        return frames

    async def _arrive(self) -> None:
        if self._closed is not None:
            raise self._closed
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival

    def wake(self) -> None:
        """Called where there may be something to receive."""
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    # The end

    async def wait_closed(self) -> ChannelsClosed:
        """Return at the end, with its reason."""
        await self._end.wait()
        assert self._closed is not None
        return self._closed

    def close(self, code: int, reason: str) -> None:
        """End this connection; what was sent still goes to the kernel, which runs on.

        What the journal has already can still be received.
        """
        if self._closed is None:
            self._closed = ChannelsClosed(code, reason)
            self._end.set()
            self._reading.stop()
            self._clients.detach(self, self._link)
            self.wake()


async def _either(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = {asyncio.create_task(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
