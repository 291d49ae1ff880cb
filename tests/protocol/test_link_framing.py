"""Frames of the link subprotocol: what is encoded is decoded, what is no frame is refused in a sentence."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.protocol import link_framing
from kernelway.protocol.errors import FrameError
from kernelway.protocol.link_framing import (
    HEAD_SIZE,
    LARGE,
    Assembly,
    FrameKind,
    Hole,
    Position,
    Welcome,
    encode_frame,
    encode_message_frame,
    encode_message_pieces,
    frames_in,
    head_of,
    is_batch,
    is_part,
    message_in,
    packed,
    part_in,
    payload_of,
    told_in,
)
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.websocket_framing import decode_v1, encode_v1

from .strategies import MESSAGES, assert_one_sentence

KINDS = st.sampled_from(FrameKind)
NUMBERS = st.integers(0, 2**64 - 1)


def parts_of(message: Message) -> list[bytes]:
    json_parts = (message.header, message.parent_header, message.metadata, message.content)
    return [message.channel.encode(), *map(bytes, json_parts), *map(bytes, message.buffers)]


@given(KINDS, NUMBERS, st.binary(max_size=40))
def test_a_frame_keeps_its_kind_number_and_payload(kind: FrameKind, number: int, payload: bytes) -> None:
    frame = encode_frame(kind, number, payload)
    assert head_of(frame) == (kind, number)
    assert payload_of(frame) == payload


@given(KINDS, NUMBERS, MESSAGES)
def test_a_message_comes_back_as_it_was(kind: FrameKind, number: int, message: Message) -> None:
    frame = encode_message_frame(kind, number, message)
    assert head_of(frame) == (kind, number)
    assert parts_of(message_in(frame)) == parts_of(message)


@given(MESSAGES)
def test_behind_the_head_stands_a_v1_frame_as_stock_clients_have_it(message: Message) -> None:
    frame = encode_message_frame(FrameKind.MESSAGE, 7, message)
    assert frame[HEAD_SIZE:] == encode_v1(message)
    assert parts_of(decode_v1(payload_of(frame))) == parts_of(message)


@given(st.binary(max_size=60) | st.text(max_size=20))
def test_what_is_no_frame_is_refused_in_a_sentence(frame: bytes | str) -> None:
    try:
        kind, number = head_of(frame)
    except FrameError as error:
        assert_one_sentence(error)
    else:
        assert not isinstance(frame, str)
        assert encode_frame(kind, number, payload_of(frame)) == frame


def test_a_kind_that_does_not_exist_is_named() -> None:
    with pytest.raises(FrameError, match="kind 99"):
        head_of(bytes([99]) + bytes(8))


@given(st.binary(max_size=200))
def test_garbage_in_the_place_of_a_message_is_refused(garbage: bytes) -> None:
    try:
        message_in(encode_frame(FrameKind.REQUEST, 1, garbage))
    except FrameError as error:
        assert_one_sentence(error)


def test_a_welcome_and_a_hole_tell_what_they_were_given() -> None:
    welcome = Welcome(newest=Position(9), oldest=Position(2), ended=True)
    hole = Hole("The disk was full.", 12)
    assert told_in(encode_frame(FrameKind.WELCOME, 0, _json(welcome)), Welcome) == welcome
    assert told_in(encode_frame(FrameKind.HOLE, 5, _json(hole)), Hole) == hole


def test_fields_of_a_later_version_are_ignored() -> None:
    frame = encode_frame(FrameKind.WELCOME, 0, b'{"newest": 3, "oldest": 1, "version": 2, "moon": "full"}')
    assert told_in(frame, Welcome) == Welcome(newest=Position(3), oldest=Position(1), version=2)


@given(st.binary(max_size=40))
def test_a_welcome_that_tells_something_else_is_refused(payload: bytes) -> None:
    try:
        told_in(encode_frame(FrameKind.WELCOME, 0, payload), Welcome)
    except FrameError as error:
        assert_one_sentence(error)


# Large frames

SIZES = st.integers(0, 2 * LARGE + 2)


@given(NUMBERS, SIZES, st.lists(SIZES, max_size=3))
def test_the_pieces_of_a_message_are_its_frame(number: int, content: int, buffers: list[int]) -> None:
    data = tuple(map(bytes, buffers))
    message = Message(Channel.SHELL, b'{"msg_id":"m"}', content=bytes(content), buffers=data)
    first, more = encode_message_pieces(FrameKind.MESSAGE, number, message)
    assert b"".join((first, *more)) == encode_message_frame(FrameKind.MESSAGE, number, message)
    assert not more or message.size > LARGE
    assert message.header in first


def test_what_is_large_in_a_message_is_not_copied() -> None:
    content, data = b"{" + bytes(LARGE) + b"}", memoryview(bytes(LARGE))
    message = Message(Channel.IOPUB, b"{}", content=content, buffers=(b"small", data))
    _, more = encode_message_pieces(FrameKind.MESSAGE, 1, message)
    assert more == (content, b"small", data)
    assert more[0] is content
    assert more[2] is data


@given(st.lists(SIZES, min_size=1, max_size=4), st.binary(min_size=1))
def test_parts_make_the_frame_that_was_cut(sizes: list[int], first: bytes) -> None:
    assembly, pieces = Assembly(), [bytes(size) for size in sizes]
    parts = list(link_framing.parts_of([first, *pieces]))
    assert all(is_part(part) and len(part) <= LARGE + HEAD_SIZE for part in parts)
    assert part_in(parts[0])[0] == len(first) + sum(map(len, pieces))
    *before, whole = [assembly.take(part) for part in parts]
    assert (before, whole) == ([None] * (len(parts) - 1), b"".join((first, *pieces)))


@pytest.mark.parametrize(
    "wrong",
    [
        encode_frame(FrameKind.PART, 5),
        encode_frame(FrameKind.PART, 2, b"abc"),
        encode_frame(FrameKind.PART, 0, b"a"),
        encode_frame(FrameKind.MESSAGE, 9, b"a"),
    ],
)
def test_what_is_no_part_is_refused(wrong: bytes) -> None:
    with pytest.raises(FrameError) as refused:
        part_in(wrong)
    assert_one_sentence(refused.value)


def test_a_part_that_does_not_follow_is_refused() -> None:
    assembly = Assembly()
    assert assembly.take(encode_frame(FrameKind.PART, 6, b"abc")) is None
    with pytest.raises(FrameError, match="of 6 bytes that are left came where 3 are"):
        assembly.take(encode_frame(FrameKind.PART, 6, b"abc"))


# Small frames together


@given(st.lists(st.integers(0, 40_000), max_size=40))
def test_frames_that_are_sent_together_come_one_by_one(sizes: list[int]) -> None:
    frames = [bytes(size) for size in sizes]
    came: list[bytes] = []
    for sent in packed(frames):
        came += frames_in(sent) if is_batch(sent) else [sent]
    assert came == frames


def test_many_small_frames_are_few_batches() -> None:
    sent = list(packed([encode_frame(FrameKind.TAKEN, number) for number in range(1000)]))
    assert len(sent) == 1
    assert head_of(sent[0]) == (FrameKind.BATCH, 1000)


@given(st.integers(0, 5) | NUMBERS, st.binary(max_size=60))
def test_what_is_no_batch_is_refused(count: int, payload: bytes) -> None:
    batch = encode_frame(FrameKind.BATCH, count, payload)
    try:
        frames = frames_in(batch)
    except FrameError as error:
        assert_one_sentence(error)
    else:
        assert b"".join(frames) == payload[4 * count :]


def _json(told: Welcome | Hole) -> bytes:
    return msgspec.json.encode(told)
