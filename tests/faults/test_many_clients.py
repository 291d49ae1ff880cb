"""Many clients of many kernels, whose gateway is killed while all kernels publish."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.faults.conftest import Note
from tests.faults.links import Links, now
from tests.faults.load import difference
from tests.faults.serving import Serving

from kernelway.client import Feed
from kernelway.protocol.message import Message

_SHOW = """
import time
for i in range({count}):
    show(f"{{i}}\\n")
    time.sleep({pause})
"""

_LONG = [
    pytest.param(20, 10, 1500, 0.02, id="200 clients"),
    pytest.param(20, 50, 100, 0.3, id="1000 clients"),
]
_SHORT = [pytest.param(4, 5, 500, 0.002, id="20 clients")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    scale = _LONG if metafunc.config.getoption("long", default=False) else _SHORT
    metafunc.parametrize(("kernels", "clients", "count", "pause"), scale)


async def test_all_clients_resume_after_the_gateway_was_killed(
    serving: Serving, note: Note, kernels: int, clients: int, count: int, pause: float
) -> None:
    """So many clients of each kernel, which says a number after each pause."""
    expected = list(range(count))
    with serving.running() as running:
        async with running.client() as gateway, asyncio.timeout(200):
            first = await asyncio.gather(*(gateway.start_kernel("small") for _ in range(kernels)))
            others = await asyncio.gather(
                *(gateway.connect(kernel.id) for kernel in first for _ in range(clients - 1))
            )
            everybody = [*first, *others]
            feeds = [kernel.messages() for kernel in everybody]
            middle = asyncio.Event()
            async with asyncio.TaskGroup() as readers, Links.of(everybody) as links:
                reading = [readers.create_task(read(feed, count, middle)) for feed in feeds]
                executions = [kernel.execute(_SHOW.format(count=count, pause=pause)) for kernel in first]
                await middle.wait()
                began, killed = time.monotonic(), now()
                await running.kill_gateway()
                await links.all_connected_since(killed)
                took = time.monotonic() - began
            for task in reading:
                assert task.result() == expected, difference(task.result(), expected)
            for execution in executions:
                assert (await execution.reply).status == "ok"
                execution.close()
            await asyncio.gather(*(kernel.shutdown() for kernel in first))
    note("clients, kernels", f"{len(everybody)}, {kernels}")
    note("numbered outputs for each client, each once and in order", count)
    note("seconds from the kill until all had resumed", f"{took:.2f}")


async def read(feed: Feed[Message], count: int, middle: asyncio.Event) -> list[int]:
    """The numbers that come, up to the last."""
    numbers: list[int] = []
    async for message in feed:
        if message.read_header().msg_type == "stream":
            numbers += [int(line) for line in message.read_content()["text"].split()]
            if numbers[-1] >= count // 2:
                middle.set()
            if numbers[-1] == count - 1:
                break
    return numbers
