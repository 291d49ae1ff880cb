"""One client's connection to one kernel, as the host sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from kernelway.host.client_sockets import ClientSockets
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, KernelDied
from kernelway.protocol.message import Channel, Message, SessionId

if TYPE_CHECKING:
    from kernelway.host.kernel import Kernel
    from kernelway.host.run import KernelRun

_OVERHEAD = 512
"""Bytes that a waiting message takes beside its parts; many small messages are mostly that."""

_HANDED_OVER = 1 << 20
"""Bytes that are handed over at a time, if one message alone is not more."""


class Attachment:
    """Messages both ways between a client and a kernel, across the kernel's restarts.

    What the kernel sends waits in memory until it is received. ``bound`` (bytes) limits that: a client for
    which more waits, in more than one message, is closed with :data:`CloseCode.SLOW_READER`, since a kernel
    cannot be held back and dropping in silence is not an answer. One task sends and one receives.
    """

    def __init__(self, kernel: Kernel, session: SessionId, *, bound: int) -> None:
        self.session = session
        self._kernel = kernel
        self._bound = bound
        self._waiting: deque[tuple[Message, int]] = deque()
        self._waiting_bytes = 0
        self._arrival: asyncio.Future[None] | None = None
        self._closed: ChannelsClosed | None = None
        self._end = asyncio.Event()
        self._sockets: ClientSockets | None = None

    def connect(self) -> None:
        """Open the sockets now, if the kernel takes messages, rather than at the first message.

        A client that came back may answer its code's question at once; the reply that follows must find the
        shell's connection made. Raises :class:`~kernelway.protocol.errors.KernelError` where it cannot be.
        """
        run = self._kernel.run
        if run is not None:
            self._connected(run)

    async def send(self, message: Message) -> None:
        """Hand a message to the kernel, waiting while it restarts or while its queue is full.

        Raises :class:`ChannelsClosed` once this connection is closed, and closes it where the kernel is dead.
        A message that waits while its run ends goes to the next run, or to nobody.
        """
        if message.channel is Channel.IOPUB:
            raise FrameError("A client cannot send on iopub.")
        while True:
            run = self._run()
            if run is None:
                await _either(self._kernel.settled(), self._end.wait())
                continue
            sockets = self._connected(run)
            if sockets.try_send(message):
                break
            await _either(sockets.writable(message.channel), self._end.wait())
        self._kernel.note_activity()

    def _connected(self, run: KernelRun) -> ClientSockets:
        if self._sockets is None:
            self._sockets = ClientSockets(run, self.session, self.deliver)
        return self._sockets

    def _run(self) -> KernelRun | None:
        if self._closed is not None:
            raise self._closed
        try:
            return self._kernel.run
        except KernelDied as error:
            self.close(CloseCode.KERNEL_DEAD, str(error))
            assert self._closed is not None
            raise self._closed from error

    async def receive(self) -> Sequence[Message]:
        """The next messages, in order; waits for the first, raises :class:`ChannelsClosed` at the end.

        They are few enough (:data:`_HANDED_OVER`) that what waits is still what the bound is about.
        Cancelling loses nothing.
        """
        while not self._waiting:
            if self._closed is not None:
                raise self._closed
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        messages: list[Message] = []
        taken = 0
        while self._waiting and taken < _HANDED_OVER:
            message, cost = self._waiting.popleft()
            messages.append(message)
            taken += cost
        self._waiting_bytes -= taken
        return messages

    async def wait_closed(self) -> ChannelsClosed:
        """Return at the end, with its reason."""
        await self._end.wait()
        assert self._closed is not None
        return self._closed

    def deliver(self, message: Message, size: int) -> None:
        """Called by the kernel for every message that this client is to have; ``size`` is the message's."""
        if self._closed is not None:
            return
        cost = size + _OVERHEAD
        if self._waiting and self._waiting_bytes + cost > self._bound:
            waiting = f"{(self._waiting_bytes + cost) / 2**20:.0f} MiB"
            self._waiting.clear()
            self.close(CloseCode.SLOW_READER, f"Too slow a reader: {waiting} of output wait for it.")
            return
        self._waiting.append((message, cost))
        self._waiting_bytes += cost
        self._wake()

    def close(self, code: int, reason: str) -> None:
        """End this connection; what was sent still goes to the kernel, which runs on.

        What already waits can still be received.
        """
        if self._closed is None:
            self._closed = ChannelsClosed(code, reason)
            self._end.set()
            self._leave(deliver=True)
            self._kernel.detach(self)
            self._wake()

    def give_way(self, newer: Attachment) -> None:
        """End this connection because the client made a newer one, which goes on where this one is.

        It has the same sockets: the kernel would not take others under the same name before it has noticed
        the end of these, and replies to what was asked here reach the newer connection. What still waits
        here is received there.
        """
        newer._waiting, self._waiting = self._waiting, newer._waiting
        newer._waiting_bytes, self._waiting_bytes = self._waiting_bytes, 0
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            sockets.deliver = newer.deliver
            newer._sockets = sockets
        self.close(CloseCode.REPLACED, "A newer connection has the same kernel and session.")

    def disconnect(self) -> None:
        """Called by the kernel when a run has ended: what is sent from now on goes to the next one."""
        self._leave(deliver=False)

    def _leave(self, *, deliver: bool) -> None:
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            sockets.close(deliver=deliver)

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


async def _either(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = {asyncio.create_task(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
