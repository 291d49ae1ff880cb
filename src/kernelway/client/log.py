"""A kernel's journal, read as a log: everything that it has said, and was asked, in order.

    async with gateway.log(kernel_id, follow=True) as log:
        async for entry in log:
            ...

The log is a link of its own, so it goes on across breaks like any other; its session is its own too, so it
sees what is published and the requests that are kept, and nobody's replies. It reads as fast as its reader
does: what is not asked for yet stays at the server, and is no one's memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from kernelway.client.http import HttpClient
from kernelway.client.inbox import Feed
from kernelway.client.link import Link
from kernelway.client.link_status import LinkEvent
from kernelway.client.resume import Came, Joined, Missing
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import InvalidRequest, KernelDied, KernelwayError
from kernelway.protocol.link_framing import START, Hole, LinkId, Position
from kernelway.protocol.message import Message, MessageId, SessionId
from kernelway.protocol.models import KernelId

_AHEAD: Final = 2**20
"""Bytes that are read ahead of the reader; one message more may be there."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a kernel's journal: a message, or a hole before ``position``."""

    position: Position
    message: Message | None = None
    is_request: bool = False
    """Whether the message is a request that a client sent."""
    hole: Hole | None = None
    """What is no longer kept, or never was; there is no message then."""


class Log:
    """What is in a kernel's journal from a place on; it is used inside ``async with``, and iterated once.

    Without ``follow`` it ends after what was there when it was opened; with it, when the kernel ends. A place
    that is no longer kept is told as a hole, and the log goes on with the oldest there is.
    """

    def __init__(
        self,
        http: HttpClient,
        kernel_id: KernelId,
        *,
        after: MessageId | None = None,
        position: Position | None = None,
        follow: bool = False,
    ) -> None:
        if after is not None and position is not None:
            raise InvalidRequest("A log begins after a message or after a position, not after both.")
        joining = Joining(
            session=SessionId(uuid4().hex),
            link=LinkId(uuid4().hex),
            after=after,
            position=position,
            replay_all=after is None and position is None,
            requests=True,
        )
        self._timeout = http.options.timeout
        self._follow = follow
        self._entries: deque[LogEntry] = deque()
        self._size = 0
        self._until: Position | None = None
        """Where a log that does not follow ends; None until it is known."""
        self._ended = False
        self._error: KernelwayError | None = None
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._link = Link(http, kernel_id, joining, self, room=self._wait_for_room)

    async def __aenter__(self) -> Self:
        await self._link.open(timeout=self._timeout)
        if not self._link.resumes:
            await self._link.close()
            raise InvalidRequest(
                "The server of this kernel keeps no journal, so there is no log to read: a kernelway has one."
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.set()
        await self._link.close()

    @property
    def link(self) -> LinkEvent:
        """Whether the server can be reached now, and since when."""
        return self._link.now

    def link_events(self) -> Feed[LinkEvent]:
        """Iterate over the changes of :attr:`link` from now on; a slow reader gets the latest."""
        return self._link.events()

    async def __aiter__(self) -> AsyncIterator[LogEntry]:
        while True:
            while not self._entries:
                if self._error is not None:
                    raise self._error
                if self._ended:
                    return
                self._came.clear()
                await self._came.wait()
            yield self._next()

    def joined(self, joined: Joined) -> None:
        """Take the journal's newest position as the end of what is there, the first time."""
        if not self._follow and self._until is None:
            self._until = joined.welcome.newest
            self._reach(self._link.position or START)

    def came(self, came: Came) -> None:
        """Take an entry."""
        position = START if came.position is None else came.position
        self._put(LogEntry(position, came.message, came.is_request), came.message.size)
        self._reach(position)

    def missing(self, missing: Missing) -> None:
        """Take a hole."""
        self._put(LogEntry(missing.position, hole=missing.hole), len(missing.hole.reason))
        self._reach(Position(missing.position - 1))

    def taken(self) -> None:
        """Take the sign that all there was has come: the newest entry itself may be for others alone.

        A log sends no requests, and a TAKEN is what a host sends to who is up to date.
        """
        if not self._follow:
            self._end()

    def lost(self, error: KernelwayError) -> None:
        """End: in peace with the kernel's own end, since its journal has been read up to there."""
        self._end(None if isinstance(error, KernelDied) else error)

    def _put(self, entry: LogEntry, size: int) -> None:
        if self._ended:
            return
        self._entries.append(entry)
        self._size += size
        if self._size >= _AHEAD:
            self._room.clear()
        self._came.set()

    def _next(self) -> LogEntry:
        entry = self._entries.popleft()
        self._size -= len(entry.hole.reason) if entry.hole is not None else 0
        self._size -= entry.message.size if entry.message is not None else 0
        if self._size < _AHEAD:
            self._room.set()
        return entry

    def _reach(self, position: Position) -> None:
        if self._until is not None and position >= self._until:
            self._end()

    def _end(self, error: KernelwayError | None = None) -> None:
        if not self._ended:
            self._ended = True
            self._error = error
            self._came.set()

    async def _wait_for_room(self) -> None:
        await self._room.wait()
