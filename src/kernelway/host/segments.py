"""A journal's entries, and how they lie on disk: in segments, files that are only appended to.

A segment is named by the position of its first entry, and holds one record after the other. A record, all of
it little-endian::

    u64  bytes of what follows the checksum
    u32  CRC-32 of what follows
    u64  position
    f64  when it was written, seconds since 1970
    u8   kind, a FrameKind
    u32  bytes of the session
    …    the session, UTF-8
    …    the frame

Positions rise within a segment and from each to the next. Where some are left out, their entries were never
written. Everything here runs in threads; nothing here knows of an event loop.
"""

from __future__ import annotations

import itertools
import json
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from kernelway.protocol.errors import FrameError
from kernelway.protocol.link_framing import LARGE, START, FrameKind, Position, message_in
from kernelway.protocol.message import Buffer, MessageId, SessionId

SUFFIX: Final = ".journal"

_PREFIX: Final = struct.Struct("<QI")
_BODY: Final = struct.Struct("<QdBI")

_POSITION: Final = struct.Struct("<Q")

_KINDS: Final = {kind.value: kind for kind in (FrameKind.MESSAGE, FrameKind.KEPT_REQUEST)}

_CHUNK: Final = 1 << 18
"""Bytes read at a time: the interpreter's lock is free in between."""

_APART: Final = 1 << 16
"""Bytes between the places that are remembered in a segment."""

_SEARCHED: Final = 16 << 20
"""Bytes behind a damaged record in which the next one is looked for."""

_CANDIDATES: Final = 1 << 17
"""Places that are looked at for it."""

_TOGETHER: Final = 256
"""Entries written by one call; two buffers each are fewer than any system's IOV_MAX."""

_MOST_BUFFERS: Final = 1024
"""Linux's IOV_MAX; the pieces of one message may be more."""


class Kept(msgspec.Struct, frozen=True, gc=False):
    """An entry of a journal: a MESSAGE, a KEPT_REQUEST, or a HOLE where entries are missing."""

    position: Position
    """Of a hole: the last that is missing, so that reading goes on after it."""
    kind: FrameKind
    session: SessionId
    """Who may see it; empty means everybody."""
    frame: bytes
    """As clients get it; of a large one, its beginning with the message's header."""
    more: tuple[Buffer, ...] = ()
    """What follows the beginning of a large one."""

    @property
    def size(self) -> int:
        """Bytes of all of the frame."""
        if not self.more:
            return len(self.frame)
        return len(self.frame) + sum(memoryview(piece).nbytes for piece in self.more)

    @property
    def whole(self) -> bytes:
        """All of the frame; of a large one, a copy."""
        return b"".join((self.frame, *self.more)) if self.more else self.frame


@dataclass(frozen=True, slots=True)
class Mark:
    """Where in a segment the record of a position begins."""

    position: Position
    offset: int


@dataclass(slots=True, eq=False)
class Segment:
    """One file. Only the event loop changes this, and threads are given a :class:`Part` of it."""

    path: Path
    first: Position
    last: Position
    size: int = 0
    touched: float = 0.0
    """When it was last written, seconds since 1970."""
    marks: list[Mark] = field(default_factory=list)
    """Rising; a segment from before a restart gets them when it is read."""
    damaged: bool = False
    """Whether it was told that something in it cannot be read."""
    closed: bool = False
    """Whether nothing is appended to it any more, whatever its size."""

    def part(self, after: Position) -> Part:
        """What is to be read to find what follows a position."""
        marks = self.marks or [Mark(self.first, 0)]
        index = max(0, bisect_right(marks, after + 1, key=lambda mark: mark.position) - 1)
        return Part(self.path, self.size, tuple(marks[index:]))

    def learn(self, marks: Sequence[Mark]) -> None:
        """Remember places that reading passed."""
        for mark in marks:
            if not self.marks or mark.offset >= self.marks[-1].offset + _APART:
                self.marks.append(mark)


@dataclass(frozen=True, slots=True)
class Part:
    """A segment from its first mark to an offset."""

    path: Path
    end: int
    marks: tuple[Mark, ...]


@dataclass(slots=True)
class Portion:
    """What was read of a segment."""

    entries: list[Kept] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    damage: str | None = None
    """What could not be read, in a part of a sentence."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch added to a segment."""

    size: int
    """Of the segment, now."""
    marks: list[Mark]


class SegmentGone(Exception):
    """The file to append to is not there, or shorter than it was."""


def segment_name(first: Position) -> str:
    """Names sort as positions do."""
    return f"{first:020}{SUFFIX}"


# Writing


def append(path: Path, offset: int, entries: Sequence[Kept], moment: float) -> Written:
    """Write entries at the end of a segment, which is at ``offset``; at 0 a new one is made.

    What a failed attempt left after ``offset`` is cut off. Raises OSError, and :class:`SegmentGone`.
    """
    if not offset:
        make_folder(path.parent)
    descriptor = _open_end(path, offset)
    try:
        marks: list[Mark] = []
        marked = offset - _APART
        for index in range(0, len(entries), _TOGETHER):
            buffers: list[Buffer] = []
            for entry in entries[index : index + _TOGETHER]:
                if offset - marked >= _APART:
                    marks.append(Mark(entry.position, offset))
                    marked = offset
                head = _head_of(entry, moment)
                offset += len(head) + entry.size
                buffers += (head, entry.frame, *entry.more)
            _write(descriptor, buffers)
        return Written(offset, marks)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a journal's folder, and that of all journals; nobody else may look into them."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _open_end(path: Path, offset: int) -> int:
    flags = os.O_WRONLY | os.O_CLOEXEC | (0 if offset else os.O_CREAT)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        if not offset:
            raise
        raise SegmentGone from None
    try:
        size = os.fstat(descriptor).st_size
        if size < offset:
            raise SegmentGone
        if size > offset:
            os.ftruncate(descriptor, offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _head_of(entry: Kept, moment: float) -> bytes:
    session = entry.session.encode("utf-8", "surrogatepass") if entry.session else b""
    body = _BODY.pack(entry.position, moment, entry.kind, len(session)) + session
    checksum = zlib.crc32(entry.frame, zlib.crc32(body))
    for piece in entry.more:
        checksum = zlib.crc32(piece, checksum)
    return _PREFIX.pack(len(body) + entry.size, checksum) + body


def _write(descriptor: int, buffers: Sequence[Buffer]) -> None:
    left = list(buffers)
    while left:
        written = os.writev(descriptor, left[:_MOST_BUFFERS])
        index = 0
        while index < len(left) and written >= len(left[index]):
            written -= len(left[index])
            index += 1
        del left[:index]
        if left and written:
            left[0] = memoryview(left[0])[written:]


# Reading


def read(part: Part, after: Position, limit: int) -> Portion:
    """The entries after a position, up to ``limit`` bytes and the entry that passes it; never an error."""
    portion = Portion()
    try:
        descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        portion.damage = f"it cannot be read: {error.strerror}"
        return portion
    try:
        _read(descriptor, part, after, limit, portion)
    except OSError as error:
        portion.damage = f"it cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)
    return portion


def _read(descriptor: int, part: Part, after: Position, limit: int, portion: Portion) -> None:
    damage: list[int] = []
    marked = -_APART
    for start, entry in _records(descriptor, part, damage):
        if start - marked >= _APART:
            portion.marks.append(Mark(entry.position, start))
            marked = start
        if entry.position <= after:
            continue
        portion.entries.append(entry)
        limit -= entry.size
        if limit <= 0:
            break
    if damage:
        portion.damage = f"it is damaged at byte {damage[0]}"


class _Window:
    """A part of a file that moves forward."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self.data = b""
        self._descriptor = descriptor
        self._start = start
        self._end = end

    def find(self, offset: int, length: int) -> int | None:
        """Where in ``data`` so many bytes from an offset begin; None where the file does not have them."""
        if offset + length > self._end:
            return None
        index = offset - self._start
        if index + length > len(self.data):
            self._move(index, length)
            index = 0
        return index if len(self.data) >= index + length else None

    def _move(self, index: int, length: int) -> None:
        pieces = [self.data[index:]]
        self._start += index
        have = len(pieces[0])
        wanted = min(max(length, _CHUNK), self._end - self._start)
        while have < wanted:
            piece = os.pread(self._descriptor, wanted - have, self._start + have)
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        self.data = b"".join(pieces)


def _records(descriptor: int, part: Part, damage: list[int]) -> Iterator[tuple[int, Kept]]:
    """The records of a part, with their offsets.

    Where there is none, the offset is added to ``damage`` and the next one that can be found is looked for.
    """
    window = _Window(descriptor, part.marks[0].offset, part.end)
    offset = part.marks[0].offset
    last = Position(part.marks[0].position - 1)
    while offset < part.end:
        found = _record_at(window, offset)
        if found is not None and found[0].position > last:
            entry, length = found
            yield offset, entry
            last = entry.position
            offset += length
            continue
        damage.append(offset)
        following = _resume(descriptor, part, offset, last)
        if following is None:
            return
        offset = following
        window = _Window(descriptor, offset, part.end)


def _record_at(window: _Window, offset: int) -> tuple[Kept, int] | None:
    """The entry of the record at an offset, and the record's bytes; None where there is none."""
    index = window.find(offset, _PREFIX.size)
    if index is None:
        return None
    length, checksum = _PREFIX.unpack_from(window.data, index)
    index = window.find(offset + _PREFIX.size, length)
    if index is None or length < _BODY.size:
        return None
    if zlib.crc32(memoryview(window.data)[index : index + length]) != checksum:
        return None
    entry = _entry_in(window.data, index, index + length)
    return None if entry is None else (entry, _PREFIX.size + length)


def _resume(descriptor: int, part: Part, bad: int, last: Position) -> int | None:
    """Where the next record begins after one that is damaged, which may have any length."""
    marked = next((mark.offset for mark in part.marks if mark.offset > bad), part.end)
    data = os.pread(descriptor, min(marked - bad, _SEARCHED), bad)
    # Positions near the last one begin with the same bytes, which come last in the file.
    same = _POSITION.pack(last + 1)[2:]
    index = _PREFIX.size + 2
    for _ in range(_CANDIDATES):
        index = data.find(same, index + 1)
        if index < 0 or index + 6 > len(data):
            break
        start = index - 2 - _PREFIX.size
        (position,) = _POSITION.unpack_from(data, index - 2)
        (length,) = _POSITION.unpack_from(data, start)
        if position > last and _BODY.size <= length <= part.end - bad - start - _PREFIX.size:
            window = _Window(descriptor, bad + start, part.end)
            if _record_at(window, bad + start) is not None:
                return bad + start
    return marked if marked < part.end else None


def _entry_in(data: bytes, start: int, end: int) -> Kept | None:
    position, _, kind, length = _BODY.unpack_from(data, start)
    start += _BODY.size
    if kind not in _KINDS or start + length > end:
        return None
    session = data[start : start + length].decode("utf-8", "surrogatepass") if length else ""
    start += length
    # A large frame is not copied once more.
    cut = min(end, start + LARGE)
    more = (memoryview(data)[cut:end],) if cut < end else ()
    return Kept(Position(position), _KINDS[kind], SessionId(session), data[start:cut], more)


# Finding


def newest_of(entries: Sequence[Kept], msg_id: MessageId) -> Position | None:
    """The last of the entries whose header has the id."""
    needle = _needle(msg_id)
    for entry in reversed(entries):
        if needle in entry.frame and _is(entry, msg_id):
            return entry.position
    return None


def find(part: Part, msg_id: MessageId) -> Position | None:
    """The last entry of a segment whose header has the id; None too where the segment cannot be read."""
    needle = _needle(msg_id)
    try:
        descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    found = None
    try:
        if not _contains(descriptor, part.end, needle):
            return None
        for _, entry in _records(descriptor, part, []):
            if needle in entry.frame and _is(entry, msg_id):
                found = entry.position
    except OSError:
        # Reading tells of it.
        return found
    finally:
        os.close(descriptor)
    return found


def _needle(msg_id: MessageId) -> bytes:
    # An id that JSON may write in several ways is looked for by reading every header.
    plain = msg_id.isascii() and json.dumps(msg_id) == f'"{msg_id}"' and "/" not in msg_id
    return msg_id.encode("ascii") if plain and "\x7f" not in msg_id else b""


def _is(entry: Kept, msg_id: MessageId) -> bool:
    try:
        return message_in(entry.whole).read_header().msg_id == msg_id
    except FrameError:
        return False


def _contains(descriptor: int, end: int, needle: bytes) -> bool:
    before = b""
    offset = 0
    while offset < end:
        piece = os.pread(descriptor, min(_CHUNK, end - offset), offset)
        if not piece:
            return False
        if needle in before + piece:
            return True
        before = piece[-len(needle) :]
        offset += len(piece)
    return False


# After a restart


def segments_in(folder: Path) -> list[Segment]:
    """The segments of a folder, by their names and sizes alone; OSError where it cannot be listed."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        status = path.stat()
        if name.isdecimal() and int(name) and status.st_size:
            first = Position(int(name))
            found.append(Segment(path, first, first, status.st_size, status.st_mtime))
    for segment, following in itertools.pairwise(found):
        segment.last = Position(following.first - 1)
    return found


def cut_tail(segment: Segment) -> int:
    """Find the last entry of a journal's last segment, and cut off what follows it: so many bytes.

    ``segment`` is changed. A segment without any whole record at its beginning ends before it begins.
    """
    descriptor = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
    try:
        last, end = Position(segment.first - 1), 0
        for offset, entry in _records(descriptor, segment.part(START), []):
            segment.learn([Mark(entry.position, offset)])
            last, end = entry.position, offset + record_size(entry)
        torn = segment.size - end
        if torn:
            os.ftruncate(descriptor, end)
        segment.last, segment.size = last, end
        return torn
    finally:
        os.close(descriptor)


def record_size(entry: Kept) -> int:
    """Bytes of an entry on disk."""
    session = len(entry.session.encode("utf-8", "surrogatepass")) if entry.session else 0
    return _PREFIX.size + _BODY.size + session + entry.size
