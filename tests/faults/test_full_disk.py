"""A disk that is full: kernels go on, and it is told what could not be kept."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.conftest import Note
from tests.faults.load import difference, kept, numbers_in
from tests.faults.serving import Serving

from kernelway.client import Kernel

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="Only root can mount a small file system.")

SIZE = 24 << 20

BALLAST = 20 << 20

JOURNAL = 16 << 20

COUNT = 17_000
"""Outputs of ten kilobytes: more than this disk and a host's memory hold for a kernel."""

_SHOW = """
for i in range({first}, {last}):
    show(f"{{i:<10000}}\\n")
"""


@pytest.fixture
def small_disk(serving: Serving) -> Iterator[Path]:
    """A file system of 24 MiB where the journals are kept."""
    place = serving.state / "journals"
    serving.state.mkdir(mode=0o700)
    place.mkdir(mode=0o700)
    options = f"size={SIZE},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"No small file system can be mounted here: {mounted.stderr}")
    yield place
    subprocess.run(["umount", place], check=True)


async def show(kernel: Kernel, first: int, last: int) -> None:
    """Let the kernel show numbers, and check that all of them are heard."""
    numbers: list[int] = []
    execution = kernel.execute(_SHOW.format(first=first, last=last))
    async for output in execution:
        numbers += numbers_in(output)
    assert (await execution.reply).status == "ok"
    expected = list(range(first, last))
    assert numbers == expected, difference(numbers, expected)


async def test_kernels_go_on_while_the_disk_is_full_and_the_hole_is_told(
    serving: Serving, small_disk: Path, note: Note
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(BALLAST))
    with serving.running("--journal-size", str(JOURNAL)) as running:
        async with running.client() as gateway, asyncio.timeout(100):
            kernel = await gateway.start_kernel("small")
            await show(kernel, 0, COUNT)
            full = await gateway.status()
            assert isinstance(full.trouble, str)
            assert "No space left" in full.trouble
            assert full.trouble in running.process.text
            there, told = await kept(gateway, kernel.id)
            ballast.unlink()
            await asyncio.to_thread(running.process.until_text, "can be written again")
            await show(kernel, COUNT, COUNT + 200)
            assert not (await gateway.status()).trouble
            again, holes = await kept(gateway, kernel.id)
            used = sum(path.stat().st_size for path in small_disk.rglob("*") if path.is_file())
            await kernel.shutdown()
    assert told
    assert there == sorted(set(there))
    assert there[-1] == COUNT - 1
    assert sum(hole.messages or 0 for hole in told) == COUNT - there[0] - len(there)
    assert used <= JOURNAL
    assert again == sorted(set(again))
    assert sum(hole.messages or 0 for hole in holes) == COUNT + 200 - again[0] - len(again)
    assert again[-200:] == list(range(COUNT, COUNT + 200))
    note("outputs that a client heard while the disk was full", f"{COUNT} of {COUNT}")
    note("outputs that were kept then", f"{len(there)} of {COUNT}")
    note("holes that were told", "; ".join(f"{hole.messages}: {hole.reason}" for hole in told))
    note("outputs that are kept once there was room again", f"{len(again)} from {again[0]} on")
    note("status, and the log", full.trouble)
