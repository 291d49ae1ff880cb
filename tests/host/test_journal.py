"""One journal: in memory alone, and with files."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.journal_talk import DEADLINE, fill, frame_of, missing_in, output, read_all

from kernelway.host.journal import Journal, JournalLimits
from kernelway.host.journals import Journals
from kernelway.protocol.link_framing import LARGE, START, FrameKind, Hole, Position, told_in
from kernelway.protocol.message import MessageId, SessionId
from kernelway.protocol.models import KernelId

ID = KernelId("kernel")

SMALL = JournalLimits(memory=20_000, waiting=80_000, segment=20_000, per_kernel=100_000, retry=0.01)


def opened(journals: Journals) -> Journal:
    return journals.open(ID, name="python3", started="2026-11-20T18:30:00.000000Z")


async def test_what_is_appended_is_numbered_and_read() -> None:
    journal = Journal(ID)
    assert (journal.newest, journal.oldest, journal.size) == (0, 1, 0)
    assert journal.recent(START, limit=100) == []
    messages = fill(journal, 3)
    assert (journal.newest, journal.oldest) == (3, 1)
    kept = journal.recent(Position(1), limit=1 << 20)
    assert kept is not None
    assert [each.frame for each in kept] == [frame_of(2, messages[1]), frame_of(3, messages[2])]


async def test_kind_and_session_are_kept() -> None:
    journal = Journal(ID)
    journal.append(output(1), kind=FrameKind.KEPT_REQUEST, session=SessionId("one"))
    (kept,) = await journal.read(START, limit=1)
    assert (kept.kind, kept.session, kept.position) == (FrameKind.KEPT_REQUEST, "one", 1)


async def test_memory_alone_drops_the_oldest_and_tells() -> None:
    journal = Journal(ID, SMALL)
    fill(journal, 100, 1_000)
    assert journal.recent(START, limit=1) is None
    told = await read_all(journal)
    assert missing_in(told) == set(range(1, journal.oldest))
    assert "no longer kept" in told_in(told[0].frame, Hole).reason
    assert 10 < len(told) < 20


async def test_a_message_larger_than_the_bounds_is_read_from_memory() -> None:
    journal = Journal(ID, SMALL)
    fill(journal, 1, 1_000_000)
    assert not missing_in(await read_all(journal))


async def test_a_journal_that_was_ended_says_so() -> None:
    journal = Journal(ID)
    fill(journal, 1)
    assert not journal.ended
    journal.end()
    assert journal.ended


async def test_the_newest_entry_with_an_id_is_found(tmp_path: Path) -> None:
    async with Journals(tmp_path / "journals", SMALL) as journals:
        journal = opened(journals)
        journal.append(output(1, msg_id="twice"))
        journal.append(output(2, msg_id="twice"))
        assert await journal.position_of(MessageId("twice")) == 2
        fill(journal, 40, 1_000)
        await journal.written()
        assert journal.recent(START, limit=1) is None
        assert await journal.position_of(MessageId("twice")) == 2
        assert await journal.position_of(MessageId("never")) is None


async def test_what_left_memory_is_read_from_disk(tmp_path: Path) -> None:
    async with Journals(tmp_path / "journals", SMALL) as journals:
        journal = opened(journals)
        messages = fill(journal, 40, 1_000)
        await journal.written()
        assert journal.recent(START, limit=1) is None
        told = await read_all(journal)
        assert [each.frame for each in told] == [frame_of(n, each) for n, each in enumerate(messages, 1)]
        assert journal.size > 40_000


async def test_at_the_bound_the_oldest_segments_go(tmp_path: Path) -> None:
    async with Journals(tmp_path / "journals", SMALL) as journals:
        journal = opened(journals)
        for _ in range(20):
            fill(journal, 20, 1_000)
            await journal.written()
            assert journal.size <= SMALL.per_kernel
        assert journal.oldest > 300
        assert missing_in(await read_all(journal)) == set(range(1, journal.oldest))
    on_disk = sum(path.stat().st_size for path in (tmp_path / "journals" / ID).glob("*.journal"))
    assert on_disk == journal.size


async def test_a_huge_message_goes_to_disk_and_out_of_memory(tmp_path: Path) -> None:
    async with Journals(tmp_path / "journals", SMALL) as journals:
        journal = opened(journals)
        fill(journal, 1, 5_000_000)
        assert journal.recent(START, limit=1)
        await journal.written()
        assert journal.recent(START, limit=1) is None
        fill(journal, 1)
        assert not missing_in(await read_all(journal))


async def test_a_large_message_waits_for_its_readers_and_not_for_another_large_one(tmp_path: Path) -> None:
    async with Journals(tmp_path / "journals", JournalLimits()) as journals:
        journal = opened(journals)
        fill(journal, 1, 2 * LARGE)
        fill(journal, 1)
        assert journal.size == 0
        fill(journal, 1, 2 * LARGE)
        assert journal.size > 4 * LARGE
        await journal.written()
        assert [each.position for each in await read_all(journal)] == [1, 2, 3]


async def test_a_disk_that_does_not_follow_makes_a_hole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Journals(tmp_path / "journals", SMALL) as journals:
        journal = opened(journals)
        fill(journal, 500, 1_000)
        await journal.written()
        told = await read_all(journal)
        assert len(missing_in(told)) > 400
        assert "could not be written" in told_in(told[0].frame, Hole).reason
        assert len(told) > 40
    assert f"the kernel {ID}: its journal has a hole" in caplog.text
    assert f"lost {len(missing_in(told))} messages" in caplog.text


async def test_a_removed_folder_is_a_hole_and_a_new_beginning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Journals(tmp_path / "journals", SMALL) as journals:
        journal = opened(journals)
        fill(journal, 40, 1_000)
        await journal.written()
        shutil.rmtree(tmp_path / "journals")
        assert missing_in(await read_all(journal))
        fill(journal, 40, 1_000)
        await journal.written()
        told = await read_all(journal)
        assert missing_in(told) == set(range(1, 41))
        assert journal.oldest == 41
        assert journals.trouble is None
    assert "changed by somebody else" in caplog.text


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("Only root can mount a small disk to fill.")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"A small disk to fill cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_is_told_and_taken_up_again(tiny_disk: Path) -> None:
    limits = JournalLimits(memory=50_000, waiting=200_000, segment=100_000, retry=0.01)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(900_000))
    async with Journals(tiny_disk / "journals", limits) as journals, asyncio.timeout(DEADLINE):
        journal = opened(journals)
        while journals.trouble is None:
            fill(journal, 10, 1_000)
            # The trouble is that of the thread that writes: it comes after some of its work.
            await asyncio.sleep(0.005)
        assert "No space left on device" in journals.trouble
        fill(journal, 100, 1_000)
        # What waits is read from memory.
        assert journal.recent(Position(journal.newest - 100), limit=1)
        await read_all(journal)
        fill(journal, 500, 1_000)
        ballast.unlink()
        await journal.written()
        told = await read_all(journal)
        lost = missing_in(told)
        assert 300 < len(lost) < 600
        assert 1 not in lost
        assert journal.newest not in lost
        fill(journal, 10, 1_000)
        await journal.written()
        assert missing_in(await read_all(journal)) == lost
    assert journals.trouble is None
