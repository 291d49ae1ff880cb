"""One journal's segments on disk: what is written, what makes room, and what others did to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.host.journal_talk import DEADLINE, frame_of, output

from kernelway.host.journal_files import JournalFiles, JournalLimits, remove
from kernelway.host.segments import Kept, read, record_size
from kernelway.host.spill import Spill
from kernelway.protocol.link_framing import START, FrameKind, Position
from kernelway.protocol.message import SessionId

LIMITS = JournalLimits(segment=5_000, retry=0.01)


def batch(first: int, count: int = 3, size: int = 1_000) -> list[Kept]:
    numbers = range(first, first + count)
    return [
        Kept(Position(n), FrameKind.MESSAGE, SessionId(""), frame_of(n, output(n, size))) for n in numbers
    ]


def nothing() -> None:
    pass


@pytest.fixture
async def spill(tmp_path: Path) -> AsyncIterator[Spill]:
    made = Spill(tmp_path, retry=LIMITS.retry)
    made.start()
    yield made
    assert await made.stop(DEADLINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "kernel"


def files_in(
    folder: Path, spill: Spill, limits: JournalLimits = LIMITS, *, room: Callable[[], None] = nothing
) -> JournalFiles:
    return JournalFiles(folder, spill, limits, make_room=room)


async def write(files: JournalFiles, entries: list[Kept]) -> None:
    done = asyncio.Event()
    files.write(entries, done.set)
    await asyncio.wait_for(done.wait(), DEADLINE)


@contextmanager
def held_up(spill: Spill) -> Iterator[None]:
    """The thread writes nothing within the block."""
    go_on = threading.Event()

    def wait() -> Callable[[], None]:
        go_on.wait(DEADLINE)
        return nothing

    spill.do(wait)
    try:
        yield
    finally:
        go_on.set()


def entries_of(files: JournalFiles) -> list[Kept]:
    return [each for segment in files.segments for each in read(segment.part(START), START, 1 << 30).entries]


def firsts(files: JournalFiles) -> list[int]:
    return [segment.first for segment in files.segments]


async def test_a_batch_is_in_flight_until_it_is_written(folder: Path, spill: Spill) -> None:
    files, entries = files_in(folder, spill), batch(1)
    coming, done = sum(map(record_size, entries)), asyncio.Event()
    assert (files.size, files.written, files.segment_after(START)) == (0, START, None)
    with held_up(spill):
        files.write(entries, done.set)
        assert (files.flight, files.size, files.written) == (entries, coming, START)
    await asyncio.wait_for(done.wait(), DEADLINE)
    assert (files.flight, files.size, files.written) == ((), coming, 3)
    assert files.segments[0].path.stat().st_size == coming
    assert entries_of(files) == entries


async def test_a_full_segment_is_followed_by_another(folder: Path, spill: Spill) -> None:
    files = files_in(folder, spill)
    for first in (1, 4, 7, 10):
        await write(files, batch(first))
    assert firsts(files) == [1, 7]
    assert entries_of(files) == batch(1, 12)
    after = [files.segment_after(Position(n)) for n in (0, 5, 6, 11, 12)]
    assert after == [files.segments[0]] * 2 + [files.segments[1]] * 2 + [None]


async def test_at_the_bound_the_oldest_goes_before_the_next_is_written(folder: Path, spill: Spill) -> None:
    files = files_in(folder, spill, JournalLimits(segment=1, per_kernel=8_000))
    for first in (1, 4, 7):
        await write(files, batch(first))
    await asyncio.wait_for(spill.idle(), DEADLINE)
    assert (firsts(files), files.dropped_to) == ([4, 7], 3)
    assert sorted(folder.iterdir()) == [segment.path for segment in files.segments]
    assert files.size <= 8_000


async def test_the_segment_that_is_being_written_makes_no_room(folder: Path, spill: Spill) -> None:
    asked: list[tuple[int, float | None]] = []
    files = files_in(folder, spill, room=lambda: asked.append((files.size, files.oldest_touched)))
    await write(files, batch(1))
    touched = files.segments[0].touched
    assert files.oldest_touched == touched
    done = asyncio.Event()
    with held_up(spill):
        files.write(batch(4), done.set)
        assert files.oldest_touched is None
    await asyncio.wait_for(done.wait(), DEADLINE)
    # What is about to be written counts when the host is asked for room.
    assert asked == [(files.size // 2, None), (files.size, touched)]


@pytest.mark.parametrize("gone", [True, False], ids=["removed", "cut"])
async def test_what_somebody_else_did_to_a_segment_costs_no_new_entry(
    folder: Path, spill: Spill, caplog: pytest.LogCaptureFixture, gone: bool
) -> None:
    files = files_in(folder, spill, JournalLimits(segment=1 << 20))
    await write(files, batch(1))
    path = files.segments[0].path
    path.unlink() if gone else path.write_bytes(b"")
    await write(files, batch(4))
    await write(files, batch(7))
    assert firsts(files) == ([4] if gone else [1, 4])
    assert entries_of(files) == batch(4, 6)
    assert caplog.text.count("was changed by somebody else") == 1


async def test_nothing_is_written_once_all_is_dropped(folder: Path, spill: Spill) -> None:
    files, done = files_in(folder, spill), asyncio.Event()
    await write(files, batch(1))
    with held_up(spill):
        files.write(batch(4), done.set)
        files.drop_all()
        assert files.segments == []
    await asyncio.wait_for(done.wait(), DEADLINE)
    await write(files, batch(7))
    await asyncio.wait_for(spill.idle(), DEADLINE)
    assert (files.size, files.segments, folder.exists()) == (0, [], False)
    remove(folder)


async def test_what_was_found_is_gone_on_with(folder: Path, spill: Spill) -> None:
    before = files_in(folder, spill)
    await write(before, batch(5))
    files = JournalFiles(folder, spill, LIMITS, make_room=nothing, segments=before.segments)
    assert (files.written, files.dropped_to, files.size) == (7, 4, before.size)
    await write(files, batch(8))
    assert firsts(files) == [5]
    assert entries_of(files) == batch(5, 6)
