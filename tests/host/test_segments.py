"""Segments as files: what is written is read again, whatever happened to some of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.host.journal_talk import frame_of, output

from kernelway.host.segments import (
    Kept,
    Segment,
    SegmentGone,
    append,
    cut_tail,
    find,
    read,
    record_size,
    segment_name,
    segments_in,
)
from kernelway.protocol.link_framing import START, FrameKind, Position
from kernelway.protocol.message import MessageId, SessionId

EVERYTHING = 1 << 30


def entries(first: int, count: int, size: int = 0) -> list[Kept]:
    return [
        Kept(Position(n), FrameKind.MESSAGE, SessionId(""), frame_of(n, output(n, size)))
        for n in range(first, first + count)
    ]


def written(folder: Path, kept: list[Kept]) -> Segment:
    path = folder / "kernel" / segment_name(kept[0].position)
    result = append(path, 0, kept, 1.0)
    return Segment(path, kept[0].position, kept[-1].position, result.size, marks=result.marks)


def read_again(segment: Segment) -> list[Kept]:
    """As after a restart, when nothing is remembered of it."""
    segment.marks = []
    return read(segment.part(START), START, EVERYTHING).entries


def test_what_is_written_is_read(tmp_path: Path) -> None:
    kept = [*entries(1, 600), Kept(Position(700), FrameKind.KEPT_REQUEST, SessionId("ø"), b"frame")]
    segment = written(tmp_path, kept)
    assert read(segment.part(START), START, EVERYTHING).entries == kept
    assert read_again(segment) == kept


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    segment = written(tmp_path / "journals", entries(1, 1))
    assert segment.path.stat().st_mode & 0o777 == 0o600
    assert segment.path.parent.stat().st_mode & 0o777 == 0o700
    assert segment.path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_reading_in_the_middle_does_not_begin_at_the_beginning(tmp_path: Path) -> None:
    kept = entries(1, 1_000, 1_000)
    segment = written(tmp_path, kept)
    part = segment.part(Position(900))
    assert part.marks[0].offset > 800_000
    assert read(part, Position(900), EVERYTHING).entries == kept[900:]


def test_reading_teaches_where_to_begin_the_next_time(tmp_path: Path) -> None:
    segment = written(tmp_path, entries(1, 1_000, 1_000))
    segment.marks, known = [], segment.marks
    segment.learn(read(segment.part(START), START, EVERYTHING).marks)
    assert segment.marks == known


def test_as_much_is_read_as_is_wanted_and_one_entry_at_least(tmp_path: Path) -> None:
    kept = entries(1, 10, 1_000)
    segment = written(tmp_path, kept)
    assert read(segment.part(START), START, 1).entries == kept[:1]
    assert read(segment.part(START), Position(3), len(kept[0].frame) + 1).entries == kept[3:5]


def test_a_message_larger_than_what_is_read_at_a_time_is_read(tmp_path: Path) -> None:
    kept = entries(1, 3, 3_000_000)
    again = read_again(written(tmp_path, kept))
    assert [(each.position, each.whole) for each in again] == [(each.position, each.frame) for each in kept]


def test_pieces_of_a_message_lie_on_disk_as_one(tmp_path: Path) -> None:
    whole = entries(1, 1, 3_000_000)[0]
    view = memoryview(whole.frame)
    pieces = tuple(view[start : start + 1000] for start in range(1000, len(view), 1000))
    cut = Kept(whole.position, whole.kind, whole.session, whole.frame[:1000], pieces)
    assert (cut.size, cut.whole) == (whole.size, whole.frame)
    segment = written(tmp_path, [cut])
    assert segment.size == record_size(cut) == record_size(whole)
    assert [each.whole for each in read_again(segment)] == [whole.frame]


def test_what_a_failed_attempt_left_is_written_over(tmp_path: Path) -> None:
    segment = written(tmp_path, entries(1, 5))
    with segment.path.open("ab") as file:
        file.write(b"half a record")
    segment.size = append(segment.path, segment.size, entries(6, 5), 2.0).size
    assert read_again(segment) == entries(1, 10)


def test_a_segment_that_was_removed_or_cut_is_not_appended_to(tmp_path: Path) -> None:
    segment = written(tmp_path, entries(1, 5))
    segment.path.write_bytes(b"short")
    with pytest.raises(SegmentGone):
        append(segment.path, segment.size, entries(6, 1), 2.0)
    segment.path.unlink()
    with pytest.raises(SegmentGone):
        append(segment.path, segment.size, entries(6, 1), 2.0)


def test_a_segment_that_is_not_there_is_told(tmp_path: Path) -> None:
    segment = written(tmp_path, entries(1, 5))
    segment.path.unlink()
    portion = read(segment.part(START), START, EVERYTHING)
    assert not portion.entries
    assert portion.damage == "it cannot be read: No such file or directory"
    assert find(segment.part(START), MessageId("id-1")) is None


@given(share=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_byte_costs_one_entry(tmp_path: Path, share: float, bits: int) -> None:
    kept = entries(1, 40)
    segment = written(tmp_path, kept)
    content = bytearray(segment.path.read_bytes())
    content[int(share * len(content))] ^= bits
    segment.path.write_bytes(content)
    marks = segment.marks
    rest = read_again(segment)
    assert len(rest) == 39
    assert set(rest) <= set(kept)
    segment.marks = marks
    portion = read(segment.part(START), START, EVERYTHING)
    assert portion.entries == rest
    assert portion.damage is not None


def test_behind_much_damage_reading_goes_on_where_a_place_is_known(tmp_path: Path) -> None:
    kept = entries(1, 1_000, 1_000)
    segment = written(tmp_path, kept)
    content = segment.path.read_bytes()
    segment.path.write_bytes(content[:1_000] + bytes(300_000) + content[301_000:])
    found = read(segment.part(START), START, EVERYTHING).entries
    assert set(found) <= set(kept)
    assert found[-1] == kept[-1]
    assert len(found) > 600


@given(share=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_tail_is_cut_off(tmp_path: Path, share: float) -> None:
    kept = entries(1, 20)
    segment = written(tmp_path, kept)
    size = int(share * segment.size)
    with segment.path.open("r+b") as file:
        file.truncate(size)
    found = Segment(segment.path, Position(1), Position(1), size)
    torn = cut_tail(found)
    assert found.size + torn == size
    assert segment.path.stat().st_size == found.size
    assert read_again(found) == kept[: found.last]
    assert found.size == 0 or found.last == round(20 * found.size / segment.size)


def test_zeros_at_the_end_are_a_torn_tail(tmp_path: Path) -> None:
    segment = written(tmp_path, entries(1, 20))
    with segment.path.open("ab") as file:
        file.write(bytes(1_000_000))
    segment.size, whole = segment.size + 1_000_000, segment.size
    segment.marks = []
    assert cut_tail(segment) == 1_000_000
    assert (segment.size, segment.last) == (whole, 20)


def test_segments_are_found_by_their_names(tmp_path: Path) -> None:
    written(tmp_path, entries(1, 5))
    written(tmp_path, entries(9, 5))
    folder = tmp_path / "kernel"
    (folder / "record.json").touch()
    (folder / segment_name(Position(20))).touch()
    (folder / "else.journal").write_text("no segment")
    assert [(each.first, each.last) for each in segments_in(folder)] == [(1, 8), (9, 9)]


@pytest.mark.parametrize("msg_id", ["plain", "sla/sh", 'quo"te', "ø", "\u2028"])
def test_an_entry_is_found_by_its_id_and_not_by_what_it_says(tmp_path: Path, msg_id: str) -> None:
    said = output(3, msg_id=f"about {msg_id}")
    messages = [output(1), output(2, msg_id=msg_id), said, output(4, msg_id=msg_id), output(5)]
    kept = [
        Kept(Position(n), FrameKind.MESSAGE, SessionId(""), frame_of(n, message))
        for n, message in enumerate(messages, 1)
    ]
    segment = written(tmp_path, kept)
    assert find(segment.part(START), MessageId(msg_id)) == 4
    assert find(segment.part(START), MessageId("another")) is None
