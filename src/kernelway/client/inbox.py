"""What came for one reader and is not read yet: in order, and bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

from kernelway.protocol.errors import KernelwayError, LimitReached

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

UNREAD_LIMIT = 256 * 2**20
"""Bytes that wait for one reader unless it asks for another bound."""


class Ended(Exception):
    """Nothing more will come, and everything that came has been read."""


class Inbox(Generic[T]):
    """Items for one reader; ``whose`` names them in the error of an inbox that passed its bound.

    Putting never waits, since whoever puts has other inboxes to serve. An inbox that passes its bound ends
    with :class:`LimitReached`: the reader gets what came before, and then the error.
    """

    def __init__(self, limit: int, *, whose: str) -> None:
        self._limit = limit
        self._whose = whose
        self._items: deque[tuple[T, int]] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._ended = False
        self._error: KernelwayError | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more can be put."""
        return self._ended

    @property
    def error(self) -> KernelwayError | None:
        """What the reader gets in the end, where that is an error."""
        return self._error

    def put(self, item: T, size: int) -> None:
        """Add an item of ``size`` bytes; one that comes after the end is nobody's, and goes."""
        if self._ended:
            return
        if self._size + size > self._limit:
            self.end(
                LimitReached(
                    f"{self._whose} have more than {self._limit} bytes unread, and the rest is not kept: "
                    "read them as they come, or ask for a larger bound with `unread`. The kernel goes on."
                )
            )
            return
        self._items.append((item, size))
        self._size += size
        self._changed.set()

    def end(self, error: KernelwayError | None = None) -> None:
        """Nothing more comes; the reader gets what is there, and then the error if there is one."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._changed.set()

    def discard(self) -> None:
        """Forget what is unread."""
        self._items.clear()
        self._size = 0

    async def get(self) -> T:
        """The next item, waiting for it without a deadline; cancelling loses nothing.

        Raises :class:`Ended`, or the error that the inbox ended with.
        """
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise Ended
            self._changed.clear()
            await self._changed.wait()
        item, size = self._items.popleft()
        self._size -= size
        return item


class Latest(Generic[T]):
    """The newest item for one reader; one that comes before the last was read takes its place."""

    def __init__(self) -> None:
        self._item: list[T] = []
        self._changed = asyncio.Event()
        self._ended = False

    def put(self, item: T) -> None:
        """Put an item in the place of an unread one."""
        if not self._ended:
            self._item = [item]
            self._changed.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._changed.set()

    def discard(self) -> None:
        """Forget what is unread."""
        self._item.clear()

    async def get(self) -> T:
        """The newest item, waiting for one without a deadline; raises :class:`Ended`."""
        while not self._item:
            if self._ended:
                raise Ended
            self._changed.clear()
            await self._changed.wait()
        return self._item.pop()


class Source(Protocol[T_co]):
    """Where the items of a feed come from."""

    async def get(self) -> T_co:
        """The next item, or :class:`Ended`."""

    def end(self) -> None:
        """Take no more."""

    def discard(self) -> None:
        """Forget what is unread."""


class Feed(Generic[T]):
    """Items from now on, for one reader; iterate it, and close it if it was never iterated.

    Leaving the iteration closes the feed. An error that ends it is raised after what came before.
    """

    def __init__(self, inbox: Source[T], forget: Callable[[], None]) -> None:
        self._inbox = inbox
        self._forget = forget

    async def __aiter__(self) -> AsyncIterator[T]:
        try:
            while True:
                yield await self._inbox.get()
        except Ended:
            return
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening; what was not read is gone; closing twice is no error."""
        self._inbox.end()
        self._inbox.discard()
        self._forget()
