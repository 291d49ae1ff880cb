"""What a client remembers of a link, so that nothing is lost or done twice when a socket breaks. No I/O.

    apart ──WELCOME──> joined ──the socket breaks──> apart …

*Requests* are numbered from 1 over all sockets of the link, and kept until the host says TAKEN. A WELCOME
tells what was taken before the break; what was not is sent again, in order. *Messages* have positions, which
rise: what comes twice is dropped, and the next socket begins after the last position that came.

A host that knows less of the link than it has told before, or more than was ever sent, has forgotten it (it
remembers so many links), or means another one. Which of the kept requests it ran nobody knows then, so they
are given up, and the numbering goes on from what the host says.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import msgspec

from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import FrameError, LimitReached
from kernelway.protocol.link_framing import (
    FrameKind,
    Hole,
    Position,
    Welcome,
    encode_frame,
    encode_message_frame,
    head_of,
    message_in,
    told_in,
)
from kernelway.protocol.message import Message
from kernelway.protocol.websocket_framing import Frame

UNSENT_LIMIT: Final = 64 * 2**20
"""Bytes of requests that are kept before another is refused; one alone may be larger."""


class Came(msgspec.Struct, frozen=True, gc=False):
    """A message that was not seen before, or a request that the journal keeps."""

    message: Message
    position: Position | None = None
    """None from a server that counts none."""
    is_request: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """What came before ``position`` and after all that was seen is not complete."""

    position: Position
    hole: Hole


@dataclass(frozen=True, slots=True)
class Joined:
    """The host has told what it has; with ``forgotten``, the requests that were kept have been given up."""

    welcome: Welcome
    forgotten: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """The host has all requests up to this number."""

    number: int


Step: TypeAlias = Came | Missing | Joined | Taken


class State(Protocol):
    """What a link asks of its state, whichever protocol the server chose."""

    @property
    def resumes(self) -> bool:
        """Whether a broken socket can be followed by another."""

    @property
    def posted(self) -> int:
        """How many messages have been posted."""

    @property
    def taken(self) -> int:
        """How many of them are the other side's to keep."""

    @property
    def waiting(self) -> int:
        """Bytes of those that are not."""

    def post(self, message: Message) -> None:
        """Keep a message for sending, or raise LimitReached or FrameError."""

    def next_frame(self) -> str | bytes | None:
        """The next frame to write, once for each socket."""

    def wrote(self) -> None:
        """Take note that the latest frame has been written."""

    def received(self, frame: Frame) -> Step | None:
        """What a frame says; None where it says nothing new."""


class LinkState:
    """A link of :mod:`kernelway.protocol.link_framing`, joined as ``joining`` says at first."""

    def __init__(self, joining: Joining) -> None:
        self._first = joining
        self._position = joining.position
        self._joined = False
        self._ended = False
        """Whether the kernel takes nothing more."""
        self._hole_before: Position | None = None
        self._kept: deque[bytes] = deque()
        self._waiting = 0
        self._posted = 0
        self._taken = 0
        self._written = 0
        """The number that went to the present socket last."""
        self._written_ever = 0
        self._received: Position | None = None
        """What the host is to be told that it need not keep for this session."""

    @property
    def resumes(self) -> bool:
        """It does."""
        return True

    @property
    def posted(self) -> int:
        """The number of the latest request."""
        return self._posted

    @property
    def taken(self) -> int:
        """The number up to which the host has them."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Bytes that are kept."""
        return self._waiting

    @property
    def position(self) -> Position | None:
        """The position of what came last; None as long as it is not known."""
        return self._position

    @property
    def joining(self) -> Joining:
        """How the next socket joins: as the first did, until a position is known."""
        if self._position is None:
            return self._first
        return msgspec.structs.replace(
            self._first, position=self._position, after=None, replay_all=False, resume=False
        )

    @property
    def _begins_now(self) -> bool:
        return self._first.after is None and not self._first.resume

    def post(self, message: Message) -> None:
        """Number a request and keep it; LimitReached where too much is kept, FrameError for what is none."""
        check_room(self._waiting)
        frame = encode_message_frame(FrameKind.REQUEST, self._posted + 1, message)
        self._posted += 1
        self._kept.append(frame)
        self._waiting += len(frame)

    def note_received(self, position: Position) -> None:
        """Everything up to ``position`` has arrived where it was to go; told with what is written next."""
        self._received = position

    @property
    def untold(self) -> bool:
        """Whether the host has not been told yet what was received."""
        return self._received is not None

    def next_frame(self) -> bytes | None:
        """What the present socket is to carry next: what was received, then requests the host has not."""
        if not self._joined or self._ended:
            return None
        if self._received is not None:
            received, self._received = self._received, None
            return encode_frame(FrameKind.RECEIVED, received)
        if self._written == self._posted:
            return None
        self._written += 1
        self._written_ever = max(self._written, self._written_ever)
        return self._kept[self._written - self._taken - 1]

    def wrote(self) -> None:
        """A written request is as little taken as any."""

    def broken(self) -> None:
        """The socket is gone, and what it carried that was not TAKEN may never have arrived."""
        self._joined = False

    def gone(self, oldest: int, reason: str) -> Missing:
        """The host no longer keeps what was asked for, but what begins at ``oldest``: join there."""
        self._position = Position(oldest - 1)
        self._hole_before = Position(oldest)
        return Missing(Position(oldest), Hole(reason))

    def received(self, frame: Frame) -> Step | None:
        """What a frame says; None for what was seen before. FrameError where the host does not keep to it."""
        kind, number = head_of(frame)
        assert not isinstance(frame, str)
        if (kind is FrameKind.WELCOME) is self._joined:
            raise FrameError("The first frame of a link, and no other, is a WELCOME.")
        match kind:
            case FrameKind.MESSAGE | FrameKind.KEPT_REQUEST:
                if not self._passes(Position(number)):
                    return None
                return Came(message_in(frame), Position(number), kind is FrameKind.KEPT_REQUEST)
            case FrameKind.HOLE:
                return self._missing(Position(number), told_in(frame, Hole))
            case FrameKind.TAKEN:
                return self._take(number)
            case FrameKind.WELCOME:
                return self._welcomed(number, told_in(frame, Welcome))
        raise FrameError(f"A {kind.name} is for hosts, and came to a client.")

    def _passes(self, position: Position) -> bool:
        if self._position is not None and position <= self._position:
            return False
        self._position = position
        return True

    def _missing(self, position: Position, hole: Hole) -> Missing | None:
        if position == self._hole_before or (self._position is not None and position <= self._position):
            return None
        self._position = Position(position - 1)
        self._hole_before = position
        return Missing(position, hole)

    def _take(self, number: int) -> Taken:
        if number > self._written_ever:
            raise FrameError(f"A host takes request {number}, and was sent none after {self._written_ever}.")
        # What an older socket carried may be taken after the WELCOME was written.
        self._written = max(self._written, number)
        self._drop_until(number)
        return Taken(number)

    def _drop_until(self, number: int) -> None:
        while self._taken < number:
            self._taken += 1
            self._waiting -= len(self._kept.popleft())

    def _welcomed(self, number: int, welcome: Welcome) -> Joined:
        self._joined = True
        elsewhere = self._position is not None and self._position > welcome.newest
        if self._position is None and self._first.replay_all:
            self._position = Position(max(welcome.oldest - 1, 0))
        elif elsewhere or (self._position is None and self._begins_now):
            self._position = welcome.newest
        self._ended = welcome.ended
        if welcome.ended:
            # Whatever it says of the link is no news: the answers there are stand in its journal.
            return Joined(welcome, forgotten=False)
        forgotten = elsewhere or not self._taken <= number <= self._written_ever
        if forgotten:
            self._kept.clear()
            self._waiting = 0
            self._posted = self._taken = self._written_ever = number
        else:
            self._drop_until(number)
        self._written = number
        return Joined(welcome, forgotten)


def check_room(waiting: int) -> None:
    """Raise :class:`LimitReached` where too much waits already."""
    if waiting > UNSENT_LIMIT:
        raise LimitReached(
            f"{waiting} bytes already wait to be sent to the kernel: wait for the answers to what was sent "
            "before sending more."
        )
