"""Both WebSocket framings, with jupyter_server's own functions on the other side."""

from __future__ import annotations

import json
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
    serialize_binary_message,
    serialize_msg_to_ws_v1,
)

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.websocket_framing import (
    DEFAULT,
    V1,
    V1_SUBPROTOCOL,
    Frame,
    Framing,
    decode_default,
    decode_v1,
    encode_default,
    encode_v1,
    framing_for,
)

from .strategies import BUFFERS, JSON_OBJECTS, MESSAGES, TEXT, assert_one_sentence

FRAMINGS = pytest.mark.parametrize("framing", [V1, DEFAULT], ids=["v1", "default"])

OFFSETS = st.integers(0, 200) | st.integers(0, 2**64 - 1)


def decoded_or_refused(framing: Framing, frame: Frame) -> Message | None:
    """Decode; None for a frame that is refused as it should be. Any other error fails the test."""
    try:
        return framing.decode(frame)
    except FrameError as error:
        assert_one_sentence(error)
        return None


def parts_of(message: Message) -> list[bytes]:
    json_parts = (message.header, message.parent_header, message.metadata, message.content)
    return [bytes(part) for part in (*json_parts, *message.buffers)]


# Round trips


@FRAMINGS
@given(message=MESSAGES)
def test_what_is_encoded_is_decoded(framing: Framing, message: Message) -> None:
    assert framing.decode(framing.encode(message)) == message


@FRAMINGS
@given(message=MESSAGES)
def test_binary_frames_may_come_as_any_kind_of_bytes(framing: Framing, message: Message) -> None:
    frame = framing.encode(message)
    if isinstance(frame, bytes):
        assert framing.decode(bytearray(frame)) == message
        assert framing.decode(memoryview(b"x" + frame)[1:]) == message


@given(message=MESSAGES)
def test_only_a_default_frame_without_buffers_is_text(message: Message) -> None:
    assert isinstance(encode_v1(message), bytes)
    assert isinstance(encode_default(message), bytes if message.buffers else str)


def test_buffers_are_views_of_the_frame() -> None:
    frame = encode_v1(Message(Channel.IOPUB, b"{}", buffers=(bytes(1000),)))
    (buffer,) = decode_v1(frame).buffers
    assert isinstance(buffer, memoryview)
    assert buffer.obj is frame


# jupyter_server as the judge


@given(message=MESSAGES)
def test_v1_is_what_jupyter_server_writes_and_reads(message: Message) -> None:
    parts = parts_of(message)
    frame = encode_v1(message)
    assert frame == serialize_msg_to_ws_v1(parts, message.channel.value)
    assert deserialize_msg_from_ws_v1(frame) == (message.channel.value, parts)


@given(content=JSON_OBJECTS, metadata=JSON_OBJECTS, msg_type=TEXT, buffers=BUFFERS)
def test_what_jupyter_server_writes_by_default_is_read(content, metadata, msg_type, buffers) -> None:
    session = Session(key=b"")
    parent = session.msg("execute_request", {})
    written = {**session.msg(msg_type, content, parent=parent, metadata=metadata), "channel": "iopub"}
    if buffers:
        decoded = decode_default(serialize_binary_message({**written, "buffers": list(map(bytes, buffers))}))
    else:
        decoded = decode_default(json.dumps({**written, "buffers": []}, default=json_default))
    assert decoded.channel is Channel.IOPUB
    assert decoded.read_header().msg_id == written["msg_id"]
    assert decoded.read_parent_header().msg_id == parent["msg_id"]
    assert decoded.read_content() == content
    assert decoded.read_metadata() == metadata
    assert decoded.buffers == tuple(map(bytes, buffers))


@given(message=MESSAGES)
def test_jupyter_server_reads_what_is_written_by_default(message: Message) -> None:
    frame = encode_default(message)
    read = json.loads(frame) if isinstance(frame, str) else deserialize_binary_message(frame)
    assert read["channel"] == message.channel.value
    assert read["content"] == json.loads(bytes(message.content))
    assert read["metadata"] == json.loads(bytes(message.metadata))
    assert [bytes(buffer) for buffer in read["buffers"]] == list(map(bytes, message.buffers))
    header = message.read_header()
    assert (read["header"]["msg_id"], read["msg_id"]) == (header.msg_id, header.msg_id)
    assert (read["header"]["msg_type"], read["msg_type"]) == (header.msg_type, header.msg_type)


# What clients leave out


@pytest.mark.parametrize(
    ("frame", "channel"),
    [
        ('{"header":{}}', "shell"),
        ('{"header":{},"channel":"stdin"}', "stdin"),
        ('{"buffers":[],"channel":"control","header":{"a":1},"parent_header":{}}', "control"),
        ('{"header":{},"parent_header":null,"metadata":null,"content":null}', "shell"),
        ('{"msg_type":"x","msg_id":"y","header" : {} , "metadata":\n{ } }', "shell"),
    ],
)
def test_missing_and_null_parts_are_empty_and_a_missing_channel_is_shell(frame: str, channel: str) -> None:
    decoded = decode_default(frame)
    assert decoded.channel == channel
    for read in (decoded.read_parent_header, decoded.read_metadata, decoded.read_content):
        assert read() in ({}, decode_default('{"header":{}}').read_header())


def test_a_header_without_ids_is_written_without_them() -> None:
    read = json.loads(encode_default(Message(Channel.IOPUB, b'{"username":null}')))
    assert (read["msg_id"], read["msg_type"], read["header"]) == ("", "", {"username": None})


@pytest.mark.parametrize("header", [b"", b"[]", b"null", b"{", b"\xff"])
def test_a_message_without_a_header_cannot_be_written_by_default(header: bytes) -> None:
    with pytest.raises(FrameError, match="header") as caught:
        encode_default(Message(Channel.IOPUB, header))
    assert_one_sentence(caught.value)


def test_a_message_past_the_offsets_of_the_default_protocol_is_refused() -> None:
    # Each buffer is the same memory, and the message is refused before it is put together.
    half = memoryview(bytes(1 << 20))
    message = Message(Channel.IOPUB, b"{}", buffers=(half,) * 4096 + (b"x",))
    with pytest.raises(FrameError, match="4 GiB"):
        encode_default(message)


def test_bytes_that_are_no_text_do_not_keep_a_message_from_its_reader() -> None:
    frame = encode_default(Message(Channel.IOPUB, b"{}", content=b'{"text":"\xff"}'))
    assert json.loads(frame)["content"] == {"text": "�"}


# Hostile frames


@given(message=MESSAGES, data=st.data())
def test_a_v1_frame_cut_short_is_refused(message: Message, data: st.DataObject) -> None:
    frame = encode_v1(message)
    with pytest.raises(FrameError) as caught:
        decode_v1(frame[: data.draw(st.integers(0, len(frame) - 1))])
    assert_one_sentence(caught.value)


@given(message=MESSAGES, data=st.data())
def test_a_default_frame_cut_short_is_refused_but_within_its_last_buffer(message: Message, data) -> None:
    frame = encode_default(message)
    cut = frame[: data.draw(st.integers(0, len(frame) - 1))]
    decoded = decoded_or_refused(DEFAULT, cut)
    if decoded is not None:
        # This protocol does not tell the length of the last buffer.
        assert len(frame) - len(cut) <= len(message.buffers[-1])
        assert decoded.buffers[:-1] == message.buffers[:-1]


@FRAMINGS
@given(message=MESSAGES, data=st.data())
def test_a_mutated_frame_is_a_message_or_refused(framing: Framing, message: Message, data) -> None:
    frame = framing.encode(message)
    mutated = bytearray(frame.encode() if isinstance(frame, str) else frame)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    decoded_or_refused(framing, mutated)
    decoded_or_refused(framing, mutated.decode("utf-8", "surrogateescape"))


@FRAMINGS
@given(frame=st.binary(max_size=200) | st.text(max_size=200))
def test_any_frame_is_a_message_or_refused(framing: Framing, frame: Frame) -> None:
    decoded_or_refused(framing, frame)


@given(count=OFFSETS, offsets=st.lists(OFFSETS, max_size=12), rest=st.binary(max_size=100))
def test_any_v1_offsets_are_a_message_or_refused(count: int, offsets: list[int], rest: bytes) -> None:
    decoded_or_refused(V1, struct.pack(f"<{1 + len(offsets)}Q", count, *offsets) + rest)


@given(offsets=st.lists(st.integers(0, 120), min_size=4, max_size=8), rest=st.binary(max_size=60))
def test_v1_offsets_never_lead_outside_the_frame(offsets: list[int], rest: bytes) -> None:
    inner = sorted(offsets)
    head = 8 * (3 + len(inner))
    whole = head + len(rest)
    framed = struct.pack(f"<{3 + len(inner)}Q", 2 + len(inner), head, *inner, whole) + b"shell" + rest
    for frame in (framed, framed[:whole]):
        decoded = decoded_or_refused(V1, frame)
        if decoded is not None:
            assert decoded.size + len(decoded.channel.value) == len(frame) - head


@given(
    count=st.integers(0, 2**32 - 1) | st.integers(0, 9),
    offsets=st.lists(st.integers(0, 90) | st.integers(0, 2**32 - 1), max_size=9),
    rest=st.binary(max_size=60),
)
def test_any_default_offsets_are_a_message_or_refused(count: int, offsets: list[int], rest: bytes) -> None:
    head = struct.pack(f">{1 + len(offsets)}I", count, *offsets)
    decoded_or_refused(DEFAULT, head + rest)
    decoded = decoded_or_refused(DEFAULT, head + b'{"header":{}}' + rest)
    if decoded is not None:
        assert sum(len(buffer) for buffer in decoded.buffers) <= len(rest)


HUGE = {
    "a v1 frame that claims as many parts as numbers go": struct.pack("<Q", 2**64 - 1) + bytes(64),
    "a v1 frame that is all offsets": struct.pack("<Q", 65_536) + bytes(8 * 65_536),
    "a default frame that claims as many parts as numbers go": b"\xff" * 64,
    "a default frame that is all offsets": struct.pack(">I", 65_536) + bytes(4 * 65_536),
    "nested deeper than a stack": '{"header":{},"content":' + "[" * 100_000,
    "nested deeper than a stack, and closed": '{"header":{},"content":{"a":'
    + "[" * 100_000
    + "]" * 100_000
    + "}}",
    "nested objects": '{"header":' + '{"a":' * 100_000,
    "a name without an end": '{"header":{},"' + "x" * 1_000_000,
    "a channel as long as a book": '{"header":{},"channel":"' + "x" * 1_000_000 + '"}',
    "a v1 channel as long as a book": struct.pack("<7Q", 6, 56, *[1_000_056] * 5) + b"x" * 1_000_000,
    "a number without an end": '{"header":{},"a":' + "1" * 1_000_000 + "}",
    "a lone surrogate": '{"header":{},"content":{"a":"\ud800"}}',
}


@FRAMINGS
@pytest.mark.parametrize("name", HUGE)
def test_a_hostile_frame_costs_little_more_than_its_own_size(framing: Framing, name: str) -> None:
    frame = HUGE[name]
    tracemalloc.start()
    try:
        decoded_or_refused(framing, frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * len(frame) + 100_000


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("{}", "A text frame came where the v1 protocol has binary frames only"),
        (b"", "too short to hold its offsets"),
        (struct.pack("<Q", 5) + bytes(60), "claims 5 offsets; a message has 6 to"),
        (struct.pack("<Q", 6) + bytes(40), "too short to hold its 6 offsets"),
        (struct.pack("<7Q", 6, 0, 56, 56, 56, 56, 56), "do not begin after themselves"),
        (struct.pack("<7Q", 6, 56, 56, 56, 56, 56, 57), "end at its end"),
        (struct.pack("<7Q", 6, 56, 57, 56, 57, 57, 57) + b"x", "do not rise"),
        (encode_v1(Message(Channel.SHELL, b"{}")).replace(b"shell", b"shelf"), "names the channel b'shelf'"),
    ],
)
def test_what_is_wrong_with_a_v1_frame_is_told(frame: Frame, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        decode_v1(frame)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("", "does not hold the JSON of a message"),
        ("[]", "does not hold the JSON of a message"),
        ("{}", "missing required field `header`"),
        ('{"header":{},"channel":"shelf"}', "Invalid enum value 'shelf'"),
        ('{"header":{},"channel":"heartbeat"}', "Invalid enum value"),
        ('{"header":null}', "must be JSON objects"),
        ('{"header":{},"content":[]}', "must be JSON objects"),
        ('{"header":{},"metadata":"{}"}', "must be JSON objects"),
        (b"\0\0\0", "too short to hold its offsets"),
        (struct.pack(">2I", 0, 4), "does not hold the 0 offsets"),
        (struct.pack(">2I", 2, 12), "does not hold the 2 offsets"),
        (struct.pack(">2I", 1, 9) + b"{}", "do not begin after themselves"),
        (struct.pack(">3I", 2, 12, 99) + b"{}", "rise to its end"),
        (struct.pack(">2I", 1, 8) + b"{}", "missing required field `header`"),
    ],
)
def test_what_is_wrong_with_a_default_frame_is_told(frame: Frame, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        decode_default(frame)


# The handshake


@pytest.mark.parametrize(
    ("subprotocol", "framing"),
    [(V1_SUBPROTOCOL, V1), (None, DEFAULT), ("", DEFAULT), ("v2.kernel.websocket.jupyter.org", DEFAULT)],
)
def test_the_framing_is_the_one_that_was_agreed_on(subprotocol: str | None, framing: Framing) -> None:
    assert framing_for(subprotocol) is framing


def test_the_names_of_the_subprotocols_are_the_fields_own() -> None:
    assert (V1.subprotocol, DEFAULT.subprotocol) == ("v1.kernel.websocket.jupyter.org", None)
