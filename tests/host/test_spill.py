"""The thread that writes, with work that fails and recovers."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.host.journal_talk import DEADLINE

from kernelway.host.spill import Spill


@asynccontextmanager
async def spill() -> AsyncIterator[Spill]:
    made = Spill(Path("/journals"), retry=0.01)
    made.start()
    try:
        yield made
    finally:
        assert await made.stop(DEADLINE)


async def test_work_is_done_in_order_in_another_thread_and_told_in_this_one() -> None:
    done: list[tuple[str, int, bool]] = []
    here = threading.current_thread()

    def work(number: int) -> Callable[[], Callable[[], None]]:
        def run() -> Callable[[], None]:
            done.append(("worked", number, threading.current_thread() is here))
            return lambda: done.append(("told", number, threading.current_thread() is here))

        return run

    async with spill() as writer:
        for number in range(3):
            writer.do(work(number))
        await asyncio.wait_for(writer.idle(), DEADLINE)
    assert [each for each in done if each[0] == "worked"] == [("worked", n, False) for n in range(3)]
    assert [each for each in done if each[0] == "told"] == [("told", n, True) for n in range(3)]


async def test_what_fails_is_tried_again_and_told_meanwhile() -> None:
    full = True
    tried = asyncio.Event()
    done = asyncio.Event()
    other = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fails() -> Callable[[], None]:
        if full:
            loop.call_soon_threadsafe(tried.set)
            raise OSError(errno.ENOSPC, "No space left on device")
        return done.set

    async with spill() as writer, asyncio.timeout(DEADLINE):
        writer.do(fails)
        writer.do(lambda: other.set)
        await other.wait()
        assert writer.trouble == "The journals in '/journals' cannot be written: No space left on device."
        tried.clear()
        await tried.wait()
        full = False
        await writer.idle()
        assert done.is_set()
    assert writer.trouble is None


async def test_what_fails_to_the_end_does_not_keep_the_thread() -> None:
    def fails() -> Callable[[], None]:
        raise PermissionError(errno.EACCES, "Permission denied")

    async with spill() as writer:
        writer.do(fails)


async def test_what_was_handed_over_before_the_end_is_done() -> None:
    done: list[int] = []
    async with spill() as writer:
        for number in range(100):
            writer.do(partial(partial, done.append, number))
    assert done == list(range(100))
