from __future__ import annotations

import asyncio

from kernelway.jupyter.changes import Changes
from kernelway.jupyter.place import PlaceChange

LOST, BACK = PlaceChange("a", "It is off"), PlaceChange("a", None)
OTHER = PlaceChange("b", "It is off too")


async def read(changes: Changes, *told: PlaceChange) -> list[PlaceChange]:
    """What one reader gets of these, where it reads only afterwards."""
    feed = changes.follow()
    for change in told:
        changes.tell(change)
    changes.end()
    return [change async for change in feed]


async def test_changes_of_several_places_are_all_told() -> None:
    assert await read(Changes(), LOST, OTHER) == [LOST, OTHER]


async def test_who_reads_slowly_gets_the_latest_of_each_place() -> None:
    assert await read(Changes(), LOST, OTHER, BACK) == [OTHER, BACK]


async def test_a_reader_that_waits_is_told() -> None:
    changes = Changes()
    feed = changes.follow()
    reading = asyncio.create_task(anext(aiter(feed)))
    await asyncio.sleep(0)
    changes.tell(LOST)
    assert await asyncio.wait_for(reading, 30) == LOST
    feed.close()


async def test_a_closed_feed_is_forgotten() -> None:
    changes = Changes()
    feed = changes.follow()
    feed.close()
    changes.tell(LOST)
    assert [change async for change in feed] == []


async def test_a_feed_of_what_has_ended_is_at_its_end() -> None:
    changes = Changes()
    changes.end()
    assert [change async for change in changes.follow()] == []
