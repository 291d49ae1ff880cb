"""Both framings of messages on ``/api/kernels/{id}/channels``.

*v1* (subprotocol ``v1.kernel.websocket.jupyter.org``) is always a binary frame. All integers are
little-endian u64: ``n | offset_0 … offset_{n-1} | channel | header | parent_header | metadata | content |
buffers…``; offsets count from the start of the frame, ``offset_0`` is ``8 * (1 + n)``, the last is the
frame's length.

*default* (no subprotocol) is a text frame of JSON with ``channel`` and an empty ``buffers``; a message with
buffers is a binary frame: big-endian u32 ``nbufs``, ``nbufs`` u32 offsets, the JSON, the buffers, where the
JSON counts as the first of the ``nbufs``.

Source of both formats: the documentation of jupyter_server, "WebSocket kernel wire protocols".
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import EMPTY, UNREADABLE, Buffer, Channel, Message, told

V1_SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"

Frame: TypeAlias = str | Buffer
"""Text frames are ``str``, binary frames are bytes or a view of bytes."""


@dataclass(frozen=True, slots=True)
class Framing:
    """One of the two framings: how to make a frame of a message, and a message of a frame."""

    subprotocol: str | None
    encode: Callable[[Message], str | bytes]
    decode: Callable[[Frame], Message]
    """Raises :class:`FrameError`, whose message says what is wrong with the frame."""


_CHANNELS = {channel.value.encode("ascii"): channel for channel in Channel}

_CHANNEL_BYTES = {channel: name for name, channel in _CHANNELS.items()}

_PLAIN = struct.Struct("<7Q")
"""The offsets of a v1 frame without buffers."""

_V1_FIRST = 5
"""Pieces up to the parent header: the prefix, the offsets, the channel and two parts."""

_ALONE = 1 << 16
"""Bytes; a part that has as many is not copied to stand beside others."""

_MOST_PARTS = 1 << 16
"""More parts than any client sends; a count beyond it is a hostile frame, not a message."""


def encode_v1(message: Message, *, prefix: bytes = b"") -> bytes:
    """One binary frame, after a prefix that its offsets do not count; the parts are copied once."""
    if message.buffers:
        return b"".join(_v1_pieces(message, prefix))
    # Nearly all messages are such, and this takes half the time.
    channel, header, parent_header = _CHANNEL_BYTES[message.channel], message.header, message.parent_header
    metadata, content = message.metadata, message.content
    at_header = _PLAIN.size + len(channel)
    at_parent = at_header + len(header)
    at_metadata = at_parent + len(parent_header)
    at_content = at_metadata + len(metadata)
    end = at_content + len(content)
    offsets = _PLAIN.pack(6, _PLAIN.size, at_header, at_parent, at_metadata, at_content, end)
    return b"".join((prefix, offsets, channel, header, parent_header, metadata, content))


def encode_v1_pieces(message: Message, *, prefix: bytes = b"") -> tuple[bytes, tuple[Buffer, ...]]:
    """The same in pieces that follow one another: large parts as they are, others joined.

    The first one has all up to the parent header.
    """
    pieces = _v1_pieces(message, prefix)
    joined: list[Buffer] = []
    together = pieces[:_V1_FIRST]
    for piece in pieces[_V1_FIRST:]:
        if memoryview(piece).nbytes < _ALONE:
            together.append(piece)
        else:
            joined += (b"".join(together), piece)
            together = []
    joined.append(b"".join(together))
    return bytes(joined[0]), tuple(piece for piece in joined[1:] if len(piece))


def _v1_pieces(message: Message, prefix: bytes) -> list[Buffer]:
    parts: list[Buffer] = [
        message.channel.value.encode("ascii"),
        message.header,
        message.parent_header,
        message.metadata,
        message.content,
        *message.buffers,
    ]
    count = len(parts) + 1
    offset = 8 * (1 + count)
    offsets = [count, offset]
    for part in parts:
        offset += len(part) if type(part) is bytes else memoryview(part).nbytes
        offsets.append(offset)
    return [prefix, struct.pack(f"<{count + 1}Q", *offsets), *parts]


def decode_v1(frame: Frame) -> Message:
    """The message in a binary v1 frame; its JSON parts are copies, its buffers are views of the frame."""
    if isinstance(frame, str):
        raise FrameError("A text frame came where the v1 protocol has binary frames only.")
    view = memoryview(frame)
    offsets = _v1_offsets(view)
    parts = [view[start:end] for start, end in itertools.pairwise(offsets)]
    channel = _CHANNELS.get(bytes(parts[0]))
    if channel is None:
        raise FrameError(f"A frame names the channel {bytes(parts[0][:32])!r}, which does not exist.")
    header, parent_header, metadata, content = map(bytes, parts[1:5])
    return Message(channel, header, parent_header, metadata, content, tuple(parts[5:]))


def _v1_offsets(view: memoryview) -> tuple[int, ...]:
    if view.nbytes < 8:
        raise FrameError(f"A v1 frame of {view.nbytes} bytes is too short to hold its offsets.")
    (count,) = struct.unpack_from("<Q", view)
    if not 6 <= count <= _MOST_PARTS:
        raise FrameError(f"A v1 frame claims {count} offsets; a message has 6 to {_MOST_PARTS}.")
    if view.nbytes < 8 * (1 + count):
        raise FrameError(f"A v1 frame of {view.nbytes} bytes is too short to hold its {count} offsets.")
    offsets = struct.unpack_from(f"<{count}Q", view, 8)
    if offsets[0] != 8 * (1 + count) or offsets[-1] != view.nbytes:
        raise FrameError("The offsets of a v1 frame do not begin after themselves and end at its end.")
    if any(end < start for start, end in itertools.pairwise(offsets)):
        raise FrameError("The offsets of a v1 frame do not rise.")
    return offsets


class _DefaultFrame(msgspec.Struct):
    header: msgspec.Raw
    parent_header: msgspec.Raw = msgspec.Raw(EMPTY)
    metadata: msgspec.Raw = msgspec.Raw(EMPTY)
    content: msgspec.Raw = msgspec.Raw(EMPTY)
    channel: Channel = Channel.SHELL


_DEFAULT_DECODER = msgspec.json.Decoder(_DefaultFrame)


class _Names(msgspec.Struct):
    """What of a header stands at the top level of a frame too, as it came."""

    msg_id: msgspec.Raw = msgspec.Raw(b'""')
    msg_type: msgspec.Raw = msgspec.Raw(b'""')


_NAMES_DECODER = msgspec.json.Decoder(_Names)


def encode_default(message: Message) -> str | bytes:
    """A text frame, or a binary one for a message with buffers.

    ``msg_id`` and ``msg_type`` stand at the top level too, as stock servers have them there. Raises
    :class:`FrameError` for a message whose header is no JSON object, and for one of 4 GiB with buffers.
    """
    names = _names_in(message.header)
    encoded = b"".join(
        (
            b'{"channel":"%b","msg_id":' % message.channel.value.encode("ascii"),
            names.msg_id,
            b',"msg_type":',
            names.msg_type,
            b',"header":',
            message.header,
            b',"parent_header":',
            message.parent_header,
            b',"metadata":',
            message.metadata,
            b',"content":',
            message.content,
            b',"buffers":[]}',
        )
    )
    if not message.buffers:
        return encoded.decode("utf-8", "replace")
    parts = [encoded, *message.buffers]
    offset = 4 * (1 + len(parts))
    offsets = [offset]
    for part in parts[:-1]:
        offset += memoryview(part).nbytes
        offsets.append(offset)
    if offset > 0xFFFFFFFF:
        raise FrameError("A message of 4 GiB or more does not fit the default protocol: use v1.")
    return b"".join((struct.pack(f">{1 + len(parts)}I", len(parts), *offsets), *parts))


def _names_in(header: Buffer) -> _Names:
    try:
        return _NAMES_DECODER.decode(header)
    except UNREADABLE as error:
        raise FrameError(
            f"The header of a message is not the JSON object it must be: {told(error)}."
        ) from error


def decode_default(frame: Frame) -> Message:
    """The message in a frame of the default protocol; a missing channel means shell.

    A part that is left out or null is an empty one, but for the header.
    """
    if isinstance(frame, str):
        return _decode_json(frame.encode("utf-8", "surrogatepass"), ())
    view = memoryview(frame)
    if view.nbytes < 4:
        raise FrameError(f"A binary frame of {view.nbytes} bytes is too short to hold its offsets.")
    (count,) = struct.unpack_from(">I", view)
    if not 1 <= count <= _MOST_PARTS or view.nbytes < 4 * (1 + count):
        raise FrameError(
            f"A binary frame of {view.nbytes} bytes does not hold the {count} offsets it claims."
        )
    offsets = [*struct.unpack_from(f">{count}I", view, 4), view.nbytes]
    if offsets[0] != 4 * (1 + count) or any(end < start for start, end in itertools.pairwise(offsets)):
        raise FrameError("The offsets of a binary frame do not begin after themselves and rise to its end.")
    parts = [view[start:end] for start, end in itertools.pairwise(offsets)]
    return _decode_json(bytes(parts[0]), tuple(parts[1:]))


def _decode_json(encoded: bytes, buffers: tuple[memoryview, ...]) -> Message:
    try:
        decoded = _DEFAULT_DECODER.decode(encoded)
    except UNREADABLE as error:
        raise FrameError(f"A frame does not hold the JSON of a message: {told(error)}.") from error
    header = bytes(decoded.header)
    parent_header, metadata, content = map(
        _or_empty, (decoded.parent_header, decoded.metadata, decoded.content)
    )
    if not all(part.startswith(b"{") for part in (header, parent_header, metadata, content)):
        raise FrameError("The header, parent_header, metadata and content of a message must be JSON objects.")
    return Message(decoded.channel, header, parent_header, metadata, content, buffers)


def _or_empty(raw: msgspec.Raw) -> bytes:
    part = bytes(raw)
    return EMPTY if part == b"null" else part


V1 = Framing(V1_SUBPROTOCOL, encode_v1, decode_v1)
DEFAULT = Framing(None, encode_default, decode_default)


def framing_for(subprotocol: str | None) -> Framing:
    """The framing that the WebSocket handshake agreed on."""
    return V1 if subprotocol == V1_SUBPROTOCOL else DEFAULT
