"""A link that numbers nothing: what is posted is written once, in order, and then no longer ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.client.resume import UNSENT_LIMIT, Came
from kernelway.client.stock_link import StockState
from kernelway.protocol.errors import FrameError, LimitReached
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.websocket_framing import DEFAULT, V1, Framing

BOTH = pytest.mark.parametrize("framing", [V1, DEFAULT], ids=["v1", "default"])


def message(number: int, size: int = 0, *, buffers: tuple[bytes, ...] = ()) -> Message:
    return new_message(
        Channel.SHELL,
        "execute_request",
        {"n": number, "x": "x" * size},
        msg_id=MessageId(f"m{number}"),
        session=SessionId("s"),
        date="2026-11-20T18:30:00+00:00",
        buffers=buffers,
    )


def number_in(framing: Framing, frame: str | bytes) -> int:
    number: int = framing.decode(frame).read_content()["n"]
    return number


@BOTH
@given(steps=st.lists(st.sampled_from(["post", "write"])))
def test_what_is_posted_is_written_once_and_in_order(framing: Framing, steps: list[str]) -> None:
    state = StockState(framing)
    unwritten: list[int] = []
    posted = 0
    for step in steps:
        if step == "post":
            posted += 1
            unwritten.append(posted)
            state.post(message(posted))
        elif (frame := state.next_frame()) is not None:
            assert number_in(framing, frame) == unwritten.pop(0)
            state.wrote()
        else:
            assert unwritten == []
        assert (state.posted, state.taken) == (posted, posted - len(unwritten))
        assert state.waiting == sum(len(framing.encode(message(number))) for number in unwritten)


@BOTH
def test_what_is_being_written_still_takes_room(framing: Framing) -> None:
    state = StockState(framing)
    state.post(message(1))
    waiting = state.waiting
    assert state.next_frame() is not None
    assert state.next_frame() is None
    assert (state.waiting, state.taken) == (waiting, 0)
    state.wrote()
    assert (state.waiting, state.taken) == (0, 1)


def test_one_may_be_larger_than_the_bound_and_the_next_is_refused() -> None:
    state = StockState(V1)
    state.post(message(1, UNSENT_LIMIT))
    with pytest.raises(LimitReached, match="already wait"):
        state.post(message(2))
    assert state.posted == 1
    assert state.next_frame() is not None
    state.wrote()
    state.post(message(3))
    assert state.posted == 2


def test_what_is_no_message_leaves_nothing_behind() -> None:
    state = StockState(DEFAULT)
    with pytest.raises(FrameError):
        state.post(Message(Channel.SHELL, b"no JSON"))
    assert (state.posted, state.waiting, state.next_frame()) == (0, 0, None)


@BOTH
def test_what_comes_has_no_position(framing: Framing) -> None:
    state = StockState(framing)
    came = state.received(framing.encode(message(7, buffers=(b"\x00",))))
    assert isinstance(came, Came)
    assert (came.position, came.is_request) == (None, False)
    assert came.message.read_content()["n"] == 7
    assert [bytes(buffer) for buffer in came.message.buffers] == [b"\x00"]


@BOTH
@pytest.mark.parametrize("frame", ["", "[]", b"", b"\xff" * 40])
def test_a_frame_without_a_message_is_an_error(framing: Framing, frame: str | bytes) -> None:
    with pytest.raises(FrameError):
        StockState(framing).received(frame)


def test_it_does_not_resume() -> None:
    assert not StockState(V1).resumes
