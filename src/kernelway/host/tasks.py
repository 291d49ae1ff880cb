"""Work that goes on to its end even where whoever asked for it goes away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from kernelway.protocol.errors import KernelwayError

log = logging.getLogger(__name__)

_T = TypeVar("_T")


def log_failure(task: asyncio.Task[Any]) -> None:
    """A done callback: what a task raises unexpectedly is in the log at once, awaited by anybody or not."""
    if task.cancelled():
        return
    error = task.exception()
    if error is not None and not isinstance(error, KernelwayError):
        log.error("The task %r failed.", task.get_name(), exc_info=error)


class Tasks:
    """Owns tasks, which only who began one may cancel; :meth:`ended` is awaited before their owner goes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, _T], *, name: str) -> _T:
        """The work's result, or what it raises; cancelling this leaves the work to go on."""
        task = self.begin(work, name=name)
        await asyncio.wait({task})
        return task.result()

    def begin(self, work: Coroutine[Any, Any, _T], *, name: str) -> asyncio.Task[_T]:
        """A task for the work, which the caller may wait for; to cancel it is to give the work up."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(log_failure)
        return task

    async def ended(self) -> None:
        """Wait until all of it has ended, in whatever way."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def to_the_end(work: Coroutine[Any, Any, None], *, name: str) -> None:
    """Wait for work that must be done before this returns; a cancellation counts afterwards."""
    task = asyncio.create_task(work, name=name)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
