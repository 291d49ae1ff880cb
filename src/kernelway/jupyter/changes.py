"""Telling several readers which places are lost and which are back."""

from __future__ import annotations

import asyncio

from kernelway.client.inbox import Ended, Feed
from kernelway.jupyter.place import PlaceChange


class _LatestOfEach:
    """The newest change of each place, for one reader: bounded by how many places there are."""

    def __init__(self) -> None:
        self._unread: dict[str, PlaceChange] = {}
        self._changed = asyncio.Event()
        self._ended = False

    def put(self, change: PlaceChange) -> None:
        """Add a change; an unread one of the same place is no longer true."""
        if not self._ended:
            self._unread.pop(change.place, None)
            self._unread[change.place] = change
            self._changed.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._changed.set()

    def discard(self) -> None:
        """Forget what is unread."""
        self._unread.clear()

    async def get(self) -> PlaceChange:
        """The oldest unread change, waiting for one without a deadline; raises :class:`Ended`."""
        while not self._unread:
            if self._ended:
                raise Ended
            self._changed.clear()
            await self._changed.wait()
        return self._unread.pop(next(iter(self._unread)))


class Changes:
    """Who follows the changes of all places."""

    def __init__(self) -> None:
        self._readers: list[_LatestOfEach] = []
        self._ended = False

    def tell(self, change: PlaceChange) -> None:
        """A place was lost or is back."""
        for reader in self._readers:
            reader.put(change)

    def follow(self) -> Feed[PlaceChange]:
        """The changes from now on."""
        reader = _LatestOfEach()
        if self._ended:
            reader.end()
        self._readers.append(reader)
        return Feed(reader, lambda: self._forget(reader))

    def end(self) -> None:
        """Let every feed end once it is read."""
        self._ended = True
        for reader in self._readers:
            reader.end()

    def _forget(self, reader: _LatestOfEach) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
