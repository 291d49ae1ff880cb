"""What a journal has on disk, and what is on its way there."""

from __future__ import annotations

import logging
import shutil
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelway.host.segments import Kept, Segment, SegmentGone, Written, append, record_size, segment_name
from kernelway.host.spill import Spill
from kernelway.protocol.link_framing import START, Position

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """How much is kept, in bytes, and for how long, in seconds."""

    memory: int = 4 << 20
    """Of a kernel's newest entries, beside what waits for the disk."""
    waiting: int = 128 << 20
    """Of a kernel's entries that wait for the disk; what passes it is lost, from the oldest."""
    segment: int = 8 << 20
    """After which the next one is begun."""
    per_kernel: int = 256 << 20
    """On disk."""
    per_host: int = 4 << 30
    """On disk."""
    keep_ended: float = 86400.0
    """After a kernel's end."""
    retry: float = 1.0
    """Until a disk that failed is tried again."""

    @property
    def batch(self) -> int:
        """Bytes written at a time, if one message alone is not more."""
        return max(1, self.segment)


class JournalFiles:
    """The segments of one journal, oldest first, and one batch of entries that follows them.

    All of this belongs to the event loop; files are touched in the spill's thread alone. A batch that
    cannot be written stays until it can.
    """

    def __init__(
        self,
        folder: Path,
        spill: Spill,
        limits: JournalLimits,
        *,
        make_room: Callable[[], None],
        segments: Sequence[Segment] = (),
    ) -> None:
        self.folder = folder
        self.segments = list(segments)
        self.flight: Sequence[Kept] = ()
        """The batch that is being written."""
        self.written: Position = self.segments[-1].last if self.segments else START
        """All up to here is on disk, or has been, or never will be."""
        self.dropped_to = Position(self.segments[0].first - 1) if self.segments else START
        """All up to here has gone to make room."""
        self._spill = spill
        self._limits = limits
        self._make_room = make_room
        self._target: Segment | None = None
        self._coming = 0
        self.dropped = False
        """Whether nothing is to be written any more; the thread reads this too."""

    @property
    def size(self) -> int:
        """Bytes on disk, with those that are being written."""
        return sum(segment.size for segment in self.segments) + self._coming

    # Writing

    def write(self, batch: Sequence[Kept], done: Callable[[], None]) -> None:
        """Begin to write entries, then call ``done``; not to be called again before that.

        Where there is no room for them, the oldest segments go first: of this journal at its bound, of all
        at the host's.
        """
        self.flight = batch
        self._coming = sum(map(record_size, batch))
        while self.size > self._limits.per_kernel and self.oldest_touched is not None:
            self.drop_oldest()
        self._make_room()
        self._target = target = self._segment_for(batch[0].position)
        path, offset = target.path, target.size

        def work() -> Callable[[], None]:
            if self.dropped:
                return lambda: self._land(done)
            try:
                written = append(path, offset, batch, time.time())
            except SegmentGone:
                return lambda: self._look_again(batch, done)
            return lambda: self._have(target, written, batch, done)

        self._spill.do(work)

    def _segment_for(self, first: Position) -> Segment:
        if self.segments and self.segments[-1].size < self._limits.segment and not self.segments[-1].closed:
            return self.segments[-1]
        return Segment(self.folder / segment_name(first), first, first)

    def _have(
        self, target: Segment, written: Written, batch: Sequence[Kept], done: Callable[[], None]
    ) -> None:
        if not target.size:
            self.segments.append(target)
        target.size = written.size
        target.last = self.written = batch[-1].position
        target.touched = time.time()
        target.marks += written.marks
        self._land(done)

    def _land(self, done: Callable[[], None]) -> None:
        self._target = None
        self._coming = 0
        self.flight = ()
        if self.dropped:
            self.segments.clear()
        done()

    def _look_again(self, batch: Sequence[Kept], done: Callable[[], None]) -> None:
        # Somebody removed or cut the file: what is left stays, and a new segment is begun.
        log.error("The journal in %s was changed by somebody else: some of it is gone.", self.folder)
        paths = [segment.path for segment in self.segments]

        def work() -> Callable[[], None]:
            gone = {path for path in paths if not path.exists()}
            return lambda: self._begin_anew(gone, batch, done)

        self._spill.do(work)

    def _begin_anew(self, gone: set[Path], batch: Sequence[Kept], done: Callable[[], None]) -> None:
        self._target = None
        self.segments = [segment for segment in self.segments if segment.path not in gone]
        for segment in self.segments:
            segment.closed = True
        self.write(batch, done)

    # Reading

    def segment_after(self, position: Position) -> Segment | None:
        """The first segment that may have something after a position."""
        index = bisect_left(self.segments, position + 1, key=lambda segment: segment.last)
        return self.segments[index] if index < len(self.segments) else None

    # Dropping

    @property
    def oldest_touched(self) -> float | None:
        """When the oldest segment was last written; None where there is none that can be dropped."""
        if not self.segments or self.segments[0] is self._target:
            return None
        return self.segments[0].touched

    def drop_oldest(self) -> None:
        """Delete the oldest segment."""
        segment = self.segments.pop(0)
        self.dropped_to = segment.last
        path = segment.path

        def work() -> Callable[[], None]:
            path.unlink(missing_ok=True)
            return _nothing

        self._spill.do(work)

    def drop_all(self) -> None:
        """Delete everything; nothing is written any more."""
        self.dropped = True
        self.segments.clear()

        def work() -> Callable[[], None]:
            remove(self.folder)
            return _nothing

        self._spill.do(work)


def remove(folder: Path) -> None:
    """Delete a journal's folder, if it is there; OSError where it cannot be."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return


def _nothing() -> None:
    pass
