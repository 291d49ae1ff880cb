"""The guard as its host holds it, with real processes to guard."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.processes import until

from kernelway.host import guard as guard_module
from kernelway.host.guard import Guard

DEADLINE = 20.0


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="h-", dir=os.environ["XDG_RUNTIME_DIR"]))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def guard(folder: Path) -> Guard:
    return Guard(marker=f"GUARD_TEST={uuid.uuid4().hex}", folder=folder, environ=dict(os.environ))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


async def until_restarted(guard: Guard, former: int) -> None:
    async def restarted() -> bool:
        return guard.pid not in (former, None)

    await until(restarted, deadline=DEADLINE)


async def kill(guard: Guard) -> None:
    """Kill the guard and wait for the next one."""
    former = guard.pid
    assert former is not None
    os.kill(former, signal.SIGKILL)
    await until_restarted(guard, former)


async def test_leaving_ends_what_is_noted_and_removes_the_folder(
    guard: Guard, folder: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    (folder / "kernel").mkdir()
    (folder / "kernel" / "k.json").write_text("{}")
    async with guard:
        assert guard.pid is not None
        guard.note(sleeper.pid)
    assert sleeper.wait(DEADLINE) == -signal.SIGKILL
    assert not folder.exists()
    assert guard.pid is None


async def test_what_is_forgotten_is_left_alone(guard: Guard, sleeper: subprocess.Popen[bytes]) -> None:
    async with guard:
        guard.note(sleeper.pid)
        guard.forget(sleeper.pid)
    assert sleeper.poll() is None


async def test_what_carries_the_mark_ends_whatever_its_group(guard: Guard) -> None:
    name, _, value = guard._arguments[-2].partition("=")
    with subprocess.Popen(["sleep", "600"], env={**os.environ, name: value}) as marked:
        async with guard:
            pass
        assert marked.wait(DEADLINE) == -signal.SIGKILL


async def test_a_killed_guard_is_replaced_and_knows_what_to_guard(
    guard: Guard, folder: Path, sleeper: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with guard:
        guard.note(sleeper.pid)
        await kill(guard)
        assert sleeper.poll() is None
        assert folder.exists()
    assert sleeper.wait(DEADLINE) == -signal.SIGKILL
    assert "is started again" in caplog.text


async def test_what_is_noted_while_there_is_no_guard_is_guarded(
    guard: Guard, sleeper: subprocess.Popen[bytes]
) -> None:
    async with guard:
        former = guard.pid
        assert former is not None
        os.kill(former, signal.SIGKILL)
        # It is dead before this loop learns of it.
        descriptor = os.pidfd_open(former)
        select.select([descriptor], [], [], DEADLINE)
        os.close(descriptor)
        guard.note(sleeper.pid)
        await until_restarted(guard, former)
    assert sleeper.wait(DEADLINE) == -signal.SIGKILL


async def test_a_guard_that_never_stays_is_given_up_and_said_so(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    async with guard:
        for _ in range(5):
            await kill(guard)
        former = guard.pid
        assert former is not None
        os.kill(former, signal.SIGKILL)
        assert guard._keeper is not None
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait({guard._keeper})
        guard.note(1 << 22)
    assert "does not stay" in caplog.text


async def test_a_guard_that_hangs_does_not_hold_its_host(
    guard: Guard, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard_module, "_END_WITHIN", 0.2)
    async with asyncio.timeout(DEADLINE):
        async with guard:
            assert guard.pid is not None
            os.kill(guard.pid, signal.SIGSTOP)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
