"""Two questions at the same time."""

from __future__ import annotations

import asyncio

import pytest

from kernelway.cli.overlapping import both

DEADLINE = 30.0


async def test_each_goes_on_while_the_other_waits() -> None:
    asked = asyncio.Event()

    async def first() -> int:
        await asked.wait()
        return 1

    async def second() -> str:
        asked.set()
        return "two"

    async with asyncio.timeout(DEADLINE):
        assert await both(first(), second()) == (1, "two")


async def test_the_first_ones_error_goes_before_one_that_came_sooner() -> None:
    failed = asyncio.Event()

    async def first() -> None:
        await failed.wait()
        raise LookupError("first")

    async def second() -> None:
        failed.set()
        raise ValueError("second")

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(LookupError):
            await both(first(), second())


async def test_an_error_waits_for_the_other_to_end() -> None:
    ended = []

    async def first() -> None:
        raise LookupError("first")

    async def second() -> None:
        await asyncio.sleep(0)
        ended.append("second")

    with pytest.raises(LookupError):
        await both(first(), second())
    assert ended == ["second"]


async def test_who_gives_it_up_gives_up_both() -> None:
    began, ended = asyncio.Event(), []

    async def waiting(name: str) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    task = asyncio.create_task(both(waiting("first"), waiting("second")))
    async with asyncio.timeout(DEADLINE):
        await began.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert sorted(ended) == ["first", "second"]
