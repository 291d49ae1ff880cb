"""A process that this one has a pidfd of, and no other claim to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from kernelway.host.forked_process import ForkedProcess

DEADLINE = 30.0


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as child:
        yield child
        child.kill()


@pytest.fixture
async def process(child: subprocess.Popen[bytes]) -> AsyncIterator[ForkedProcess]:
    process = ForkedProcess(child.pid, os.pidfd_open(child.pid))
    yield process
    process.close()


async def exited(process: ForkedProcess) -> int | None:
    async with asyncio.timeout(DEADLINE):
        return await process.exited()


async def test_its_end_is_noticed_and_the_status_is_what_is_told(process: ForkedProcess) -> None:
    waiting = [asyncio.create_task(exited(process)) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    while not process.is_gone:
        await asyncio.sleep(0)
    process.note_status(-signal.SIGTERM)
    assert await asyncio.gather(*waiting) == [-15, -15]


async def test_a_status_may_be_told_before_the_end_is_noticed(process: ForkedProcess) -> None:
    assert not process.is_gone
    process.note_status(3)
    assert process.is_gone
    assert await exited(process) == 3


async def test_who_has_no_parent_left_ends_with_no_status(process: ForkedProcess) -> None:
    process.note_orphaned()
    assert not process.is_gone
    process.send_signal(signal.SIGKILL)
    assert await exited(process) is None


async def test_a_status_that_nobody_tells_is_not_waited_for_long(
    process: ForkedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelway.host.forked_process._STATUS_WITHIN", 0.05)
    process.send_signal(signal.SIGKILL)
    assert await exited(process) is None


async def test_nothing_is_sent_to_who_is_gone(child: subprocess.Popen[bytes], process: ForkedProcess) -> None:
    child.kill()
    child.wait()
    # It was reaped, which is not known here yet.
    process.send_signal(signal.SIGKILL)
    process.note_orphaned()
    assert await exited(process) is None
    process.send_signal(signal.SIGKILL)


async def test_closing_gives_the_descriptor_back(process: ForkedProcess) -> None:
    descriptor = process._pidfd
    process.close()
    process.close()
    assert process.is_gone
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    process.send_signal(signal.SIGKILL)
