"""The states of a link, as events."""

from __future__ import annotations

import asyncio

from kernelway.client.link_status import LinkEvents, LinkStatus


async def test_a_link_begins_connected() -> None:
    event = LinkEvents().now
    assert (event.status, event.reason, event.attempt) == (LinkStatus.CONNECTED, "", 0)


async def test_a_status_keeps_its_beginning_over_all_tries() -> None:
    events = LinkEvents()
    events.change(LinkStatus.RECONNECTING, "It broke.", 1)
    first = events.now
    events.change(LinkStatus.RECONNECTING, "Nobody listens.", 2)
    assert events.now.since == first.since
    assert (events.now.reason, events.now.attempt) == ("Nobody listens.", 2)
    events.change(LinkStatus.CONNECTED, attempt=2)
    assert events.now.since > first.since


async def test_who_reads_slowly_gets_the_latest_and_the_end() -> None:
    events = LinkEvents()
    feed = events.follow()
    events.change(LinkStatus.RECONNECTING, "1", 1)
    events.change(LinkStatus.RECONNECTING, "2", 2)
    events.change(LinkStatus.GONE, "It ended.")
    events.change(LinkStatus.CONNECTED)
    async with asyncio.timeout(10):
        assert [(event.status, event.reason) async for event in feed] == [(LinkStatus.GONE, "It ended.")]
        assert [event async for event in events.follow()] == []
    assert events.now.status is LinkStatus.GONE


async def test_a_closed_feed_hears_nothing_and_is_forgotten() -> None:
    events = LinkEvents()
    feed = events.follow()
    feed.close()
    events.change(LinkStatus.RECONNECTING)
    assert [event async for event in feed] == []
    assert events._followers == []
