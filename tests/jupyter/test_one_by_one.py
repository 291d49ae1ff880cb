from __future__ import annotations

import asyncio

import pytest

from kernelway.jupyter.one_by_one import OneByOne
from kernelway.protocol.errors import Conflict

NEVER = 3600.0


async def refused(admission: asyncio.Task[None]) -> bool:
    async with asyncio.timeout(30):
        return isinstance((await asyncio.gather(admission, return_exceptions=True))[0], Conflict)


async def test_the_end_of_one_kernel_is_admitted() -> None:
    await OneByOne(within=0.01).admit("a")


async def test_several_requests_for_one_kernel_are_one() -> None:
    one = OneByOne(within=0.01)
    await asyncio.gather(one.admit("a"), one.admit("a"))


async def test_of_two_kernels_at_once_neither_is_ended() -> None:
    one = OneByOne(within=NEVER)
    admissions = [asyncio.create_task(one.admit(kernel)) for kernel in ("a", "b")]
    assert [await refused(each) for each in admissions] == [True, True]


async def test_who_comes_after_a_refusal_is_one_of_the_many() -> None:
    one = OneByOne(within=NEVER)
    for kernel in ("a", "b", "c"):
        asyncio.create_task(one.admit(kernel)).add_done_callback(lambda done: done.exception())
    with pytest.raises(Conflict, match="one after another"):
        await one.admit("d")


async def test_one_after_another_they_are_admitted() -> None:
    one = OneByOne(within=0.01)
    await one.admit("a")
    await asyncio.sleep(0.02)
    await one.admit("b")


async def test_nobody_is_held_up_by_a_caller_who_gave_up() -> None:
    one = OneByOne(within=NEVER)
    gone = asyncio.create_task(one.admit("a"))
    await asyncio.sleep(0)
    gone.cancel()
    other = asyncio.create_task(one.admit("b"))
    assert await refused(other)
