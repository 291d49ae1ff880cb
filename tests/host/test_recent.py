"""The newest entries of a journal, beside a plain list of all that were taken."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.host import recent
from kernelway.host.recent import Recent, cost, up_to
from kernelway.host.segments import Kept
from kernelway.protocol.link_framing import START, FrameKind, Position
from kernelway.protocol.message import SessionId

TIDY = 8
"""Instead of a thousand, so that the list is tidied within a few steps."""

SIZES = st.lists(st.integers(0, 40), max_size=30)


def entry(position: int, size: int = 0) -> Kept:
    return Kept(Position(position), FrameKind.MESSAGE, SessionId(""), bytes(size))


@pytest.fixture(autouse=True, scope="module")
def _tidy_soon() -> object:
    with pytest.MonkeyPatch.context() as context:
        context.setattr(recent, "_TIDY", TIDY)
        yield


@given(start=st.integers(0, 5), bursts=st.lists(st.tuples(SIZES, st.integers(0, 30))))
def test_it_is_a_list_that_loses_its_beginning(start: int, bursts: list[tuple[list[int], int]]) -> None:
    some, kept = Recent(Position(start)), list[Kept]()
    newest = start
    for sizes, drops in bursts:
        for size in sizes:
            newest += 1
            kept.append(entry(newest, size))
            some.append(kept[-1])
        for _ in range(min(drops, len(kept))):
            kept.pop(0)
            some.drop_first()
        assert list(some.all()) == kept
        assert (len(some), some.newest, some.first) == (len(kept), newest, newest + 1 - len(kept))
        assert some.size == sum(map(cost, kept))


@given(dropped=st.integers(0, 25), left=SIZES, after=st.integers(0, 60), limit=st.integers(1, 200))
def test_what_follows_a_position(dropped: int, left: list[int], after: int, limit: int) -> None:
    some = Recent(START)
    kept = [entry(position) for position in range(1, dropped + 1)]
    kept += [entry(position, size) for position, size in enumerate(left, dropped + 1)]
    for each in kept:
        some.append(each)
    for _ in range(dropped):
        some.drop_first()
    following = some.after(Position(after), limit)
    if after < dropped:
        assert following is None
        return
    assert following is not None
    assert list(following) == kept[after : after + len(following)]
    sizes = [len(each.frame) for each in following]
    assert sum(sizes[:-1]) < limit
    assert sum(sizes) >= limit or after + len(sizes) >= len(kept)


def test_a_new_one_has_nothing_and_goes_on_after_the_newest() -> None:
    some = Recent(Position(7))
    assert (len(some), some.size, some.first, list(some.all())) == (0, 0, 8, [])
    assert some.after(Position(7), 1) == []
    assert some.after(Position(6), 1) is None
    some.append(entry(8))
    assert (some.first, some.newest) == (8, 8)


def test_a_dropped_frame_does_not_live_on() -> None:
    frame = bytes(1000)
    references = sys.getrefcount(frame)
    some = Recent(START)
    some.append(Kept(Position(1), FrameKind.MESSAGE, SessionId(""), frame))
    for position in range(2, 4):
        some.append(entry(position))
    some.drop_first()
    assert sys.getrefcount(frame) == references
    assert [each.position for each in some.all()] == [2, 3]


def test_the_list_does_not_grow_with_what_was_dropped() -> None:
    some = Recent(START)
    for position in range(1, 1001):
        some.append(entry(position))
        if len(some) > 3:
            some.drop_first()
        assert len(some._entries) <= 3 + TIDY + 1
    assert some.first == 998


def test_one_entry_at_least_is_given_however_large() -> None:
    entries = [entry(1, 100), entry(2, 100), entry(3, 100)]
    assert up_to(entries, 0, 1) == entries[:1]
    assert up_to(entries, 1, 101) == entries[1:]
    assert up_to(entries, 3, 1) == []
