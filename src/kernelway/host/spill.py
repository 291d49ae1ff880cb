"""The thread in which a host writes its journals, so that its event loop never waits for a disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

log = logging.getLogger(__name__)

Work: TypeAlias = Callable[[], Callable[[], None]]
"""What the thread is to do, once more after an OSError; what it returns is then called in the event loop."""


class Spill:
    """Does work in order, in one thread; what fails is tried again until it works or the thread ends.

    While something fails, other work is done: to delete may be what makes room. Whoever hands over work
    bounds how much of it there is. ``retry`` is in seconds.
    """

    def __init__(self, folder: Path, *, retry: float) -> None:
        self.trouble: str | None = None
        """Why something cannot be written now, in a sentence."""
        self._folder = folder
        self._retry = retry
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failed: list[Work] = []
        self._retry_at = 0.0
        self._reported: str | None = None
        self._undone = 0
        self._idle: asyncio.Event | None = None

    def start(self) -> None:
        """Start the thread, which calls back in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def do(self, work: Work) -> None:
        """Hand over work; never waits."""
        self._undone += 1
        self._queue.put(work)

    async def idle(self) -> None:
        """Return once nothing is left to do; that may be never where something fails."""
        while self._undone:
            if self._idle is None:
                self._idle = asyncio.Event()
            await self._idle.wait()

    def _done(self, then: Callable[[], None]) -> None:
        then()
        self._undone -= 1
        if not self._undone and self._idle is not None:
            self._idle.set()
            self._idle = None

    async def stop(self, deadline: float) -> bool:
        """End the thread once it has done, or tried, all that was handed over; False where it is still at it.

        What works then is called back before this returns.
        """
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, deadline)
        # What the thread has called back last is behind this in the event loop's queue.
        called = asyncio.Event()
        asyncio.get_running_loop().call_soon(called.set)
        await called.wait()
        return not self._thread.is_alive()

    # In the thread

    def _run(self) -> None:
        ended = False
        try:
            self._serve()
            ended = True
        finally:
            if not ended:
                self._tell("The thread that writes the journals has failed; see the log.")

    def _serve(self) -> None:
        while True:
            if self._failed and time.monotonic() >= self._retry_at:
                self._try_again()
            wait = max(0.0, self._retry_at - time.monotonic()) if self._failed else None
            try:
                work = self._queue.get(timeout=wait)
            except queue.Empty:
                continue
            if work is None:
                break
            self._attempt(work)
        self._try_again()

    def _try_again(self) -> None:
        failed, self._failed = self._failed, []
        for work in failed:
            self._attempt(work)
        if failed and not self._failed:
            self._reported = None
            self._tell(None)
            log.info("The journals in %s can be written again.", self._folder)

    def _attempt(self, work: Work) -> None:
        try:
            then = work()
        except OSError as error:
            self._failed.append(work)
            self._retry_at = time.monotonic() + self._retry
            self._report(error)
        else:
            self._call(lambda: self._done(then))

    def _report(self, error: OSError) -> None:
        trouble = f"The journals in {str(self._folder)!r} cannot be written: {error.strerror or error}."
        if trouble != self._reported:
            self._reported = trouble
            log.error("%s Kernels go on; what they say is kept in memory as far as it goes.", trouble)
            self._tell(trouble)

    def _tell(self, trouble: str | None) -> None:
        self._call(lambda: self._note(trouble))

    def _note(self, trouble: str | None) -> None:
        self.trouble = trouble

    def _call(self, then: Callable[[], None]) -> None:
        assert self._loop is not None
        # The loop is closed where the thread took longer to end than its owner could wait.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(then)
