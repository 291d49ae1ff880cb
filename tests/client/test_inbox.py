"""Bounded buffers for one reader."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from kernelway.client.inbox import Ended, Feed, Inbox, Latest
from kernelway.protocol.errors import KernelDied, LimitReached


async def read(inbox: Inbox[int]) -> tuple[list[int], Exception]:
    got = []
    try:
        while True:
            got.append(await inbox.get())
    except (Ended, LimitReached, KernelDied) as end:
        return got, end


async def test_items_come_in_order_and_then_the_end() -> None:
    inbox = Inbox[int](10, whose="They")
    for number in range(3):
        inbox.put(number, 1)
    inbox.end()
    inbox.put(99, 1)
    got, end = await read(inbox)
    assert got == [0, 1, 2]
    assert isinstance(end, Ended)


async def test_what_came_is_read_before_the_error_and_the_first_end_counts() -> None:
    inbox = Inbox[int](10, whose="They")
    inbox.put(1, 1)
    inbox.end(KernelDied("first"))
    inbox.end(KernelDied("second"))
    got, end = await read(inbox)
    assert got == [1]
    assert str(end) == "first"


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 200))
def test_the_bound_is_in_bytes_and_nothing_before_it_is_lost(sizes: list[int], limit: int) -> None:
    async def run() -> None:
        inbox = Inbox[int](limit, whose="The outputs")
        for number, size in enumerate(sizes):
            inbox.put(number, size)
        inbox.end()
        got, end = await read(inbox)
        fitting = [n for n in range(len(sizes)) if sum(sizes[: n + 1]) <= limit]
        assert got == fitting
        assert isinstance(end, Ended if len(got) == len(sizes) else LimitReached)

    asyncio.run(run())


async def test_reading_makes_room() -> None:
    inbox = Inbox[int](10, whose="They")
    for number in range(100):
        inbox.put(number, 10)
        assert await inbox.get() == number


async def test_a_cancelled_wait_loses_nothing() -> None:
    inbox = Inbox[int](10, whose="They")
    waiting = asyncio.create_task(inbox.get())
    async with asyncio.timeout(5):
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        inbox.put(1, 1)
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert await inbox.get() == 1


async def test_leaving_a_feed_forgets_it() -> None:
    forgotten = []
    inbox = Inbox[int](10, whose="They")
    inbox.put(1, 1)
    inbox.put(2, 1)
    feed = Feed(inbox, lambda: forgotten.append(True))
    iteration = aiter(feed)
    assert await anext(iteration) == 1
    await iteration.aclose()
    assert forgotten
    assert inbox.ended
    assert [item async for item in feed] == []


async def test_the_latest_item_takes_the_place_of_an_unread_one() -> None:
    latest = Latest[int]()
    feed = Feed(latest, lambda: None)
    latest.put(1)
    latest.put(2)
    assert await latest.get() == 2
    latest.put(3)
    latest.end()
    latest.put(4)
    assert [item async for item in feed] == [3]
