"""A client's connection to the journal of a kernel that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kernelway.host.journal import Journal
from kernelway.host.reading import Reading, start_of
from kernelway.protocol.channels import ChannelsClosed, Joining
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError
from kernelway.protocol.link_framing import FrameKind, head_of
from kernelway.protocol.message import Buffer
from kernelway.protocol.models import EndedKernel


async def join_ended(journal: Journal, kernel: EndedKernel, joining: Joining) -> EndedChannels:
    """Read the journal from where the client wants it; :class:`PositionGone` as for a kernel that runs."""
    after = None if joining.after is None else await journal.position_of(joining.after)
    start = start_of(journal, joining, after=after, known=None)
    return EndedChannels(Reading(journal, joining, start), told_end(kernel))


def told_end(kernel: EndedKernel) -> str:
    """When and why a kernel ended, in sentences."""
    # Without the id, which fills a third of what a close frame can hold; whoever asked knows it.
    return f"The kernel ended at {kernel.ended}. {kernel.reason}"


class EndedChannels:
    """What an ended kernel said, and then the end; a request closes it at once."""

    def __init__(self, reading: Reading, reason: str) -> None:
        self._reading = reading
        self._welcome: bytes | None = reading.welcome(0)
        self._closed = ChannelsClosed(CloseCode.KERNEL_GONE, reason)
        self._end = asyncio.Event()
        reading.stop()

    async def send(self, frame: Buffer, *more: Buffer) -> None:
        """Refuse a request with :class:`ChannelsClosed`; a RECEIVED tells nobody anything."""
        kind, _ = head_of(frame)
        if kind is FrameKind.RECEIVED and not self._end.is_set():
            return
        if kind not in (FrameKind.REQUEST, FrameKind.RECEIVED):
            raise FrameError(f"A {kind.name} is nothing that a client sends.")
        self._end.set()
        raise self._closed

    async def receive(self) -> Sequence[bytes]:
        """The next frames, in order; :class:`ChannelsClosed` after the last."""
        if self._welcome is not None:
            welcome, self._welcome = self._welcome, None
            return [welcome]
        while (frames := self._reading.recent()) is None:
            frames = await self._reading.stored()
            if frames:
                break
        if frames:
            return frames
        self._end.set()
        raise self._closed

    async def wait_closed(self) -> ChannelsClosed:
        """Return once everything was received or a request came, with the reason."""
        await self._end.wait()
        return self._closed

    def close(self, code: int, reason: str) -> None:
        """End the connection; closing twice is no error."""
        if not self._end.is_set():
            self._closed = ChannelsClosed(code, reason)
            self._end.set()
