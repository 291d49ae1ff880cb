"""Deadlines, also where a task is being cancelled: each implementation, whichever this Python uses."""

from __future__ import annotations

import asyncio
import sys

import pytest

from kernelway.transport import deadlines

KINDS = [deadlines.timeout_before_3_11_3]
if sys.version_info >= (3, 11, 3):
    KINDS.append(asyncio.timeout)

pytestmark = pytest.mark.parametrize("timeout", KINDS)


async def test_what_is_in_time_goes_on(timeout) -> None:
    async with timeout(30):
        await asyncio.sleep(0)
    async with timeout(None):
        await asyncio.sleep(0)


async def test_what_is_late_is_told(timeout) -> None:
    with pytest.raises(TimeoutError):
        async with timeout(0):
            await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_of_the_block_is_its_own(timeout) -> None:
    with pytest.raises(ValueError, match="own"):
        async with timeout(30):
            raise ValueError("own")


async def test_a_cancellation_is_no_deadline(timeout) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with timeout(30):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cleanup_of_a_cancelled_task_has_its_deadlines(timeout) -> None:
    entered, late = asyncio.Event(), []

    async def work() -> None:
        try:
            entered.set()
            await asyncio.Event().wait()
        finally:
            try:
                async with timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                late.append("told")

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert late == ["told"]


async def test_the_inner_of_two_deadlines_is_told_inside(timeout) -> None:
    async with timeout(30):
        with pytest.raises(TimeoutError):
            async with timeout(0):
                await asyncio.Event().wait()
