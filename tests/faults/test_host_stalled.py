"""A host that does not come to read what its kernels publish: its event loop is blocked, or flooded."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.faults.conftest import Note
from tests.faults.load import difference, numbers_in
from tests.faults.serving import Serving, pss

from kernelway.client import Kernel

STALLING = Path(__file__).with_name("stalling_serve.py")

_SHOW = {
    "small": "",
    "python3": "def show(text): print(text, end='', flush=True)",
}

_PUBLISH = """
import pathlib, time
show("0\\n")
while not pathlib.Path({stalled!r}).exists():
    time.sleep(0.01)
for i in range(1, {count}):
    show(f"{{i}}\\n")
pathlib.Path({published!r}).touch()
"""

_FLOOD = """
for i in range({count}):
    show(f"{{i}}\\n")
"""


async def numbers_of(kernel: Kernel, code: str, *, seen: asyncio.Event | None = None) -> list[int]:
    """Everything that the code shows."""
    numbers: list[int] = []
    execution = kernel.execute(code)
    async for output in execution:
        numbers += numbers_in(output)
        if seen is not None:
            seen.set()
    reply = await execution.reply
    assert reply.status == "ok", reply
    return numbers


@pytest.mark.parametrize("spec", ["small", "python3"])
async def test_nothing_is_lost_while_the_event_loop_of_the_host_is_blocked(
    serving: Serving, long: bool, note: Note, tmp_path: Path, spec: str
) -> None:
    count, seconds = (60_000, 20) if long else (6_000, 2)
    stalled, published = tmp_path / "stalled", tmp_path / "published"
    program = (sys.executable, "-P", STALLING, stalled, published, str(seconds))
    with serving.running(program=program) as running:
        async with running.client() as gateway, asyncio.timeout(300 if long else 60):
            kernel = await gateway.start_kernel(spec)
            seen = asyncio.Event()
            assert await numbers_of(kernel, _SHOW[spec]) == []
            code = _PUBLISH.format(stalled=str(stalled), published=str(published), count=count)
            publishing = asyncio.create_task(numbers_of(kernel, code, seen=seen))
            await seen.wait()
            running.host.send_signal(signal.SIGUSR1)
            numbers = await publishing
            await kernel.shutdown()
        assert "The event loop was blocked" in running.process.text
    assert numbers == list(range(count)), difference(numbers, list(range(count)))
    note(f"{spec}: seconds blocked", f"{seconds} at least")
    note(f"{spec}: outputs", f"{len(numbers)} of {count}, each once")


async def test_nothing_is_lost_where_many_kernels_flood_at_once(
    serving: Serving, long: bool, note: Note
) -> None:
    kernels, count = (20, 10_000) if long else (8, 1_000)
    with serving.running() as running:
        async with running.client() as gateway, asyncio.timeout(300 if long else 90):
            flooding = await asyncio.gather(*(gateway.start_kernel("small") for _ in range(kernels)))
            began = time.monotonic()
            code = _FLOOD.format(count=count)
            everything = await asyncio.gather(*(numbers_of(kernel, code) for kernel in flooding))
            took = time.monotonic() - began
            memory = pss(running.host)
            await asyncio.gather(*(kernel.shutdown() for kernel in flooding))
    for numbers in everything:
        assert numbers == list(range(count)), difference(numbers, list(range(count)))
    note("kernels", kernels)
    note("outputs of each", f"{count} of {count}, each once")
    note("seconds", f"{took:.1f}")
    note("host's memory after that, MiB", memory >> 20)
