"""A turn at a ZeroMQ socket: what it takes, where it stops, and what a fault in it costs."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import zmq

from kernelway.transport.zeromq import take_turn

Pair = tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets; what is sent on the first is there to be received on the second."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
        one.bind("inproc://turn")
        other.connect("inproc://turn")
        other.rcvtimeo = 30_000
        yield one, other


def test_a_turn_takes_what_is_there(pair: Pair) -> None:
    one, other = pair
    one.send_multipart([b"a", b"b" * (1 << 17)])
    one.send_multipart([b"c"])
    got: list[list[bytes]] = []
    assert not take_turn(
        other, lambda parts: got.append([bytes(part) for part in parts]), listens=lambda: True
    )
    assert got == [[b"a", b"b" * (1 << 17)], [b"c"]]
    assert not take_turn(other, lambda _: pytest.fail("There was nothing."), listens=lambda: True)


@pytest.mark.parametrize(("count", "size", "taken"), [(100, 1, 64), (5, 1 << 20, 1), (4, 300 << 10, 4)])
def test_a_turn_leaves_the_rest_to_the_next(pair: Pair, count: int, size: int, taken: int) -> None:
    one, other = pair
    for _ in range(count):
        one.send(b"x" * size)
    got: list[int] = []
    assert take_turn(other, lambda parts: got.append(len(parts[0])), listens=lambda: True)
    assert got == [size] * taken
    while take_turn(other, lambda parts: got.append(len(parts[0])), listens=lambda: True):
        pass
    assert len(got) == count


def test_who_listens_no_more_is_given_nothing(pair: Pair) -> None:
    one, other = pair
    for letter in (b"a", b"b", b"c"):
        one.send(letter)
    got: list[bytes] = []
    assert take_turn(other, lambda parts: got.append(bytes(parts[0])), listens=lambda: len(got) < 2)
    assert got == [b"a", b"b"]


def test_a_fault_costs_one_message(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    one, other = pair
    for letter in (b"1", b"no number", b"3"):
        one.send(letter)
    got: list[int] = []
    with caplog.at_level(logging.ERROR):
        take_turn(other, lambda parts: got.append(int(bytes(parts[0]))), listens=lambda: True)
    assert got == [1, 3]
    assert "A message is lost." in caplog.text
