"""The link to a server that speaks Jupyter's protocols alone: no numbers, and no second socket."""

from __future__ import annotations

from collections import deque

from kernelway.client.resume import Came, check_room
from kernelway.protocol.message import Message
from kernelway.protocol.websocket_framing import Frame, Framing


class StockState:
    """A link in one of Jupyter's framings: what was written counts as taken, and a break is the end."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._unwritten: deque[str | bytes] = deque()
        self._writing = 0
        self._waiting = 0
        self._posted = 0
        self._taken = 0

    @property
    def resumes(self) -> bool:
        """It does not."""
        return False

    @property
    def posted(self) -> int:
        """How many messages were posted."""
        return self._posted

    @property
    def taken(self) -> int:
        """How many were written."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Bytes (characters of text frames) that are not written yet."""
        return self._waiting

    def post(self, message: Message) -> None:
        """Keep a message for writing; LimitReached where too much waits, FrameError for what is none."""
        check_room(self._waiting)
        frame = self._framing.encode(message)
        self._unwritten.append(frame)
        self._waiting += len(frame)
        self._posted += 1

    def next_frame(self) -> str | bytes | None:
        """The oldest that was not given out yet."""
        if not self._unwritten:
            return None
        frame = self._unwritten.popleft()
        self._writing = len(frame)
        return frame

    def wrote(self) -> None:
        """Count the frame that was given out last as sent."""
        self._waiting -= self._writing
        self._taken += 1

    def received(self, frame: Frame) -> Came:
        """The message in a frame."""
        return Came(self._framing.decode(frame))
