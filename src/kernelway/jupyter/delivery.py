"""What goes to one browser: in order, bounded, and with pings whose answers say how far it has come.

A notebook server's socket says when the operating system has taken what was written. That a browser has it
only a pong says: see :mod:`kernelway.protocol.receipts`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from kernelway.protocol.errors import FrameError
from kernelway.protocol.link_framing import Position
from kernelway.protocol.message import Message
from kernelway.protocol.receipts import KNOWN_AFTER, PING_DELAY, Receipts
from kernelway.protocol.websocket_framing import Framing

log = logging.getLogger(__name__)

IN_FLIGHT: Final = 2**20
"""Bytes that the operating system has not taken; with more nothing further is read from the link."""

_ROOM: Final = 1 << 14
"""Bytes in flight behind which a ping is not sent: its answer would be long in coming."""

_SILENT_FOR: Final = 20.0
"""Seconds after which a browser that answered no ping counts as one that answers none."""


class Browser(Protocol):
    """A browser's WebSocket, as a relay sees it."""

    @property
    def framing(self) -> Framing:
        """What its handshake agreed on."""

    def write(self, frame: str | bytes) -> asyncio.Future[None]:
        """Write a frame behind all others; done once the operating system has it.

        Raises ConnectionError where the socket is closed, and the future ends with any error for it.
        """

    def ping(self, payload: bytes) -> None:
        """Write a ping; ConnectionError where the socket is closed."""

    def close(self, code: int, reason: str) -> None:
        """Close it behind what was written; closing twice is no error."""


class Delivery:
    """Writes messages to a browser, and tells ``received`` up to which position it has them."""

    def __init__(self, browser: Browser, received: Callable[[Position], None]) -> None:
        self._browser = browser
        self._received = received
        self._receipts = Receipts()
        self._in_flight = 0
        self._easy = asyncio.Event()
        self._easy.set()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def put(self, message: Message, position: Position | None = None) -> None:
        """Write a message; with a position, all up to it has been written then."""
        size = 0
        try:
            size = self._write(self._browser.framing.encode(message))
        except FrameError as error:
            log.warning("A message that a kernel sent is not passed on: %s", error)
        except ConnectionError:
            # Its handler is about to be told that it is gone; nothing counts as written from here on.
            self._over = True
        if position is not None:
            self.passed(position, size)

    def passed(self, position: Position, size: int = 0) -> None:
        """Take note that all up to a position has been written, or need not be."""
        if self._over:
            return
        if self._receipts.wrote(position, size):
            self._ask()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PING_DELAY, self._ask_late)

    async def room(self) -> None:
        """Wait until little enough is in flight."""
        await self._easy.wait()

    def begin(self) -> None:
        """Send the first ping, so that it is soon known whether this browser answers."""
        self._ask()

    def answered(self, payload: bytes) -> None:
        """A pong came."""
        self._tell(self._receipts.pong(payload))

    def end(self, *, left_by_itself: bool) -> None:
        """Write no more, and tell what counts as received of a browser that never answered."""
        if self._timer is not None:
            self._timer.cancel()
        if left_by_itself or not self._over:
            self._receipts.left(self._in_flight)
        self._over = True
        # Whoever says good-bye had time to answer.
        self._settle(after=0.0 if left_by_itself else KNOWN_AFTER)

    def _write(self, frame: str | bytes) -> int:
        if self._over:
            raise ConnectionResetError("There is nobody to write to.")
        future, size = self._browser.write(frame), len(frame)
        self._in_flight += size
        if self._in_flight > IN_FLIGHT:
            self._easy.clear()
        future.add_done_callback(partial(self._taken, size))
        return size

    def _taken(self, size: int, future: asyncio.Future[None]) -> None:
        if future.cancelled() or future.exception() is not None:
            self._over = True
        self._in_flight -= size
        if self._in_flight <= IN_FLIGHT:
            self._easy.set()

    def _ask(self) -> None:
        try:
            self._browser.ping(self._receipts.ping(asyncio.get_running_loop().time()))
        except ConnectionError:
            self._over = True

    def _ask_late(self) -> None:
        self._timer = None
        if self._over:
            return
        self._receipts.left(self._in_flight)
        if self._receipts.unasked:
            if self._in_flight < _ROOM:
                self._ask()
            else:
                self._timer = asyncio.get_running_loop().call_later(PING_DELAY, self._ask_late)
        self._settle(after=_SILENT_FOR)

    def _settle(self, *, after: float) -> None:
        self._tell(self._receipts.settled(asyncio.get_running_loop().time(), after=after))

    def _tell(self, position: Position | None) -> None:
        if position is not None:
            self._received(position)
