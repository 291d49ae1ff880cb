"""A kernel's journal, read as a log."""

from __future__ import annotations

import asyncio

import pytest
from tests.client.gateways import Place
from tests.client.link_host import LinkHost, linked, refusal, served
from tests.client.scripted import KERNEL_ID

from kernelway.client import Gateway, LinkStatus
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import InvalidRequest, LinkLost
from kernelway.protocol.link_framing import Hole, Position
from kernelway.protocol.message import MessageId

DEADLINE = 20


def texts(entries) -> list[str]:
    """What of the entries a test compares."""
    found = []
    for entry in entries:
        if entry.hole is not None:
            found.append(f"hole {entry.position}: {entry.hole.reason}")
        elif entry.is_request:
            found.append(f"> {entry.message.read_content()['code']}")
        elif entry.message.read_header().msg_type == "stream":
            found.append(entry.message.read_content()["text"])
    return found


async def read(log) -> list[str]:
    async with asyncio.timeout(DEADLINE), log:
        return texts([entry async for entry in log])


async def kernel_that_ran(host: LinkHost, *codes: str) -> None:
    async with linked(host) as kernel:
        for code in codes:
            await kernel.execute(code, timeout=DEADLINE).reply


async def test_a_log_is_everything_from_the_oldest_with_the_requests() -> None:
    host = LinkHost()
    await kernel_that_ran(host, "1", "2")
    async with served(host) as peer, Gateway(peer.base_url, token="t") as gateway:
        assert await read(gateway.log(KERNEL_ID)) == ["> 1", "1", "> 2", "2"]
        assert await read(gateway.log(KERNEL_ID, position=Position(4))) == ["> 2", "2"]
        newest = Position(len(host.journal))
        assert await read(gateway.log(KERNEL_ID, position=newest)) == []
        first = host.journal[1].message.read_header().msg_id
        assert await read(gateway.log(KERNEL_ID, after=MessageId(first))) == ["> 2", "2"]


async def test_a_log_ends_also_where_the_newest_entry_is_for_others() -> None:
    host = LinkHost()
    await kernel_that_ran(host, "1")
    host.reply(host.ran[0])
    async with served(host) as peer, Gateway(peer.base_url, token="t") as gateway:
        assert await read(gateway.log(KERNEL_ID)) == ["> 1", "1"]


async def test_an_empty_log() -> None:
    async with served(LinkHost()) as peer, Gateway(peer.base_url, token="t") as gateway:
        assert await read(gateway.log(KERNEL_ID)) == []


async def test_holes_are_entries_and_a_place_that_is_gone_is_one() -> None:
    host = LinkHost()
    await kernel_that_ran(host, "1", "2", "3")
    host.oldest = 5
    host.holes[7] = Hole("The disk was full.", 3)
    async with served(host) as peer, Gateway(peer.base_url, token="t") as gateway:
        expected = ["> 2", "2", "hole 7: The disk was full.", "> 3", "3"]
        assert await read(gateway.log(KERNEL_ID)) == expected
        gone = "hole 5: It is no longer kept."
        assert await read(gateway.log(KERNEL_ID, position=Position(1))) == [gone, *expected]


async def test_following_goes_on_across_breaks_until_the_kernel_ends() -> None:
    host = LinkHost()
    await kernel_that_ran(host, "1")
    seen: list[str] = []
    async with (
        asyncio.timeout(DEADLINE),
        served(host) as peer,
        Gateway(peer.base_url, token="t") as gateway,
        gateway.log(KERNEL_ID, follow=True) as log,
    ):
        async for entry in log:
            seen += texts([entry])
            if seen[-1:] == ["1"] and entry.message.read_header().msg_type == "status":
                host.cut()
                host.publish("stream", {"name": "stdout", "text": "2"})
            if seen[-1] == "2":
                host.cut()
                host.publish("stream", {"name": "stdout", "text": "3"})
            if seen[-1] == "3":
                await host.until(lambda: bool(host.sockets))
                await host.close(CloseCode.KERNEL_GONE, "It was shut down.")
        assert log.link.status is LinkStatus.GONE
    assert seen == ["> 1", "1", "2", "3"]


async def test_a_log_that_is_lost_says_so() -> None:
    host = LinkHost()
    async with (
        asyncio.timeout(DEADLINE),
        served(host) as peer,
        Gateway(peer.base_url, token="t", reconnect_for=0.2) as gateway,
        gateway.log(KERNEL_ID, follow=True) as log,
    ):
        host.refuse = refusal(503, "Not now.")
        host.cut()
        with pytest.raises(LinkLost, match="Not now"):
            async for _ in log:
                pass


async def test_a_slow_reader_holds_little() -> None:
    host = LinkHost()
    for number in range(200):
        host.publish("stream", {"name": "stdout", "text": f"{number:03}" + "x" * 200_000})
    most, numbers = 0, []
    async with (
        asyncio.timeout(DEADLINE),
        served(host) as peer,
        Gateway(peer.base_url, token="t") as gateway,
        gateway.log(KERNEL_ID) as log,
    ):
        async for entry in log:
            await asyncio.sleep(0.001)
            most = max(most, log._size)
            numbers.append(int(texts([entry])[0][:3]))
    assert numbers == list(range(200))
    assert most < 2 * 2**20


async def test_after_and_position_exclude_each_other() -> None:
    async with Gateway("http://127.0.0.1:1", token="t") as gateway:
        with pytest.raises(InvalidRequest, match="not after both"):
            gateway.log(KERNEL_ID, after=MessageId("m"), position=Position(1))


@pytest.mark.parametrize("fixture", ["stock_jupyter_server", "stock_kernel_gateway"])
async def test_stock_servers_keep_no_journal(request: pytest.FixtureRequest, fixture: str) -> None:
    place: Place = request.getfixturevalue(fixture)
    async with place.gateway() as gateway:
        kernel = await gateway.start_kernel("python3")
        with pytest.raises(InvalidRequest, match="keeps no journal"):
            async with gateway.log(kernel.id):
                pass
        assert await gateway.ended() == []
        await kernel.execute("1", timeout=DEADLINE).reply
        await kernel.delivered(timeout=DEADLINE)
        await kernel.shutdown()
