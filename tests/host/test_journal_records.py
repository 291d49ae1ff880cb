"""What a host finds of the journals that were left, whatever state they are in."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from tests.host.journal_talk import frame_of, output

from kernelway.host.journal_records import Record, find_journals, write_record
from kernelway.host.segments import Kept, append, segment_name
from kernelway.protocol.errors import ConfigError
from kernelway.protocol.link_framing import FrameKind, Position
from kernelway.protocol.message import SessionId
from kernelway.protocol.models import EndedSession, KernelId, RestSessionId

DAY = 86400.0

SESSIONS = [EndedSession(id=RestSessionId("s"), path="a.py", name="a.py", type="console")]

RUNNING = Record(KernelId("one"), "python3", "2026-11-20T18:30:00.000000Z", SESSIONS)


def ended(*, ago: float = 0.0, newest: int = 3) -> Record:
    return msgspec.structs.replace(
        RUNNING,
        ended="2026-11-20T19:30:00.000000Z",
        reason="It was told to.",
        noted=time.time() - ago,
        newest=Position(newest),
    )


def write_segment(folder: Path, first: int = 1, count: int = 3) -> Path:
    path = folder / segment_name(Position(first))
    numbers = range(first, first + count)
    kept = [Kept(Position(n), FrameKind.MESSAGE, SessionId(""), frame_of(n, output(n))) for n in numbers]
    append(path, 0, kept, 1.0)
    return path


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    return tmp_path / "journals"


@pytest.fixture
def one(journals: Path) -> Path:
    """The folder of a journal with two segments."""
    write_segment(journals / "one")
    write_segment(journals / "one", first=4)
    return journals / "one"


def test_a_record_is_the_owners_alone_and_replaces_the_one_before(journals: Path) -> None:
    for record in (RUNNING, ended()):
        write_record(journals / "one", record)
        (path,) = (journals / "one").iterdir()
        assert msgspec.json.decode(path.read_bytes(), type=Record) == record
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_kernel_that_ended_is_found_as_it_was_noted(journals: Path, one: Path) -> None:
    record = ended(newest=6)
    write_record(one, record)
    (found,) = find_journals(journals, keep=DAY)
    assert found.record == record
    assert [(each.first, each.last) for each in found.segments] == [(1, 3), (4, 6)]


def test_a_kernel_without_an_end_has_ended_with_its_host(
    journals: Path, one: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_record(one, RUNNING)
    last = one / segment_name(Position(4))
    whole = last.stat().st_size
    with last.open("ab") as file:
        file.write(b"torn")
    (found,) = find_journals(journals, keep=DAY)
    assert last.stat().st_size == found.segments[-1].size == whole
    assert "is torn: 4 bytes are cut off" in caplog.text
    record = found.record
    assert (record.newest, record.name, record.sessions) == (6, "python3", SESSIONS)
    assert record.reason == "The host that ran it was killed, or its machine restarted."
    assert record.ended is not None
    # From then on it is known, and kept no longer for being found again.
    (again,) = find_journals(journals, keep=DAY)
    assert again.record == record


def test_a_segment_of_which_nothing_is_left_goes(journals: Path, one: Path) -> None:
    write_record(one, RUNNING)
    torn = one / segment_name(Position(4))
    torn.write_bytes(torn.read_bytes()[:20])
    (found,) = find_journals(journals, keep=DAY)
    assert (found.record.newest, len(found.segments), torn.exists()) == (3, 1, False)


@pytest.mark.parametrize("record", [RUNNING, ended(newest=0), ended(ago=2 * DAY)])
def test_what_is_empty_or_old_is_deleted(journals: Path, record: Record) -> None:
    write_record(journals / "one", record)
    assert find_journals(journals, keep=DAY) == []
    assert not (journals / "one").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "it is not there"),
        (b"{", "it is damaged"),
        (b'{"id":1}', "it is damaged"),
        (b"\xff", "it is damaged"),
        (msgspec.json.encode(msgspec.structs.replace(RUNNING, id=KernelId("two"))), "it is another kernel's"),
    ],
)
def test_a_record_that_cannot_be_used_does_not_cost_the_journal(
    journals: Path, one: Path, caplog: pytest.LogCaptureFixture, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (one / "record.json").write_bytes(content)
    (found,) = find_journals(journals, keep=DAY)
    assert (found.record.id, found.record.name, found.record.newest) == ("one", "", 6)
    assert found.record.ended is not None
    assert problem in caplog.text


def test_what_cannot_be_read_is_left_alone(
    journals: Path, one: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_record(one, ended(newest=6))
    (journals / "bad" / "record.json").mkdir(parents=True)
    (journals / "a file").write_text("somebody's")
    assert [found.record.id for found in find_journals(journals, keep=DAY)] == ["one"]
    assert f"The journal in {journals / 'bad'} cannot be read: Is a directory." in caplog.text
    assert {path.name for path in journals.iterdir()} == {"one", "bad", "a file"}


def test_a_place_where_none_can_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    assert find_journals(tmp_path / "file" / "journals", keep=DAY) == []
    assert "cannot be read: Not a directory." in caplog.text
    with pytest.raises(ConfigError, match="it is no folder"):
        find_journals(tmp_path / "file", keep=DAY)
