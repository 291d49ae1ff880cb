"""Identities and ends of real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.host.talk import turn

from kernelway.host.processes import ProcessIdentity, wait_for_exit

DEADLINE = 10.0


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and leave a zombie."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_an_identity_is_that_of_one_process_only(process: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(process.pid)
    assert identity == ProcessIdentity.of(process.pid)
    assert identity.started
    assert identity.boot
    assert identity.boot == ProcessIdentity.of(os.getpid()).boot
    assert identity.is_running()


@pytest.mark.parametrize("changed", [{"started": "1"}, {"boot": "another"}])
def test_a_reused_pid_is_another_process(process: subprocess.Popen[bytes], changed: dict[str, str]) -> None:
    assert not msgspec.structs.replace(ProcessIdentity.of(process.pid), **changed).is_running()


def test_a_process_that_ended_is_not_running_reaped_or_not(process: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(process.pid)
    end(process)
    assert not identity.is_running()
    with pytest.raises(ProcessLookupError):
        ProcessIdentity.of(process.pid)
    process.wait(DEADLINE)
    assert not identity.is_running()
    with pytest.raises(ProcessLookupError):
        ProcessIdentity.of(process.pid)


def test_a_name_like_the_fields_after_it_is_no_trap(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b c"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "600"]) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity.is_running()
        assert int(identity.started) > 1
        process.kill()


def test_it_can_be_written_down(process: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(process.pid)
    assert msgspec.json.decode(msgspec.json.encode(identity), type=ProcessIdentity) == identity


async def test_the_exit_is_noticed_and_left_to_be_reaped(process: subprocess.Popen[bytes]) -> None:
    waiting = asyncio.create_task(wait_for_exit(process.pid))
    await turn()
    assert not waiting.done()
    process.kill()
    async with asyncio.timeout(DEADLINE):
        await waiting
    assert process.wait(0) == -9


async def test_an_exit_long_ago_is_noticed_too(process: subprocess.Popen[bytes]) -> None:
    end(process)
    async with asyncio.timeout(DEADLINE):
        await wait_for_exit(process.pid)
        process.wait(DEADLINE)
        await wait_for_exit(process.pid)


async def test_waiting_can_be_given_up(process: subprocess.Popen[bytes]) -> None:
    waiting = [asyncio.create_task(wait_for_exit(process.pid)) for _ in range(3)]
    await turn()
    for task in waiting[:2]:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    process.kill()
    async with asyncio.timeout(DEADLINE):
        await waiting[2]
