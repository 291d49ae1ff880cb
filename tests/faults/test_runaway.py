"""A kernel that prints without end: what that costs, and whether anybody else notices."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from pathlib import Path

import psutil
import pytest
from tests.faults.conftest import Note
from tests.faults.serving import Running, Serving, pss
from tests.faults.stock import stock_socket

from kernelway.client import Execution, Kernel

_RUNAWAYS = {
    "short lines": ("while True: print('and on, and on')", 32 << 20),
    # ipykernel makes messages of them that are tens of megabytes large.
    "long lines": ("while True: print(1000 * 'x')", 192 << 20),
}
"""Code, and what the journal may take on disk."""


def size_of(folder: Path) -> int:
    """Bytes of all files below at one moment: it looks again where some came or went meanwhile."""
    while True:
        before = sorted(folder.rglob("*"))
        sizes = [path.stat().st_size for path in before if path.is_file()]
        if sorted(folder.rglob("*")) == before:
            return sum(sizes)


async def round_trip(kernel: Kernel) -> float:
    """Seconds for one execution of nothing."""
    began = time.monotonic()
    execution = kernel.execute("pass")
    async for _ in execution:
        pass
    assert (await execution.reply).status == "ok"
    return time.monotonic() - began


async def drain(execution: Execution) -> int:
    """Read everything; the characters."""
    count = 0
    async for output in execution:
        count += len(getattr(output, "text", ""))
    return count


class Watch:
    """The most that was seen of memory and disk."""

    def __init__(self, running: Running, gateway: psutil.Process, journals: Path) -> None:
        self._measured = {"host": running.host, "gateway": gateway}
        self._before = {name: pss(process) for name, process in self._measured.items()}
        self._journals = journals
        self.grown = dict.fromkeys(self._measured, 0)
        self.disk = 0

    def look(self) -> None:
        for name, process in self._measured.items():
            self.grown[name] = max(self.grown[name], pss(process) - self._before[name])
        self.disk = max(self.disk, size_of(self._journals))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("long", default=False)
    metafunc.parametrize("lines", list(_RUNAWAYS) if every else ["short lines"])


async def test_a_runaway_kernel_costs_little_and_can_be_interrupted(
    serving: Serving, long: bool, note: Note, lines: str
) -> None:
    seconds, trips = (60, 200) if long else (4, 20)
    code, journal = _RUNAWAYS[lines]
    with serving.running("--journal-size", str(journal)) as running:
        async with running.client() as gateway, asyncio.timeout(seconds + 100):
            runaway, other = await gateway.start_kernel("python3"), await gateway.start_kernel("python3")
            await round_trip(runaway)
            idle = statistics.median([await round_trip(other) for _ in range(trips)])
            watch = Watch(running, await running.gateway(), serving.state / "journals" / runaway.id)
            execution = runaway.execute(code)
            reading = asyncio.create_task(drain(execution))
            busy = []
            # Two that do not read what they are sent are no more trouble than the one that does.
            async with (
                stock_socket(running.base_url, runaway.id, uuid.uuid4().hex),
                gateway.log(runaway.id, follow=True),
            ):
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    busy.append(await round_trip(other))
                    watch.look()
            began = time.monotonic()
            await runaway.interrupt()
            assert (await execution.reply).content["ename"] == "KeyboardInterrupt"
            interrupted = time.monotonic() - began
            characters = await reading
            watch.look()
            await asyncio.gather(runaway.shutdown(), other.shutdown())
    assert watch.disk <= journal
    if lines == "short lines":
        assert max(watch.grown.values()) < 64 << 20
    note("seconds, characters that the client read", f"{seconds}, {characters:,}")
    for name, grown in watch.grown.items():
        note(f"memory of the {name} grew by, MiB", f"{grown / 2**20:.1f}")
    note(f"disk at most, MiB of {journal >> 20}", f"{watch.disk / 2**20:.1f}")
    note("seconds until the interrupt was answered", f"{interrupted:.2f}")
    note("round trip of another kernel, idle, ms", f"{idle * 1000:.2f}")
    note("round trip meanwhile, median ms", f"{statistics.median(busy) * 1000:.2f}")
    note("ratio", f"{statistics.median(busy) / idle:.2f}")
