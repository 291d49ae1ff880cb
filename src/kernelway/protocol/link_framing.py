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
    PART          both ways  bytes still to come, with these  the next bytes of another frame
    BATCH         to client  how many frames it holds         the length of each, u32, and then all

A WELCOME comes first, once for each socket. Positions rise from frame to frame, and those that are left out
were not for this client; whoever replays is sent a TAKEN once nothing older than its joining is left to
come. A REQUEST that was taken before is not taken again, and is answered with TAKEN as if it had been; one
whose number leaves out others is a FrameError. So a client that sends again, in order, whatever is not
TAKEN, has every request run once.

A large frame may go between a host and its gateway as PARTs, so that neither has to hold it whole: all bytes
of it, its own head too, one after the other. The first PART says how many they are. No other frame begins
in parts before the last of them. To a host, whole frames may stand between. What breaks off with its socket
never came. Small frames that are there at the same time go to a gateway as a BATCH. Clients that are no
gateways see neither.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Final, NewType, TypeVar

import msgspec

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import UNREADABLE, Buffer, Message, told
from kernelway.protocol.websocket_framing import Frame, decode_v1, encode_v1, encode_v1_pieces

LINK_SUBPROTOCOL: Final = "v1.link.kernelway"

Position = NewType("Position", int)
"""The number of an entry of a kernel's journal; 0 stands before the first."""

LinkId = NewType("LinkId", str)

START: Final = Position(0)

_HEAD: Final = struct.Struct("<BQ")

HEAD_SIZE: Final = _HEAD.size
"""Bytes before the payload."""

_PART: Final = b"\x08"
_BATCH: Final = b"\x09"

_SMALL: Final = 1 << 14
"""Bytes; larger frames are not copied into a BATCH."""

_TOGETHER: Final = 1 << 16
"""Bytes of a BATCH, if the last frame in it is not more."""

VERSION: Final = 2
"""Of these frames, as a WELCOME tells it; a host of version 2 takes requests in PARTs."""

LARGE: Final = 1 << 17
"""Bytes; a larger frame is kept in pieces, and goes in PARTs of so many where it may."""


class FrameKind(IntEnum):
    """The first byte of a frame."""

    WELCOME = 1
    MESSAGE = 2
    KEPT_REQUEST = 3
    HOLE = 4
    TAKEN = 5
    REQUEST = 6
    RECEIVED = 7
    PART = 8
    BATCH = 9


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

    @property
    def told(self) -> str:
        """What a person is told of it."""
        if self.messages is None:
            missing = "Messages are"
        else:
            missing = f"{self.messages} message{' is' if self.messages == 1 else 's are'}"
        return f"{missing} no longer kept. {self.reason}"


def encode_frame(kind: FrameKind, number: int, payload: Buffer = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(kind, number) + payload


def encode_message_frame(kind: FrameKind, number: int, message: Message) -> bytes:
    """A frame that holds a message; its parts are copied once."""
    return encode_v1(message, prefix=_HEAD.pack(kind, number))


def encode_message_pieces(kind: FrameKind, number: int, message: Message) -> tuple[bytes, tuple[Buffer, ...]]:
    """The same, a large one in pieces: its beginning, with the message's header, and what follows that.

    Parts of the message that are large are not copied.
    """
    prefix = _HEAD.pack(kind, number)
    if message.size <= LARGE:
        return encode_v1(message, prefix=prefix), ()
    return encode_v1_pieces(message, prefix=prefix)


def parts_of(pieces: Sequence[Buffer]) -> Iterator[bytes]:
    """A frame, given in pieces, as PARTs."""
    left = sum(memoryview(piece).nbytes for piece in pieces)
    for piece in pieces:
        view = memoryview(piece).cast("B")
        for start in range(0, view.nbytes, LARGE):
            part = view[start : start + LARGE]
            yield _HEAD.pack(FrameKind.PART, left) + part
            left -= part.nbytes


def is_part(frame: Buffer) -> bool:
    """Whether a frame is a PART."""
    return frame[:1] == _PART


def part_in(part: Buffer) -> tuple[int, memoryview]:
    """How many bytes of its frame a PART leaves, its own among them, and those."""
    kind, left = head_of(part)
    piece = payload_of(part)
    if kind is not FrameKind.PART or not 0 < piece.nbytes <= left:
        raise FrameError("A PART is empty, or holds more than is left of its frame.")
    return left, piece


def packed(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The same frames, small ones that follow one another in BATCHes."""
    together: list[bytes] = []
    size = 0
    for frame in frames:
        if len(frame) > _SMALL or size > _TOGETHER:
            yield from _batch_of(together)
            together, size = [], 0
        if len(frame) > _SMALL:
            yield frame
        else:
            together.append(frame)
            size += len(frame)
    yield from _batch_of(together)


def _batch_of(frames: list[bytes]) -> list[bytes]:
    if len(frames) < 2:
        return frames
    lengths = struct.pack(f"<{len(frames)}I", *map(len, frames))
    return [b"".join((_HEAD.pack(FrameKind.BATCH, len(frames)), lengths, *frames))]


def is_batch(frame: Buffer) -> bool:
    """Whether a frame is a BATCH."""
    return frame[:1] == _BATCH


def frames_in(batch: bytes) -> list[bytes]:
    """The frames in a BATCH."""
    _, count = head_of(batch)
    start = HEAD_SIZE + 4 * count
    if len(batch) < start:
        raise FrameError("A BATCH is too short for as many frames as it claims.")
    frames = []
    for length in struct.unpack_from(f"<{count}I", batch, HEAD_SIZE):
        frames.append(batch[start : start + length])
        start += length
    if start != len(batch):
        raise FrameError("The frames of a BATCH do not end where it ends.")
    return frames


class Assembly:
    """Puts frames together again that came as PARTs."""

    def __init__(self) -> None:
        self._gathered = bytearray()
        self._left = 0

    def take(self, part: Buffer) -> bytearray | None:
        """Add a PART; the frame, once it is whole. :class:`FrameError` for one that does not follow."""
        left, piece = part_in(part)
        if self._left not in (0, left):
            raise FrameError(f"A PART of {left} bytes that are left came where {self._left} are.")
        self._gathered += piece
        self._left = left - piece.nbytes
        if self._left:
            return None
        whole, self._gathered = self._gathered, bytearray()
        return whole


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
