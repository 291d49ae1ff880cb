"""One client's place in a kernel's journal: where it starts, and what it is given from there on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from kernelway.host.journal import Journal, Kept
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import PositionGone
from kernelway.protocol.link_framing import (
    LARGE,
    VERSION,
    FrameKind,
    Position,
    Welcome,
    encode_frame,
    parts_of,
)

_PORTION = 1 << 20
"""Bytes that are handed over at a time, if one message alone is not more."""


def start_of(
    journal: Journal, joining: Joining, *, after: Position | None, known: Position | None
) -> Position:
    """The position that a client goes on from.

    ``after`` is where the message stands that the client named, None where the journal does not have it;
    ``known`` is what its session is known to have received. :class:`PositionGone` where what follows the
    position is not all kept; a client that resumes is told of a hole instead, since those that do can make
    nothing of a refusal.
    """
    if joining.replay_all:
        return Position(journal.oldest - 1)
    if joining.after is not None:
        if after is None:
            raise PositionGone(f"The message {joining.after!r} is not kept here.", oldest=journal.oldest)
        return _kept(journal, after)
    if joining.position is not None:
        return _kept(journal, joining.position)
    if joining.resume and known is not None:
        return known
    return journal.newest


def _kept(journal: Journal, position: Position) -> Position:
    if position + 1 < journal.oldest:
        raise PositionGone(
            f"What followed position {position} is no longer kept; the oldest there is has {journal.oldest}.",
            oldest=journal.oldest,
        )
    if position > journal.newest and journal.ended:
        # A host that is killed can lose the end of a journal that a client has read already.
        return journal.newest
    if position > journal.newest:
        raise PositionGone(
            f"There is no position {position} here yet; the newest is {journal.newest}.",
            oldest=journal.oldest,
        )
    return position


class Reading:
    """A place in a journal, and what one session may see from there on."""

    def __init__(self, journal: Journal, joining: Joining, start: Position) -> None:
        self._journal = journal
        self._session = joining.session
        self._requests = joining.requests
        self.replays = start < journal.newest
        """Whether something older than this was there at the beginning."""
        self._position = start
        self._end: Position | None = None
        self._in_parts = joining.parts
        self._cut: Iterator[bytes] = iter(())
        """The large frame that comes now, or came last."""
        self._part: bytes | None = None
        """The next of it."""

    def welcome(self, taken: int) -> bytes:
        """The first frame."""
        journal = self._journal
        told = Welcome(
            newest=journal.newest, oldest=Position(journal.oldest), ended=journal.ended, version=VERSION
        )
        return encode_frame(FrameKind.WELCOME, taken, msgspec.json.encode(told))

    def stop(self) -> None:
        """Go no further than to what the journal has now."""
        if self._end is None:
            self._end = self._journal.newest

    @property
    def within(self) -> bool:
        """Whether the frame that was given last is a PART that others follow."""
        return self._part is not None

    def recent(self) -> list[bytes] | None:
        """The next frames: none where nothing is new, None where memory does not have what comes next."""
        if self._part is not None:
            return [self._next_part(self._part)]
        while self._goes_on():
            kept = self._journal.recent(self._position, limit=_PORTION)
            if not kept:
                return None if kept is None else []
            frames = self._pass(kept)
            if frames:
                return frames
        return []

    async def stored(self) -> list[bytes]:
        """The next frames, wherever they are; they may be none. Cancelled, it has not gone on."""
        return self._pass(await self._journal.read(self._position, limit=_PORTION))

    def _goes_on(self) -> bool:
        end = self._journal.newest if self._end is None else self._end
        return self._position < end

    def _pass(self, kept: Sequence[Kept]) -> list[bytes]:
        session, requests, end = self._session, self._requests, self._end
        frames: list[bytes] = []
        for each in kept:
            if end is not None and self._position >= end:
                break
            self._position = each.position
            if (not each.session or each.session == session) and (
                requests or each.kind is not FrameKind.KEPT_REQUEST
            ):
                while self._part is not None:
                    frames.append(self._next_part(self._part))
                if self._in_parts and each.size > LARGE:
                    self._cut = parts_of((each.frame, *each.more))
                    frames.append(self._next_part(next(self._cut)))
                else:
                    frames.append(each.whole)
        return frames

    def _next_part(self, part: bytes) -> bytes:
        self._part = next(self._cut, None)
        return part
