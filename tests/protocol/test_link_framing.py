"""Frames of the link subprotocol: what is encoded is decoded, what is no frame is refused in a sentence."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.protocol.errors import FrameError
from kernelway.protocol.link_framing import (
    HEAD_SIZE,
    FrameKind,
    Hole,
    Position,
    Welcome,
    encode_frame,
    encode_message_frame,
    head_of,
    message_in,
    payload_of,
    told_in,
)
from kernelway.protocol.message import Message
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


def _json(told: Welcome | Hole) -> bytes:
    return msgspec.json.encode(told)
