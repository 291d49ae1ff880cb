"""Where a client starts in a journal, and what it is given from there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.talk import joining

from kernelway.host.journal import Journal
from kernelway.host.journals import JournalLimits
from kernelway.host.lifeline import own_message
from kernelway.host.reading import Reading, start_of
from kernelway.protocol.errors import PositionGone
from kernelway.protocol.link_framing import LARGE, Assembly, FrameKind, Position, head_of, is_part
from kernelway.protocol.message import Channel, Message, SessionId
from kernelway.protocol.models import KernelId

_EACH = 1000


def journal(count: int, *, memory: int = 1 << 20) -> Journal:
    """A journal in memory with so many entries of a thousand bytes and more."""
    made = Journal(KernelId("k"), JournalLimits(memory=memory))
    for _ in range(count):
        add(made)
    return made


def add(to: Journal, session: str = "", kind: FrameKind = FrameKind.MESSAGE) -> None:
    message = own_message(Channel.IOPUB, "stream", {"text": "x" * _EACH}, SessionId("kernel"))
    to.append(message, kind=kind, session=SessionId(session))


def reading(of: Journal, start: int, session: str = "me", **how: Any) -> Reading:
    return Reading(of, joining(session, **how), Position(start))


def numbers(frames: list[bytes] | None) -> list[int]:
    return [] if frames is None else [head_of(frame)[1] for frame in frames]


def whole_frames(frames: list[bytes]) -> list[bytes]:
    """The frames, those that were cut put together again."""
    assembly = Assembly()
    whole: list[bytes] = []
    for frame in frames:
        done = assembly.take(frame) if is_part(frame) else frame
        if done is not None:
            whole.append(bytes(done))
    return whole


# Large messages


@given(st.lists(st.integers(0, 3 * LARGE), max_size=6), st.booleans())
def test_large_messages_come_in_parts_and_in_order(sizes: list[int], stopped: bool) -> None:
    made = Journal(KernelId("k"), JournalLimits(memory=1 << 30))
    for size in sizes:
        made.append(Message(Channel.IOPUB, b"{}", content=bytes(size)))
    cut, plain = reading(made, 0, parts=True), reading(made, 0)
    if stopped:
        cut.stop()
        made.append(Message(Channel.IOPUB, b"{}", content=b"later"))
        plain.stop()
    came: list[bytes] = []
    while frames := cut.recent():
        came += frames
    assert not cut.within
    assert max(map(len, came), default=0) <= LARGE + 1000
    expected: list[bytes] = []
    while frames := plain.recent():
        expected += frames
    assert whole_frames(came) == (expected[: len(sizes)] if stopped else expected)


async def test_a_large_message_that_was_begun_is_given_to_its_end() -> None:
    made = Journal(KernelId("k"))
    made.append(Message(Channel.IOPUB, b"{}", content=bytes(12 * LARGE)))
    add(made)
    reader = reading(made, 0, parts=True)
    came = reader.recent() or []
    assert reader.within
    reader.stop()
    while frames := reader.recent():
        came += frames
    assert numbers(whole_frames(came)) == [1, 2]


# Where it starts


@pytest.mark.parametrize(
    ("how", "known", "start"),
    [
        ({}, None, 7),
        ({}, 3, 7),
        ({"replay_all": True}, None, 0),
        ({"position": 0}, None, 0),
        ({"position": 7}, None, 7),
        ({"position": 4}, 2, 4),
        ({"resume": True}, None, 7),
        ({"resume": True}, 2, 2),
    ],
)
def test_a_client_starts_where_it_wants_to(how: dict[str, Any], known: int | None, start: int) -> None:
    asked = joining(**how)
    known_position = None if known is None else Position(known)
    assert start_of(journal(7), asked, after=None, known=known_position) == start


def test_a_message_that_was_found_is_where_it_starts() -> None:
    asked = joining(after="m")
    assert start_of(journal(7), asked, after=Position(3), known=None) == 3
    with pytest.raises(PositionGone, match="message 'm' is not kept"):
        start_of(journal(7), asked, after=None, known=None)


def test_nothing_is_beyond_the_end_of_a_kernel_that_has_ended() -> None:
    over = journal(7)
    with pytest.raises(PositionGone, match="no position 8 here yet"):
        start_of(over, joining(position=8), after=None, known=None)
    over.end()
    assert start_of(over, joining(position=8), after=None, known=None) == 7


def test_an_empty_journal_starts_at_its_start() -> None:
    empty = journal(0)
    for how in ({}, {"replay_all": True}, {"position": 0}, {"resume": True}):
        assert start_of(empty, joining(**how), after=None, known=None) == 0
    with pytest.raises(PositionGone):
        start_of(empty, joining(position=1), after=None, known=None)


def test_what_is_no_longer_kept_is_refused_unless_the_client_can_do_nothing_about_it() -> None:
    short = journal(20, memory=5 * _EACH)
    assert short.oldest > 5
    with pytest.raises(PositionGone, match="no longer kept") as gone:
        start_of(short, joining(position=short.oldest - 2), after=None, known=None)
    assert gone.value.oldest == short.oldest
    with pytest.raises(PositionGone):
        start_of(short, joining(after="m"), after=Position(1), known=None)
    assert start_of(short, joining(position=short.oldest - 1), after=None, known=None) == short.oldest - 1
    assert start_of(short, joining(replay_all=True), after=None, known=None) == short.oldest - 1
    assert start_of(short, joining(resume=True), after=None, known=Position(1)) == 1


# What it is given


def test_what_is_for_others_and_requests_are_left_out() -> None:
    kept = journal(1)
    add(kept, "me")
    add(kept, "you")
    add(kept, kind=FrameKind.KEPT_REQUEST)
    add(kept)
    assert numbers(reading(kept, 0).recent()) == [1, 2, 5]
    assert numbers(reading(kept, 0, "you").recent()) == [1, 3, 5]
    assert numbers(reading(kept, 0, requests=True).recent()) == [1, 2, 4, 5]


def test_where_nothing_is_for_a_client_there_is_nothing_new() -> None:
    kept = journal(0)
    for _ in range(5):
        add(kept, "you")
    mine = reading(kept, 0)
    assert mine.recent() == []
    add(kept)
    assert numbers(mine.recent()) == [6]
    assert mine.recent() == []


def test_a_stopped_reader_goes_no_further() -> None:
    kept = journal(3)
    mine = reading(kept, 1)
    mine.stop()
    add(kept)
    mine.stop()
    assert numbers(mine.recent()) == [2, 3]
    assert mine.recent() == []


def test_portions_are_bounded() -> None:
    kept = journal(3000, memory=64 << 20)
    mine, portions = reading(kept, 0), []
    while frames := mine.recent():
        portions.append(frames)
    assert len(portions) > 2
    assert all(sum(map(len, portion)) < (1 << 20) + 2 * _EACH for portion in portions)
    assert [number for portion in portions for number in numbers(portion)] == list(range(1, 3001))


async def test_what_memory_does_not_have_is_asked_for_elsewhere() -> None:
    short = journal(20, memory=5 * _EACH)
    mine = reading(short, 2)
    assert mine.recent() is None
    frames = await mine.stored()
    assert head_of(frames[0]) == (FrameKind.HOLE, short.oldest)
    rest = numbers(frames[1:]) + numbers(mine.recent())
    assert rest == list(range(short.oldest, 21))


async def test_a_reader_that_gives_up_has_not_gone_on() -> None:
    short = journal(20, memory=5 * _EACH)
    mine = reading(short, 2)
    waiting = asyncio.create_task(mine.stored())
    waiting.cancel()
    await asyncio.wait({waiting})
    assert mine.recent() is None
    assert head_of((await mine.stored())[0])[0] is FrameKind.HOLE


SESSIONS = st.sampled_from(["", "me", "you"])
KINDS = st.sampled_from([FrameKind.MESSAGE, FrameKind.KEPT_REQUEST])


@given(
    batches=st.lists(st.lists(st.tuples(SESSIONS, KINDS), max_size=8), max_size=12),
    requests=st.booleans(),
    kept=st.integers(1, 40),
    reads=st.integers(1, 3),
)
def test_everything_a_session_may_see_is_given_once_in_order_or_is_in_a_hole(
    batches: list[list[tuple[str, FrameKind]]], requests: bool, kept: int, reads: int
) -> None:
    made = journal(0, memory=kept * _EACH)
    mine = reading(made, 0, requests=requests)
    expected: list[int] = []
    given_: list[int] = []
    missing: set[int] = set()

    def read() -> bool:
        frames = mine.recent()
        if frames is None:
            frames = asyncio.run(mine.stored())
            assert frames
        for frame in frames:
            kind, number = head_of(frame)
            if kind is FrameKind.HOLE:
                missing.update(range(max(given_, default=0) + 1, number))
            else:
                given_.append(number)
        return bool(frames)

    for number, batch in enumerate(batches):
        for session, kind in batch:
            add(made, session, kind)
            if session != "you" and (requests or kind is FrameKind.MESSAGE):
                expected.append(made.newest)
        if number % reads == 0:
            read()
    while read():
        pass
    assert given_ == [number for number in expected if number in set(given_)]
    assert set(expected) - set(given_) <= missing
    assert not missing & set(given_)
