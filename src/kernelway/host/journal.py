"""A kernel's journal: all that it sent and was asked, numbered; the newest in memory, the rest on disk.

An entry goes through three places: it is taken into memory, handed to the spill's thread in a batch (the
files' ``flight``), and then lies in a segment. It leaves memory at the bound, once it is in a later place. So
what follows a position is looked for in memory, in the flight and in the segments, and what is in none of
them is told as a hole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from kernelway.host.journal_files import JournalFiles
from kernelway.host.journal_files import JournalLimits as JournalLimits
from kernelway.host.recent import Recent, up_to
from kernelway.host.segments import Kept as Kept
from kernelway.host.segments import Portion, Segment, find, newest_of, read
from kernelway.protocol.link_framing import (
    START,
    FrameKind,
    Hole,
    Position,
    encode_frame,
    encode_message_pieces,
)
from kernelway.protocol.message import Message, MessageId, SessionId
from kernelway.protocol.models import KernelId

log = logging.getLogger(__name__)

_GATHERED = 0.01
"""Seconds in which entries are gathered before they are handed to the thread that writes them."""

_LARGE_WAITS = 0.25
"""Seconds that a large entry waits alone: whoever reads it is to have the processors first."""

_EVERYBODY = SessionId("")


class Journal:
    """What one kernel sent and was asked, in order; positions count it from 1.

    It belongs to the event loop. Without ``files`` only memory is used, and what is dropped from it is gone.
    """

    def __init__(
        self,
        kernel_id: KernelId,
        limits: JournalLimits | None = None,
        files: JournalFiles | None = None,
        *,
        newest: Position = START,
    ) -> None:
        self.kernel_id = kernel_id
        self._limits = limits or JournalLimits()
        self._files = files
        self._recent = Recent(newest)
        self._ended = False
        self._landed: asyncio.Event | None = None
        self._sent = newest
        """What was handed over to be written."""
        self._sending = False
        """Whether a batch is being gathered or written."""
        self._gathering: asyncio.TimerHandle | None = None
        """What hands over a batch that is being gathered."""
        self._large_waits = False
        """Whether one large entry is in it."""
        self._behind = False
        """Whether there was more than the batch could take."""
        self._lost = 0
        """Entries that were dropped unwritten since a batch was written last."""

    @property
    def newest(self) -> Position:
        """The position of the newest entry; 0 where nothing was appended."""
        return self._recent.newest

    @property
    def oldest(self) -> Position:
        """The oldest position that is kept; the one after the newest where nothing is."""
        if self._files is not None:
            if self._files.segments:
                return self._files.segments[0].first
            if self._files.flight:
                return self._files.flight[0].position
        return self._recent.first

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return 0 if self._files is None else self._files.size

    @property
    def ended(self) -> bool:
        """Whether nothing more will be appended."""
        return self._ended

    # Appending

    def append(
        self, message: Message, *, kind: FrameKind = FrameKind.MESSAGE, session: SessionId = _EVERYBODY
    ) -> Position:
        """Take a message: number it, and make its frame. Never waits; not to be called after :meth:`end`."""
        assert not self._ended
        recent = self._recent
        position = Position(recent.newest + 1)
        frame, more = encode_message_pieces(kind, position, message)
        recent.append(Kept(position, kind, session, frame, more))
        if recent.size > self._limits.memory:
            self._shrink()
        if self._files is not None and (more or not self._sending):
            self._gather(large=bool(more))
        return position

    def end(self) -> None:
        """Nothing more will be appended."""
        self._ended = True
        self._shrink()

    def _gather(self, *, large: bool = False) -> None:
        """Hand over in a while what was appended; at once, where one large entry waits for another."""
        if self._sending and self._gathering is None:
            # One batch is being written; the next is gathered after it.
            return
        self._sending = True
        if self._gathering is not None:
            self._gathering.cancel()
        if large and self._large_waits:
            self._hand_over()
            return
        self._large_waits = large
        wait = _LARGE_WAITS if large else _GATHERED
        self._gathering = asyncio.get_running_loop().call_later(wait, self._hand_over)

    def _hand_over(self) -> None:
        assert self._files is not None
        self._gathering, self._large_waits = None, False
        after = max(self._sent, Position(self._recent.first - 1))
        batch = self._recent.after(after, self._limits.batch)
        assert batch, "Only what waits is handed over."
        self._sent = batch[-1].position
        self._behind = self._sent < self.newest
        self._files.write(batch, self._have_written)

    def _have_written(self) -> None:
        if self._lost:
            log.error("The journal of the kernel %s has lost %d messages.", self.kernel_id, self._lost)
            self._lost = 0
        self._shrink()
        if self._behind:
            self._hand_over()
            return
        self._sending = False
        if self._sent < self.newest:
            self._gather()
            return
        if self._landed is not None:
            self._landed.set()
            self._landed = None

    async def written(self) -> None:
        """Return once all that was appended is on disk, or was dropped."""
        while self._sending:
            if self._gathering is not None:
                self._gathering.cancel()
                self._hand_over()
            if self._landed is None:
                self._landed = asyncio.Event()
            await self._landed.wait()

    def _shrink(self) -> None:
        recent, files = self._recent, self._files
        if files is None:
            # A message that is larger than the bound is read from here, or nowhere.
            while recent.size > self._limits.memory and len(recent) > 1:
                recent.drop_first()
            return
        memory = 0 if self._ended else self._limits.memory
        while recent.size > memory and recent.first <= files.written and len(recent):
            recent.drop_first()
        # All that is here now waits for the disk, unless memory is within its bound.
        waiting = max(memory, self._limits.waiting)
        while recent.size > waiting and len(recent) > 1:
            if recent.first > self._sent:
                self._note_loss()
            recent.drop_first()

    def _note_loss(self) -> None:
        if not self._lost:
            log.error("The disk does not keep up with the kernel %s: its journal has a hole.", self.kernel_id)
        self._lost += 1

    # Reading

    def recent(self, after: Position, *, limit: int) -> Sequence[Kept] | None:
        """What follows a position in memory, up to ``limit`` bytes and the entry that passes it.

        Empty where nothing follows yet, None where the next is not in memory: see :meth:`read`.
        """
        return self._recent.after(after, limit)

    async def read(self, after: Position, *, limit: int) -> Sequence[Kept]:
        """What follows a position, wherever it is, up to ``limit`` bytes and the entry that passes it.

        Entries that are missing come as one HOLE, which is an entry too. Empty where nothing follows yet.
        """
        looked = after
        while (kept := self._at_hand(looked, limit)) is None:
            segment = None if self._files is None else self._files.segment_after(looked)
            if segment is None:
                looked = Position(self._next_at_hand(looked) - 1)
                continue
            part, last = segment.part(looked), segment.last
            portion = await asyncio.to_thread(read, part, looked, limit)
            self._learn(segment, portion)
            if portion.entries:
                kept = portion.entries
                break
            looked = last
        return self._with_holes(after, kept, looked)

    def _at_hand(self, after: Position, limit: int) -> Sequence[Kept] | None:
        kept = self._recent.after(after, limit)
        flight = () if self._files is None else self._files.flight
        if kept is None and flight and flight[0].position <= after + 1 <= flight[-1].position:
            return up_to(flight, after + 1 - flight[0].position, limit)
        return kept

    def _next_at_hand(self, after: Position) -> Position:
        flight = () if self._files is None else self._files.flight
        if flight and flight[0].position > after:
            return flight[0].position
        return self._recent.first

    def _learn(self, segment: Segment, portion: Portion) -> None:
        assert self._files is not None
        # What was dropped while it was read is no damage.
        if segment not in self._files.segments:
            return
        segment.learn(portion.marks)
        if portion.damage is not None and not segment.damaged:
            segment.damaged = True
            log.error("Some of the journal %s is lost: %s.", segment.path, portion.damage)

    def _with_holes(self, after: Position, kept: Sequence[Kept], looked: Position) -> Sequence[Kept]:
        if not kept:
            return [self._hole(after, Position(looked + 1))] if looked > after else []
        if kept[-1].position - after == len(kept):
            return kept
        told: list[Kept] = []
        before = after
        for entry in kept:
            if entry.position != before + 1:
                told.append(self._hole(before, entry.position))
            told.append(entry)
            before = entry.position
        return told

    def _hole(self, before: Position, following: Position) -> Kept:
        gone = self._recent.first - 1 if self._files is None else self._files.dropped_to
        if following <= gone + 1:
            reason = "These messages are no longer kept: the journal has reached its bound."
        else:
            reason = "These messages are lost: they could not be written to the disk, or not be read from it."
        told = msgspec.json.encode(Hole(reason, messages=following - before - 1))
        frame = encode_frame(FrameKind.HOLE, following, told)
        return Kept(Position(following - 1), FrameKind.HOLE, _EVERYBODY, frame)

    async def position_of(self, msg_id: MessageId) -> Position | None:
        """The newest entry whose header has the id; None where there is none."""
        entries = self._recent.all()
        flight = () if self._files is None else self._files.flight
        parts = [] if self._files is None else [each.part(START) for each in self._files.segments]
        for sought in (entries, flight):
            found = await asyncio.to_thread(newest_of, sought, msg_id)
            if found is not None:
                return found
        for part in reversed(parts):
            found = await asyncio.to_thread(find, part, msg_id)
            if found is not None:
                return found
        return None
