"""The newest entries of a journal, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from kernelway.host.segments import Kept
from kernelway.protocol.link_framing import START, FrameKind, Position
from kernelway.protocol.message import SessionId

_OVERHEAD = 256
"""Bytes that an entry is reckoned to take beside its frame."""

_TIDY = 1024
"""Entries that were dropped and still take a place in the list."""

_NOTHING = Kept(START, FrameKind.HOLE, SessionId(""), b"")
"""What is in the place of an entry that was dropped."""


def cost(entry: Kept) -> int:
    """Bytes of memory."""
    return entry.size + _OVERHEAD


class Recent:
    """Entries of successive positions, up to ``newest``; there may be none of them."""

    def __init__(self, newest: Position) -> None:
        self.newest = newest
        self.size = 0
        """Bytes."""
        self._entries: list[Kept] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._entries) - self._head

    @property
    def first(self) -> Position:
        """The oldest position that is here; the one after the newest where nothing is."""
        return Position(self.newest + 1 - len(self))

    def append(self, entry: Kept) -> None:
        """Take the entry after the newest."""
        self._entries.append(entry)
        self.newest = entry.position
        self.size += cost(entry)

    def drop_first(self) -> None:
        """Forget the oldest; there must be one."""
        self.size -= cost(self._entries[self._head])
        self._head += 1
        if self._head >= _TIDY and self._head * 2 >= len(self._entries):
            del self._entries[: self._head]
            self._head = 0
        else:
            # The frame is not to live on until the list is tidied.
            self._entries[self._head - 1] = _NOTHING

    def all(self) -> Sequence[Kept]:
        """All that is here."""
        return self._entries[self._head :]

    def after(self, position: Position, limit: int) -> Sequence[Kept] | None:
        """What follows a position, up to ``limit`` bytes of frames and the entry that passes it.

        Empty where nothing follows yet, None where the next is not here.
        """
        start = self._head + position + 1 - self.first
        if start < self._head:
            return None
        return up_to(self._entries, start, limit)


def up_to(entries: Sequence[Kept], start: int, limit: int) -> Sequence[Kept]:
    """The entries from an index on, up to ``limit`` bytes of frames and the entry that passes it."""
    end = start
    while end < len(entries) and limit > 0:
        limit -= entries[end].size
        end += 1
    return entries[start:end]
