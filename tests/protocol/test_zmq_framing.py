"""The multipart framing, with jupyter_client's own Session on the other side."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import DELIM, Session

from kernelway.protocol import zmq_framing
from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.signing import Signer
from kernelway.protocol.zmq_framing import DELIMITER

from .strategies import BUFFERS, JSON_OBJECTS, MESSAGES, TEXT, assert_one_sentence

KEY = b"a key"

SIGNER = Signer(KEY)

IDENTITIES = st.lists(st.binary(max_size=20).filter(lambda identity: identity != DELIMITER), max_size=4)

ANY_PARTS = st.lists(st.just(DELIMITER) | st.just(b"{}") | st.binary(max_size=12), max_size=24)


@given(message=MESSAGES, identities=IDENTITIES)
def test_what_is_encoded_is_decoded_whoever_passed_it_on(message: Message, identities: list[bytes]) -> None:
    parts = [*identities, *zmq_framing.encode(message, SIGNER)]
    assert zmq_framing.decode(parts, message.channel, SIGNER) == message
    assert zmq_framing.decode([memoryview(part) for part in parts], message.channel, SIGNER) == message


@given(content=JSON_OBJECTS, metadata=JSON_OBJECTS, msg_type=TEXT, identities=IDENTITIES, buffers=BUFFERS)
def test_what_jupyter_client_serializes_is_decoded(content, metadata, msg_type, identities, buffers) -> None:
    session = Session(key=KEY)
    parent = session.msg("execute_request", {"code": "1"})
    message = session.msg(msg_type, content, parent=parent, metadata=metadata)
    parts = [*session.serialize(message, ident=identities), *buffers]

    decoded = zmq_framing.decode(parts, Channel.IOPUB, SIGNER)

    header = decoded.read_header()
    assert (header.msg_id, header.msg_type, header.session) == (message["msg_id"], msg_type, session.session)
    assert decoded.read_parent_header().msg_id == parent["msg_id"]
    assert decoded.read_content() == content
    assert decoded.read_metadata() == metadata
    assert decoded.buffers == tuple(map(bytes, buffers))


@given(content=JSON_OBJECTS, metadata=JSON_OBJECTS, msg_type=TEXT, identities=IDENTITIES, buffers=BUFFERS)
def test_jupyter_client_reads_what_is_encoded(content, metadata, msg_type, identities, buffers) -> None:
    theirs = Session(key=KEY)
    header = theirs.msg(msg_type)["header"]
    parts = [theirs.pack(part) for part in (header, {}, metadata, content)]
    message = Message(Channel.SHELL, *parts, buffers=buffers)
    sent = [bytes(part) for part in zmq_framing.encode(message, SIGNER)]

    got, rest = theirs.feed_identities([*identities, *sent])
    read = theirs.deserialize(rest, content=True)

    assert got == identities
    assert read["msg_type"] == msg_type
    assert read["content"] == content
    assert read["metadata"] == metadata
    assert [bytes(buffer) for buffer in read["buffers"]] == list(map(bytes, buffers))


def test_the_delimiter_is_jupyter_clients() -> None:
    assert DELIMITER == DELIM


@given(message=MESSAGES, data=st.data())
def test_a_message_cut_short_is_refused_up_to_its_buffers(message: Message, data: st.DataObject) -> None:
    parts = zmq_framing.encode(message, SIGNER)
    kept = data.draw(st.integers(0, len(parts) - 1))
    if kept >= 6:
        assert zmq_framing.decode(parts[:kept], message.channel, SIGNER).content == message.content
        return
    with pytest.raises(FrameError) as caught:
        zmq_framing.decode(parts[:kept], message.channel, SIGNER)
    assert_one_sentence(caught.value)


@given(message=MESSAGES, data=st.data())
def test_a_signed_part_changed_on_the_way_is_refused(message: Message, data: st.DataObject) -> None:
    parts = [bytearray(part) for part in zmq_framing.encode(message, SIGNER)]
    changed = parts[data.draw(st.integers(0, 5))]
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError) as caught:
        zmq_framing.decode(parts, message.channel, SIGNER)
    assert_one_sentence(caught.value)


@given(parts=ANY_PARTS, signed=st.booleans())
def test_any_parts_are_a_message_or_refused(parts: list[bytes], signed: bool) -> None:
    try:
        decoded = zmq_framing.decode(parts, Channel.IOPUB, SIGNER if signed else Signer(b""))
    except FrameError as error:
        assert_one_sentence(error)
    else:
        assert not signed
        assert decoded.buffers == tuple(parts[parts.index(DELIMITER) + 6 :])


def test_the_search_for_the_delimiter_is_bounded() -> None:
    message = zmq_framing.encode(Message(Channel.SHELL, b"{}"), SIGNER)
    assert zmq_framing.decode([b"r"] * 15 + message, Channel.SHELL, SIGNER)
    with pytest.raises(FrameError, match="no delimiter"):
        zmq_framing.decode([b"r"] * 16 + message, Channel.SHELL, SIGNER)


def test_nothing_is_decoded_or_copied_on_the_way() -> None:
    parts = [bytes(bytearray(part)) for part in (b"no json", b"neither", b"nor this", b"\xff")]
    message = Message(Channel.STDIN, *parts, buffers=(bytes(bytearray(100)),))
    decoded = zmq_framing.decode(zmq_framing.encode(message, SIGNER), Channel.STDIN, SIGNER)
    assert decoded.header is parts[0]
    assert decoded.content is parts[3]
    assert decoded.buffers[0] is message.buffers[0]
    with pytest.raises(json.JSONDecodeError):
        json.loads(decoded.header)
