"""Ctrl-C: once interrupts the code, twice leaves.

working ──Ctrl-C, while code runs──> interrupting ──Ctrl-C──> left
   └───────Ctrl-C, while nothing can be interrupted────────────┘

When the code ends, ``interrupting`` is ``working`` again: it may have caught the interrupt.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from kernelway.cli.main import INTERRUPTED
from kernelway.protocol.errors import KernelwayError

T = TypeVar("T")

TERMINATED: Final = 143
"""The exit status of what SIGTERM or SIGHUP ended."""


class Left(BaseException):
    """The person pressed Ctrl-C to leave, or the process was told to end; ``status`` is the exit status."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class Interrupts:
    """Watches Ctrl-C, SIGTERM and SIGHUP for one command; used in its event loop."""

    def __init__(self) -> None:
        self.interrupted = False
        """Whether the code that runs, or ran last, was interrupted."""
        self._pressed_before = False
        self._interrupt: Callable[[], Awaitable[None]] | None = None
        self._failed: Callable[[str], None] = lambda _: None
        self._work: asyncio.Task[Any] | None = None
        self._status: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def watch(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work until it ends; raises :class:`Left` once it has been cancelled to leave."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._pressed)
        loop.add_signal_handler(signal.SIGTERM, self._leave, TERMINATED)
        loop.add_signal_handler(signal.SIGHUP, self._leave, TERMINATED)
        self._work = task = asyncio.create_task(work)
        try:
            return await task
        except asyncio.CancelledError:
            if self._status is None:
                raise
            raise Left(self._status) from None
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    @contextmanager
    def interruptible(
        self, interrupt: Callable[[], Awaitable[None]], failed: Callable[[str], None]
    ) -> Iterator[None]:
        """While this is open a first Ctrl-C calls ``interrupt``, and ``failed`` is told why it could not."""
        self._interrupt, self._failed = interrupt, failed
        self.interrupted = self._pressed_before = False
        try:
            yield
        finally:
            self._interrupt = None

    def _pressed(self) -> None:
        if self._interrupt is None or self._pressed_before:
            self._leave(INTERRUPTED)
            return
        self.interrupted = self._pressed_before = True
        self._task = asyncio.create_task(self._try(self._interrupt))

    async def _try(self, interrupt: Callable[[], Awaitable[None]]) -> None:
        try:
            await interrupt()
        except KernelwayError as error:
            self.interrupted = False
            self._failed(f"The code could not be interrupted: {error} Ctrl-C again leaves.")

    def _leave(self, status: int) -> None:
        assert self._work is not None
        if self._status is not None:
            # It is leaving already, and that takes too long for the person. Guard processes end what is left.
            os._exit(status)
        self._status = status
        self._work.cancel()
