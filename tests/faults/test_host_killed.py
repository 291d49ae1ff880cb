"""kill -9 of the host: what it leaves, and what is known once there is a host again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest
from tests.faults.conftest import Note
from tests.faults.load import difference, kept, numbers_in, run
from tests.faults.serving import Serving, until_gone

from kernelway.client import Execution
from kernelway.client.link_status import LinkStatus
from kernelway.protocol.errors import KernelDied

ENOUGH = 500
"""Outputs before the end."""

_CHILDREN = """
import subprocess
subprocess.Popen(["sleep", "600"])
subprocess.Popen(["sleep", "600"], start_new_session=True)
subprocess.run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"])
"""

_SHOW = """
import time
i = 0
while True:
    show(f"{i}\\n")
    i += 1
    time.sleep(0.001)
"""


def of_host(host: psutil.Process) -> list[psutil.Process]:
    """Everything that carries the mark of the host's kernels, and the host's own children."""
    marks = {
        entry
        for child in host.children(recursive=True)
        for entry in _environ(child.pid)
        if entry.startswith(b"KERNELWAY_HOST=")
    }
    assert len(marks) == 1
    marked = [each for each in psutil.process_iter() if marks & set(_environ(each.pid))]
    return [*marked, *host.children(recursive=True)]


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


async def read_into(numbers: list[int], execution: Execution, enough: asyncio.Event) -> None:
    """Read what an execution shows for as long as it shows something."""
    async for output in execution:
        numbers += numbers_in(output)
        if numbers[-1:] == [ENOUGH]:
            enough.set()


async def test_a_killed_host_leaves_no_process_and_what_was_printed(serving: Serving, note: Note) -> None:
    numbers: list[int] = []
    enough = asyncio.Event()
    with serving.running() as first:
        async with first.client() as gateway, asyncio.timeout(100):
            kernel = await gateway.start_kernel("small")
            await run(kernel, _CHILDREN)
            reading = asyncio.create_task(read_into(numbers, kernel.execute(_SHOW), enough))
            await enough.wait()
            left = of_host(first.host)
            assert len([each for each in left if each.name() == "sleep"]) >= 3
            first.host.kill()
            took = await until_gone(left, deadline=5)
            with serving.running(port=first.port):
                with pytest.raises(KernelDied) as died:
                    await reading
                assert kernel.link.status is LinkStatus.GONE
                log, holes = await kept(gateway, kernel.id)
    assert numbers == list(range(len(numbers))), difference(numbers, list(range(len(numbers))))
    assert log == list(range(len(log))), difference(log, list(range(len(log))))
    assert not holes
    assert len(log) >= ENOUGH
    note("seconds until the gateway, the kernel and all it had started were gone", f"{took:.2f}")
    note("outputs that the client had, that the journal has", f"{len(numbers)}, {len(log)}")
    note("what the client was told", died.value)
