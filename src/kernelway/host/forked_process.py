"""A process that another one forked, by its pidfd: no signal reaches whoever has its number next."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from kernelway.transport import deadlines

_STATUS_WITHIN = 2.0
"""Seconds from a process's end to word of its status by the one who forked it."""


class ForkedProcess:
    """A kernel that a fork server started. The pidfd is this object's, to be given back by :meth:`close`."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._told = asyncio.Event()
        """Set once the status is known, or never will be."""
        self._status: int | None = None
        self._loop.add_reader(pidfd, self._note_end)

    @property
    def is_gone(self) -> bool:
        """Whether it has exited."""
        return self._gone.is_set()

    def note_status(self, status: int) -> None:
        """It was reaped: its exit status, negative for the signal that ended it."""
        self._status = status
        self._told.set()
        self._note_end()

    def note_orphaned(self) -> None:
        """Who forked it is gone; nobody will learn its status any more."""
        self._told.set()

    def send_signal(self, number: int) -> None:
        """Send a signal to this process alone; none where it is gone."""
        if not self.is_gone and self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def exited(self) -> int | None:
        """Wait for its end; the exit status as ``Popen`` has it, None where that is not known."""
        await self._gone.wait()
        with contextlib.suppress(TimeoutError):
            async with deadlines.timeout(_STATUS_WITHIN):
                await self._told.wait()
        return self._status

    def close(self) -> None:
        """Give the descriptor back; from now on the process is taken for gone. Closing twice is no error."""
        if self._pidfd >= 0:
            self._note_end()
            os.close(self._pidfd)
            self._pidfd = -1

    def _note_end(self) -> None:
        if not self._gone.is_set():
            self._loop.remove_reader(self._pidfd)
            self._gone.set()
