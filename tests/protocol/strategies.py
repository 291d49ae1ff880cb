"""Messages of every shape, for properties that hold for all of them."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Channel, Message

# Lone surrogates have no UTF-8, and so no JSON part can hold them.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)

_SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXT

JSON_VALUES = _SCALARS | st.lists(_SCALARS, max_size=2) | st.dictionaries(TEXT, _SCALARS, max_size=2)

JSON_OBJECTS = st.dictionaries(TEXT, JSON_VALUES, max_size=2)


def encoded(value: object, *, escaped: bool) -> bytes:
    """JSON with and without escapes, as encoders of different languages write it."""
    return json.dumps(value, ensure_ascii=escaped).encode()


PARTS = st.builds(encoded, JSON_OBJECTS, escaped=st.booleans())

HEADERS = st.builds(
    lambda ids, more, escaped: encoded({**more, **ids}, escaped=escaped),
    st.fixed_dictionaries({"msg_id": TEXT, "msg_type": TEXT, "session": TEXT}),
    JSON_OBJECTS,
    st.booleans(),
)

_BYTES = st.binary(max_size=40)

BUFFERS = st.lists(_BYTES | _BYTES.map(bytearray) | _BYTES.map(memoryview), max_size=4).map(tuple)

MESSAGES = st.builds(
    Message,
    channel=st.sampled_from(Channel),
    header=HEADERS,
    parent_header=PARTS,
    metadata=PARTS,
    content=PARTS,
    buffers=BUFFERS,
)


def assert_one_sentence(error: FrameError) -> None:
    """What is told of a frame fits a line of the log, whatever the frame holds."""
    told = str(error)
    assert told.endswith("."), told
    assert "\n" not in told, told
    assert len(told) < 300, told
