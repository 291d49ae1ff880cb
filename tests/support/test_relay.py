"""The relay breaks connections exactly where it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.relay import Direction, Relay, random_faults

DEADLINE = 20.0


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it gets; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def through(relay: Relay) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection through the relay."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_what_goes_in_comes_back() -> None:
    data = bytes(range(256)) * 4096
    async with asyncio.timeout(DEADLINE), echo() as port, Relay(port) as relay, through(relay) as (came, go):
        go.write(data)
        assert await came.readexactly(len(data)) == data
        assert relay.passed == dict.fromkeys(Direction, len(data))
        go.write_eof()
        assert await came.read() == b""


@pytest.mark.parametrize("direction", Direction)
async def test_a_cut_comes_after_exactly_so_many_bytes(direction: Direction) -> None:
    async with asyncio.timeout(DEADLINE), echo() as port, Relay(port) as relay, through(relay) as (came, go):
        go.write(b"before")
        assert await came.readexactly(6) == b"before"
        cutting = asyncio.create_task(relay.cut_within(direction, 1000))
        await asyncio.sleep(0)
        go.write(bytes(5000))
        with pytest.raises(ConnectionError):
            await came.readexactly(5000)
        await cutting
        assert relay.passed[direction] == 1006
        assert relay.cuts == 1


async def test_after_a_cut_one_connects_again() -> None:
    async with asyncio.timeout(DEADLINE), echo() as port, Relay(port) as relay:
        async with through(relay) as (came, go):
            go.write(b"one")
            await came.readexactly(3)
            relay.cut()
            with pytest.raises(ConnectionError):
                await came.readexactly(1)
        async with through(relay) as (came, go):
            go.write(b"two")
            assert await came.readexactly(3) == b"two"


async def test_while_it_refuses_nobody_connects() -> None:
    async with asyncio.timeout(DEADLINE), echo() as port, Relay(port) as relay:
        async with relay.refusing():
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", relay.port)
        async with through(relay) as (came, go):
            go.write(b"again")
            assert await came.readexactly(5) == b"again"


async def test_while_it_holds_nothing_passes_and_then_everything_does() -> None:
    async with asyncio.timeout(DEADLINE), echo() as port, Relay(port) as relay, through(relay) as (came, go):
        with relay.holding():
            go.write(b"held")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(came.read(1), 0.1)
            assert relay.passed[Direction.TO_SERVER] == 0
        assert await came.readexactly(4) == b"held"


def test_a_seed_makes_the_same_faults_each_time() -> None:
    once, again = (random_faults(7, 50, to_client=1000, to_server=100) for _ in range(2))
    assert once == again
    assert len({(fault.kind, fault.direction) for fault in once}) == 6
    assert all(
        1 <= fault.after <= (1000 if fault.direction is Direction.TO_CLIENT else 100) for fault in once
    )
