"""What counts as a sign of life, on real sockets: any byte, both ways, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from kernelway.client.http import HttpClient
from kernelway.client.options import GatewayOptions
from kernelway.client.pulse import Patience, WatchedWebSocket, until_silent

PATIENCE = Patience(0.5, 0.5)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def opened(serve: Serve) -> AsyncIterator[WatchedWebSocket]:
    """A WebSocket to a server that shakes hands, and then does with the bytes what the test says."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        accept = base64.b64encode(hashlib.sha1(lines[b"Sec-WebSocket-Key"] + _GUID).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        try:
            await serve(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    served: list[asyncio.Task[None] | None] = []
    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with HttpClient(GatewayOptions(base_url=f"http://127.0.0.1:{port}")) as http:
            websocket = await http.websocket("api", query={}, subprotocols=[])
            try:
                yield websocket
            finally:
                websocket.drop()
                for task in served:
                    assert task is not None
                    task.cancel()
                await asyncio.gather(*filter(None, served), return_exceptions=True)


async def silence(websocket: WatchedWebSocket, *, listening: bool = True) -> None:
    """Receive, and return when the other side has been silent for too long."""
    reader = asyncio.create_task(websocket.receive())
    try:
        await until_silent(websocket, PATIENCE, listening=lambda: listening)
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_a_server_that_says_nothing_is_noticed() -> None:
    async with opened(never) as websocket, asyncio.timeout(20):
        began = asyncio.get_running_loop().time()
        await silence(websocket)
        assert asyncio.get_running_loop().time() - began >= PATIENCE.most * 0.99


async def test_who_receives_from_a_dropped_connection_is_told() -> None:
    async with opened(never) as websocket, asyncio.timeout(20):
        reader = asyncio.create_task(websocket.receive())
        await asyncio.sleep(0)
        websocket.abort()
        await reader
        assert websocket.closed


async def test_a_server_that_answers_pings_is_there() -> None:
    pings = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        while True:
            head = await reader.readexactly(6)
            assert head[0] == 0x89
            pings += 1
            writer.write(b"\x8a\x00")
            if pings == 3:
                done.set()

    done = asyncio.Event()
    async with opened(answer) as websocket, asyncio.timeout(20):
        watch = asyncio.create_task(silence(websocket))
        await done.wait()
        assert not watch.done()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def test_a_large_message_on_a_slow_line_is_no_silence() -> None:
    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x82\x7f" + struct.pack(">Q", 10_000_000))
        for _ in range(30):
            writer.write(b"x")
            await asyncio.sleep(0.05)
        done.set()
        await never(reader, writer)

    done = asyncio.Event()
    async with opened(dribble) as websocket, asyncio.timeout(30):
        watch = asyncio.create_task(silence(websocket))
        await done.wait()
        assert not watch.done()
        # And when the rest of it does not come, that is.
        await watch


async def test_a_large_message_of_ours_that_the_line_takes_is_no_silence() -> None:
    async def sip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(30):
            await reader.read(2**18)
            await asyncio.sleep(0.05)
        done.set()
        await never(reader, writer)

    done = asyncio.Event()
    async with opened(sip) as websocket, asyncio.timeout(30):
        watch = asyncio.create_task(silence(websocket))
        sending = asyncio.create_task(websocket.send_bytes(bytes(50_000_000)))
        await done.wait()
        assert not watch.done()
        await watch
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_silence_is_nobodys_fault_while_we_do_not_listen() -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            assert (await reader.readexactly(6))[0] == 0x89
        done.set()
        await never(reader, writer)

    done = asyncio.Event()
    async with opened(count) as websocket, asyncio.timeout(20):
        watch = asyncio.create_task(silence(websocket, listening=False))
        await done.wait()
        assert not watch.done()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


@pytest.mark.parametrize("option", ["ping_after", "pong_within"])
def test_the_two_times_are_options(option: str) -> None:
    assert getattr(GatewayOptions(base_url="http://h"), option) == 10
