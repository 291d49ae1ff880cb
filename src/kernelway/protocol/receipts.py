"""How far a stock client has received, as its pongs tell."""

from __future__ import annotations

import struct
from collections import deque
from typing import Final

from kernelway.protocol.link_framing import START, Position

PING_BYTES: Final = 1 << 16
"""Bytes that are written before the client is asked again how far it is."""

PING_DELAY: Final = 0.25
"""Seconds after which it is asked about less."""

_MOST_PINGS: Final = 1024
"""Pings without an answer that are remembered; further ones are not receipts."""

KNOWN_AFTER: Final = 1.0
"""Seconds that a client has to answer its first ping, before it counts as one that does not answer."""

_POSITION: Final = struct.Struct("<Q")


class Receipts:
    """What was written to one socket, and how much of it is known to have come.

    Only a pong says that something came: whatever stands between may acknowledge TCP by itself. Of a socket
    that never answers a ping, what has left this process counts.
    """

    def __init__(self) -> None:
        self.position = START
        """Up to where everything has been written."""
        self._written = 0
        self._asked_about = START
        self._asked_at = 0
        self._asked: deque[tuple[bytes, Position]] = deque()
        self._marks: deque[tuple[int, Position]] = deque()
        self._left = START
        self._first_asked: float | None = None
        self._received = START
        self.answered = False
        """Whether a ping was ever answered on this socket."""

    @property
    def unasked(self) -> bool:
        """Whether something was written since the last ping."""
        return self.position > self._asked_about

    @property
    def room(self) -> int:
        """Bytes that may be written before the next ping is due."""
        return self._asked_at + PING_BYTES - self._written

    def wrote(self, position: Position, size: int) -> bool:
        """Everything up to this position has been written; whether the next ping is due because of that."""
        self.position = position
        self._written += size
        return self.room <= 0

    def ping(self, now: float) -> bytes:
        """The payload of the next ping, which is to be sent behind all that was written."""
        if self._first_asked is None:
            self._first_asked = now
        self._asked_about, self._asked_at = self.position, self._written
        self._marks.append((self._written, self.position))
        if len(self._asked) >= _MOST_PINGS:
            return b""
        payload = _POSITION.pack(self.position)
        self._asked.append((payload, self.position))
        return payload

    def pong(self, payload: bytes) -> Position | None:
        """Up to which position a pong says that all came, if that is news; a foreign one says nothing."""
        if not any(asked == payload for asked, _ in self._asked):
            return None
        self.answered = True
        while self._asked[0][0] != payload:
            self._asked.popleft()
        return self._news(self._asked.popleft()[1])

    def left(self, buffered: int) -> None:
        """So many bytes (with the frames' heads) of what was written are still in this process."""
        if not buffered:
            self._marks.clear()
            self._left = self.position
        # What is buffered holds the heads of frames too: so no less has left than this says.
        while self._marks and self._marks[0][0] <= self._written - buffered:
            self._left = self._marks.popleft()[1]

    def settled(self, now: float, *, after: float) -> Position | None:
        """Up to where everything counts as received though nothing says so, if that is news.

        None for a client that has answered, or whose first ping is younger than ``after`` seconds.
        """
        if self.answered or self._first_asked is None or now - self._first_asked < after:
            return None
        return self._news(self._left)

    def _news(self, position: Position) -> Position | None:
        if position <= self._received:
            return None
        self._received = position
        return position
