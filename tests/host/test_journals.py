"""All journals of a host: what outlives it, what is kept of ended kernels, and the bounds."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest
from tests.host.journal_talk import DEADLINE, fill, missing_in, read_all

from kernelway.host.journals import JournalLimits, Journals
from kernelway.protocol.link_framing import START, Position
from kernelway.protocol.models import EndedSession, KernelId, RestSessionId

ONE = KernelId("one")
TWO = KernelId("two")
STARTED = "2026-11-20T18:30:00.000000Z"
LIMITS = JournalLimits(memory=10_000, segment=20_000, retry=0.01)
SESSIONS = [EndedSession(id=RestSessionId("s"), path="a.py", name="a.py", type="console")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journals"


async def test_an_ended_kernel_is_listed_and_read(folder: Path) -> None:
    async with Journals(folder, LIMITS) as journals:
        journal = journals.open(ONE, name="python3", started=STARTED)
        journals.note_sessions(ONE, SESSIONS)
        fill(journal, 30, 1_000)
        assert journals.ended() == []
        assert journals.find_ended(ONE) is None
        journals.end(ONE, reason="It was told to.")
        journals.end(ONE, reason="Once more.")
        (kernel,) = journals.ended()
        assert (kernel.id, kernel.name, kernel.started) == (ONE, "python3", STARTED)
        assert (kernel.reason, kernel.sessions) == ("It was told to.", SESSIONS)
        found = journals.find_ended(ONE)
        assert found is not None
        assert found[0] is journal
        assert len(await read_all(journal)) == 30
        await journal.written()
        # What is on disk is not kept in memory too.
        assert journal.recent(Position(29), limit=1) is None
        assert len(await read_all(journal)) == 30


async def test_it_is_the_same_after_a_restart(folder: Path) -> None:
    async with Journals(folder, LIMITS) as journals:
        for kernel_id in (ONE, TWO):
            journal = journals.open(kernel_id, name="python3", started=STARTED)
            journals.note_sessions(kernel_id, SESSIONS)
            fill(journal, 30, 1_000)
            journals.end(kernel_id, reason="It was told to.")
        await journal.written()
        before = journals.ended()
        told = await read_all(journal)
    async with Journals(folder, LIMITS) as journals:
        after = journals.ended()
        assert [each.id for each in after] == [TWO, ONE]
        assert msgspec.structs.replace(after[0], size=before[0].size) == before[0]
        found = journals.find_ended(TWO)
        assert found is not None
        assert found[0].ended
        assert (found[0].newest, found[0].oldest) == (30, 1)
        assert await read_all(found[0]) == told


async def test_kernels_of_a_host_that_stops_have_ended(folder: Path) -> None:
    async with Journals(folder, LIMITS) as journals:
        fill(journals.open(ONE, name="python3", started=STARTED), 5)
    async with Journals(folder, LIMITS) as journals:
        (kernel,) = journals.ended()
        assert kernel.reason == "The host that ran it was stopped."


async def test_kernels_of_a_host_that_was_killed_have_ended(folder: Path, tmp_path: Path) -> None:
    async with Journals(folder, LIMITS) as journals:
        journal = journals.open(ONE, name="python3", started=STARTED)
        journals.note_sessions(ONE, SESSIONS)
        fill(journal, 5)
        await journal.written()
        await _all_done(journals)
        shutil.copytree(folder, tmp_path / "left")
    for _ in range(2):
        async with Journals(tmp_path / "left", LIMITS) as journals:
            (kernel,) = journals.ended()
            assert kernel.reason == "The host that ran it was killed, or its machine restarted."
            assert kernel.sessions == SESSIONS
            found = journals.find_ended(ONE)
            assert found is not None
            assert len(await read_all(found[0])) == 5


async def _all_done(journals: Journals) -> None:
    """Return once the disk has been told all there is."""
    assert journals._spill is not None
    await asyncio.wait_for(journals._spill.idle(), DEADLINE)


def _called(owner: object, name: str, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """An event that is set when a method has been called."""
    method, called = getattr(owner, name), asyncio.Event()

    def call(*arguments: object) -> None:
        method(*arguments)
        called.set()

    monkeypatch.setattr(owner, name, call)
    return called


async def test_a_lost_record_does_not_lose_the_journal(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Journals(folder, LIMITS) as journals:
        fill(journals.open(ONE, name="python3", started=STARTED), 5)
    (folder / ONE / "record.json").write_text("{")
    async with Journals(folder, LIMITS) as journals:
        found = journals.find_ended(ONE)
        assert found is not None
        assert len(await read_all(found[0])) == 5
    assert "The record of the journal" in caplog.text


async def test_a_damaged_segment_is_a_hole_and_one_line_in_the_log(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Journals(folder, LIMITS) as journals:
        journal = journals.open(ONE, name="python3", started=STARTED)
        for _ in range(10):
            fill(journal, 10, 1_000)
            await journal.written()
    second = sorted((folder / ONE).glob("*.journal"))[1]
    content = second.read_bytes()
    second.write_bytes(content[:2_000] + b"no record at all" + content[2_016:])
    async with Journals(folder, LIMITS) as journals:
        found = journals.find_ended(ONE)
        assert found is not None
        for _ in range(2):
            assert len(missing_in(await read_all(found[0]))) == 1
    assert caplog.text.count("Some of the journal") == 1


async def test_an_ended_journal_is_kept_for_a_while(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = JournalLimits(keep_ended=0.2)
    async with Journals(folder, short) as journals:
        journal = journals.open(ONE, name="python3", started=STARTED)
        fill(journal, 5)
        forgotten = _called(journals, "_forget", monkeypatch)
        journals.end(ONE, reason="It was told to.")
        assert len(journals.ended()) == 1
        await asyncio.wait_for(forgotten.wait(), DEADLINE)
        await _all_done(journals)
        assert (journals.ended(), (folder / ONE).exists()) == ([], False)
        assert journals.find_ended(ONE) is None
    async with Journals(folder, LIMITS) as journals:
        fill(journals.open(TWO, name="python3", started=STARTED), 5)
    async with Journals(folder, JournalLimits(keep_ended=0.0)) as journals:
        assert journals.ended() == []
    assert not (folder / TWO).exists()


async def test_a_kernel_that_said_nothing_leaves_nothing(folder: Path) -> None:
    async with Journals(folder, LIMITS) as journals:
        journals.open(ONE, name="python3", started=STARTED)
        journals.open(TWO, name="python3", started=STARTED)
        journals.end(ONE, reason="It was told to.")
        assert journals.ended() == []
    assert list(folder.iterdir()) == []


async def test_at_the_hosts_bound_the_oldest_segments_of_all_go(folder: Path) -> None:
    limits = JournalLimits(memory=10_000, segment=20_000, per_host=100_000)
    async with Journals(folder, limits) as journals:
        one = journals.open(ONE, name="python3", started=STARTED)
        two = journals.open(TWO, name="python3", started=STARTED)
        fill(one, 40, 1_000)
        await one.written()
        journals.end(ONE, reason="It was told to.")
        for _ in range(3):
            fill(two, 20, 1_000)
            await two.written()
        assert one.oldest > 1
        assert two.oldest == 1
        for _ in range(10):
            fill(two, 20, 1_000)
            await two.written()
            assert one.size + two.size <= 100_000
        assert (one.size, one.oldest) == (0, 41)
        assert missing_in(await read_all(one)) == set(range(1, 41))
        assert two.oldest > 1
    on_disk = sum(path.stat().st_size for path in folder.glob("*/*.journal"))
    assert on_disk <= 100_000


async def test_without_a_folder_nothing_outlives_a_kernel() -> None:
    async with Journals(None, LIMITS) as journals:
        journal = journals.open(ONE, name="python3", started=STARTED)
        fill(journal, 5)
        journals.note_sessions(ONE, SESSIONS)
        journals.end(ONE, reason="It was told to.")
        assert journal.ended
        assert journals.ended() == []
        assert journals.find_ended(ONE) is None
        assert journals.trouble is None
        assert len(await read_all(journal, START)) == 5


async def test_a_folder_that_cannot_be_made_costs_the_disk_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "file" / "journals"
    place.parent.write_text("in the way")
    async with Journals(place, LIMITS) as journals, asyncio.timeout(DEADLINE):
        told = _called(journals._spill, "_note", monkeypatch)
        journal = journals.open(ONE, name="python3", started=STARTED)
        fill(journal, 5)
        await told.wait()
        assert journals.trouble is not None
        assert "Not a directory" in journals.trouble
        assert len(await read_all(journal)) == 5
