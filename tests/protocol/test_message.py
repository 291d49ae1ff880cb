"""Messages whose parts stay bytes until somebody reads them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import (
    PROTOCOL_VERSION,
    Channel,
    Header,
    Message,
    MessageId,
    SessionId,
    new_message,
)

from .strategies import JSON_OBJECTS, MESSAGES, assert_one_sentence, encoded

DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def message(**parts: bytes) -> Message:
    return Message(Channel.SHELL, **{"header": b"{}", **parts})


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (b"{}", Header()),
        (b'{"msg_id": "a", "msg_type": "status", "session": "s"}', Header("a", "status", "s")),
        (b' {"msg_type":"stream","msg_id":"\\u00e9"} ', Header("é", "stream")),
        # Kernels put other things than the specification says into what nobody needs.
        (b'{"msg_id":"a","username":null,"date":{"y":2026},"version":5,"more":[1]}', Header("a")),
    ],
)
def test_a_header_is_read_for_what_is_needed_of_it(header: bytes, read: Header) -> None:
    assert message(header=header).read_header() == read
    assert message(parent_header=header).read_parent_header() == read


def test_a_parent_header_of_null_is_an_empty_one() -> None:
    assert message(parent_header=b"null").read_parent_header() == Header()


PARTS = pytest.mark.parametrize("part", ["header", "parent_header", "metadata", "content"])


@PARTS
@pytest.mark.parametrize("hostile", [b"", b"{", b"[]", b"1", b'"{}"', b"\xff", b"\xff{}", b"{}{}", DEEP])
def test_a_part_that_is_no_json_object_is_told_with_its_name(part: str, hostile: bytes) -> None:
    if "header" in part:
        # What is not read of a header is not looked into either.
        hostile = hostile.replace(b'"a"', b'"msg_id"')
    read = getattr(message(**{part: hostile}), f"read_{part}")
    with pytest.raises(FrameError, match=rf"The {part} of a message is not the JSON object") as caught:
        read()
    assert_one_sentence(caught.value)


@PARTS
def test_bytes_that_are_no_text_do_not_keep_the_rest_from_its_reader(part: str) -> None:
    # As when a kernel prints the name of a file that was made in another encoding.
    read = getattr(message(**{part: b'{"msg_id":"\xe9t\xe9","text":"\xff"}'}), f"read_{part}")()
    assert (read.msg_id if "header" in part else read["msg_id"]) == "\ufffdt\ufffd"


def test_a_header_of_null_is_no_header() -> None:
    with pytest.raises(FrameError, match="The header of a message"):
        message(header=b"null").read_header()


@given(JSON_OBJECTS)
def test_content_and_metadata_are_read_as_they_were_written(value: dict[str, object]) -> None:
    for escaped in (True, False):
        whole = message(content=encoded(value, escaped=escaped), metadata=encoded(value, escaped=escaped))
        assert whole.read_content() == value
        assert whole.read_metadata() == value


@given(MESSAGES)
def test_the_size_counts_every_byte_of_parts_and_buffers(whole: Message) -> None:
    parts = [whole.header, whole.parent_header, whole.metadata, whole.content, *whole.buffers]
    assert whole.size == sum(len(bytes(part)) for part in parts)


def test_the_size_of_a_buffer_is_in_bytes_whatever_its_items_are() -> None:
    assert message(buffers=(memoryview(bytes(16)).cast("Q"),)).size == len(b"{}" * 4) + 16


def test_a_new_message_has_the_header_that_the_specification_asks_for() -> None:
    made = new_message(
        Channel.CONTROL,
        "input_reply",
        {"value": "x"},
        msg_id=MessageId("m"),
        session=SessionId("s"),
        date="2026-11-20T18:30:00.000000Z",
        parent_header=b'{"msg_id":"p"}',
        metadata={"a": 1},
        buffers=(b"b",),
        username="ana",
    )
    assert made.channel is Channel.CONTROL
    assert json.loads(bytes(made.header)) == {
        "msg_id": "m",
        "msg_type": "input_reply",
        "session": "s",
        "username": "ana",
        "date": "2026-11-20T18:30:00.000000Z",
        "version": PROTOCOL_VERSION,
    }
    assert made.read_header() == Header(MessageId("m"), "input_reply", SessionId("s"))
    assert made.read_parent_header().msg_id == "p"
    assert (made.read_content(), made.read_metadata(), made.buffers) == ({"value": "x"}, {"a": 1}, (b"b",))


def test_a_new_message_has_no_parent_and_no_metadata_unless_they_are_given() -> None:
    made = new_message(Channel.SHELL, "x", {}, msg_id=MessageId("m"), session=SessionId("s"), date="d")
    assert (made.parent_header, made.metadata, made.buffers) == (b"{}", b"{}", ())
