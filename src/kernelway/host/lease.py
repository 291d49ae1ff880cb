"""A kernel's lease: how long it lives while nobody is connected to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def _nothing(_: float) -> None: ...


class Lease:
    """Calls ``ran_out``, once, when nobody has been connected to a kernel for so many seconds; with them.

    Time counts from :meth:`begin`, and anew from each :meth:`release`; while somebody holds it none does.
    """

    def __init__(self, seconds: float | None = None, ran_out: Callable[[float], None] = _nothing) -> None:
        self.seconds = seconds
        """None where it never runs out."""
        self._ran_out = ran_out
        self._begun = False
        self._held = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The kernel has started, or never will; a start has a limit of its own."""
        self._begun = True
        self._count()

    def hold(self) -> None:
        """Somebody is connected."""
        self._held = True
        self._count()

    def release(self) -> None:
        """Nobody is connected any more."""
        self._held = False
        self._count()

    def void(self) -> None:
        """It has run out; or the kernel has ended, or is not its first client's alone any more."""
        self.seconds = None
        self._count()

    def _count(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.seconds is not None and self._begun and not self._held:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._end, self.seconds)

    def _end(self, seconds: float) -> None:
        self.void()
        self._ran_out(seconds)
