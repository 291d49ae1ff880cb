"""The interface between what forwards messages and what has the kernel: the host's edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from kernelway.protocol.errors import LinkLost
from kernelway.protocol.link_framing import LinkId, Position
from kernelway.protocol.message import Buffer, MessageId, SessionId


class ChannelsClosed(LinkLost):
    """The other side ended a connection to a kernel, with the code and reason a WebSocket closes with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """How a client joins a kernel's channels, and from where in its journal.

    At most one of ``after``, ``position``, ``replay_all`` and ``resume`` is meant; with none of them the
    client hears what comes from now on.
    """

    session: SessionId
    """Replies to what this session asks come to it alone; an older connection of it is closed."""
    link: LinkId
    """Whose request numbers these are."""
    after: MessageId | None = None
    """Replay everything after this message."""
    position: Position | None = None
    """Replay everything after this position."""
    replay_all: bool = False
    """Replay everything that is kept."""
    resume: bool = False
    """Replay everything after what this session is known to have received, where anything is known of it."""
    requests: bool = False
    """Whether the requests that are kept are to be replayed too."""
    parts: bool = False
    """Whether large frames may come as PARTs, and over a socket small ones as BATCHes."""


class Channels(Protocol):
    """One client's connection to one kernel: all of its channels, both ways, in order.

    What goes through are frames of :mod:`kernelway.protocol.link_framing`.
    """

    async def send(self, frame: Buffer, *more: Buffer) -> None:
        """Hand a REQUEST or a RECEIVED to the host; waits while the kernel takes no more, and so pushes back.

        A large frame may be given in pieces that follow one another.

        Raises :class:`ChannelsClosed` at the end, :class:`~kernelway.protocol.errors.FrameError` for what
        cannot be sent. Cancelled, or raising, it has not taken the request.
        """

    async def receive(self) -> Sequence[bytes]:
        """One or more frames, in order; the very first is a WELCOME.

        Raises :class:`ChannelsClosed` at the end. Cancelling loses nothing.
        """

    async def wait_closed(self) -> ChannelsClosed:
        """Return at the end, with its reason; what already waits can still be received then."""

    def close(self, code: int, reason: str) -> None:
        """End the connection, not the kernel; closing twice is no error."""
