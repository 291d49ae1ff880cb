"""Kernelway's own WebSocket subprotocol, which makes a connection one that can break and go on.

Every frame is binary: one byte for its kind, one number (little-endian u64), then a payload. What the number
counts depends on the direction. A *position* counts what the kernel's journal has taken, from 1, over all
runs of the kernel. A *request number* counts what one link has sent, from 1; a link is what a client calls
its connection across all the sockets it takes, by an id of its own choice.

    kind          direction  number                           payload
    WELCOME       to client  highest request number taken     JSON: what the journal has, see Welcome
    MESSAGE       to client  its position                     the message, in the v1 framing
    KEPT_REQUEST  to client  its position                     a request that a client sent, in the v1 framing
    HOLE          to client  position of what follows it      JSON: what is missing, see Hole
    TAKEN         to client  all requests up to it are taken  none
    REQUEST       to host    its request number               the message, in the v1 framing
    RECEIVED      to host    all positions up to it came      none

A WELCOME comes first, once for each socket. Positions rise from frame to frame, and those that are left out
were not for this client; whoever replays is sent a TAKEN once nothing older than its joining is left to
come. A REQUEST that was taken before is not taken again, and is answered with TAKEN as if it had been; one
whose number leaves out others is a FrameError. So a client that sends again, in order, whatever is not
TAKEN, has every request run once.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NewType, TypeVar

import msgspec

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import UNREADABLE, Buffer, Message, told
from kernelway.protocol.websocket_framing import Frame, decode_v1, encode_v1

LINK_SUBPROTOCOL: Final = "v1.link.kernelway"

Position = NewType("Position", int)
"""The number of an entry of a kernel's journal; 0 stands before the first."""

LinkId = NewType("LinkId", str)

START: Final = Position(0)

_HEAD: Final = struct.Struct("<BQ")

HEAD_SIZE: Final = _HEAD.size
"""Bytes before the payload."""


class FrameKind(IntEnum):
    """The first byte of a frame."""

    WELCOME = 1
    MESSAGE = 2
    KEPT_REQUEST = 3
    HOLE = 4
    TAKEN = 5
    REQUEST = 6
    RECEIVED = 7


_KINDS: Final = {kind.value: kind for kind in FrameKind}


class Welcome(msgspec.Struct, frozen=True):
    """What a host tells a client that joins.

    ``newest`` is the position of the journal's newest entry at that moment: whoever replays is up to date
    once past it. ``oldest`` is the oldest position that is kept. ``ended`` tells that the kernel has ended,
    and nothing new will come.
    """

    newest: Position
    oldest: Position
    ended: bool = False
    version: int = 1


class Hole(msgspec.Struct, frozen=True):
    """Messages that the kernel sent and the journal no longer has, or never had; ``reason`` is a sentence."""

    reason: str
    messages: int | None = None
    """How many; None where nobody knows."""


def encode_frame(kind: FrameKind, number: int, payload: Buffer = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(kind, number) + payload


def encode_message_frame(kind: FrameKind, number: int, message: Message) -> bytes:
    """A frame that holds a message; its parts are copied once."""
    return encode_v1(message, prefix=_HEAD.pack(kind, number))


def head_of(frame: Frame) -> tuple[FrameKind, int]:
    """The kind and number of a frame; :class:`FrameError` for what is none."""
    if isinstance(frame, str) or len(frame) < HEAD_SIZE:
        raise FrameError("A frame of a link is binary and has nine bytes at least.")
    value, number = _HEAD.unpack_from(frame)
    kind = _KINDS.get(value)
    if kind is None:
        raise FrameError(f"A frame of a link has the kind {value}, which does not exist.")
    return kind, number


def payload_of(frame: Buffer) -> memoryview:
    """What follows the head, as a view."""
    return memoryview(frame)[HEAD_SIZE:]


def message_in(frame: Buffer) -> Message:
    """The message in a MESSAGE, KEPT_REQUEST or REQUEST; its buffers are views of the frame."""
    return decode_v1(payload_of(frame))


_T = TypeVar("_T", Welcome, Hole)


def told_in(frame: Buffer, model: type[_T]) -> _T:
    """What a WELCOME or a HOLE tells; :class:`FrameError` where it is not that."""
    try:
        return msgspec.json.decode(payload_of(frame), type=model)
    except UNREADABLE as error:
        raise FrameError(f"A frame of a link does not tell what its kind says: {told(error)}.") from error
