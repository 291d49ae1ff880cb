"""``protocol.receipts``: what counts as received."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernelway.protocol.link_framing import Position
from kernelway.protocol.receipts import PING_BYTES, Receipts


def test_a_ping_is_due_after_64_kib() -> None:
    receipts = Receipts()
    receipts.ping(0.0)
    assert not receipts.wrote(Position(1), PING_BYTES - 1)
    assert receipts.wrote(Position(2), 1)
    receipts.ping(0.0)
    assert not receipts.wrote(Position(3), PING_BYTES - 1)


def test_only_a_pong_says_that_something_came() -> None:
    receipts = Receipts()
    start = receipts.ping(0.0)
    assert receipts.pong(start) is None
    receipts.wrote(Position(7), 100)
    asked = receipts.ping(1.0)
    receipts.wrote(Position(9), 100)
    receipts.left(0)
    assert receipts.settled(1000.0, after=0.0) is None
    assert receipts.pong(asked) == 7
    assert receipts.pong(asked) is None


def test_a_later_pong_stands_for_those_before_it() -> None:
    receipts = Receipts()
    receipts.wrote(Position(1), 1)
    first = receipts.ping(0.0)
    receipts.wrote(Position(2), 1)
    second = receipts.ping(0.0)
    assert receipts.pong(second) == 2
    assert receipts.pong(first) is None


def test_a_foreign_pong_says_nothing() -> None:
    receipts = Receipts()
    receipts.wrote(Position(5), 1)
    receipts.ping(0.0)
    for payload in (b"", b"hello", (4).to_bytes(8, "little"), (6).to_bytes(8, "little"), b"\xff" * 8):
        assert receipts.pong(payload) is None
    assert not receipts.answered


def test_what_left_counts_where_no_ping_was_ever_answered() -> None:
    receipts = Receipts()
    receipts.ping(0.0)
    receipts.wrote(Position(1), 1000)
    receipts.ping(0.1)
    receipts.wrote(Position(2), 1000)
    receipts.left(1000)
    assert receipts.settled(0.5, after=1.0) is None
    assert receipts.settled(1.0, after=1.0) == 1
    assert receipts.settled(1.0, after=1.0) is None
    receipts.left(0)
    assert receipts.settled(1.0, after=1.0) == 2


def test_a_client_that_answers_nothing_costs_bounded_memory() -> None:
    receipts = Receipts()
    for number in range(1, 5000):
        receipts.wrote(Position(number), PING_BYTES)
        payload = receipts.ping(0.0)
        receipts.left(0)
    assert payload == b""
    assert receipts.pong(b"") is None
    assert not receipts.answered
    assert receipts.pong((1024).to_bytes(8, "little")) == 1024
    assert receipts.ping(0.0) == (4999).to_bytes(8, "little")


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 100_000)),
        st.tuples(st.just("ping"), st.just(0)),
        st.tuples(st.just("pong"), st.integers(0, 40)),
        st.tuples(st.just("left"), st.integers(0, 200_000)),
    ),
    max_size=40,
)


@given(_STEPS)
def test_nothing_counts_as_received_that_was_not_asked_about_behind_it(steps: list[tuple[str, int]]) -> None:
    receipts = Receipts()
    position, pinged, told = 0, 0, 0
    for step, value in steps:
        if step == "write":
            position += 1
            receipts.wrote(Position(position), value)
        elif step == "ping":
            receipts.ping(0.0)
            pinged = position
        elif step == "left":
            receipts.left(value)
        else:
            said = receipts.pong(value.to_bytes(8, "little"))
            if said is not None:
                assert told < said == value <= pinged
                told = said
    final = receipts.settled(1e9, after=0.0)
    if final is not None:
        assert not receipts.answered
        assert final <= position
