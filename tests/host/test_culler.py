"""Which kernels count as abandoned, and that those are ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from tests.host.runs import DEADLINE, attach, kernels_in
from tests.host.specs import Specs

from kernelway.host.culler import CullRules, abandoned, cull
from kernelway.host.journals import Journals
from kernelway.host.kernel import Kernel
from kernelway.host.kernels import Kernels
from kernelway.host.run import Surroundings
from kernelway.protocol.models import ExecutionState, StartKernel

SMALL = StartKernel(name="small")

STARTING, RESTARTING = ExecutionState.STARTING, ExecutionState.RESTARTING
IDLE, BUSY, DEAD = ExecutionState.IDLE, ExecutionState.BUSY, ExecutionState.DEAD


@pytest.fixture
async def kernels(surroundings: Surroundings, specs: Specs, journals: Journals) -> AsyncIterator[Kernels]:
    home = surroundings.folder.parent
    kernels = kernels_in(surroundings, journals, home=home)
    yield kernels
    await kernels.close()


class Unused:
    """As much of a kernel as the decision looks at."""

    def __init__(self, state: ExecutionState, clients: int, age: float, now: datetime) -> None:
        self.state = state
        self.attachments = [object()] * clients
        self.last_activity = now - timedelta(seconds=age)


@pytest.mark.parametrize(
    ("state", "clients", "age", "rules", "ended"),
    [
        (IDLE, 0, 11, CullRules(idle_timeout=10), True),
        (IDLE, 0, 9, CullRules(idle_timeout=10), False),
        (IDLE, 0, 10, CullRules(idle_timeout=10), False),
        (IDLE, 0, 1e6, CullRules(idle_timeout=0), False),
        (IDLE, 0, 1e6, CullRules(idle_timeout=-1), False),
        (IDLE, 1, 11, CullRules(idle_timeout=10), False),
        (IDLE, 1, 11, CullRules(idle_timeout=10, connected=True), True),
        (BUSY, 0, 11, CullRules(idle_timeout=10), False),
        (BUSY, 0, 11, CullRules(idle_timeout=10, busy=True), True),
        (BUSY, 1, 11, CullRules(idle_timeout=10, busy=True), False),
        (BUSY, 1, 11, CullRules(idle_timeout=10, connected=True), False),
        (BUSY, 1, 11, CullRules(idle_timeout=10, busy=True, connected=True), True),
        (STARTING, 0, 11, CullRules(idle_timeout=10, busy=True, connected=True), False),
        (RESTARTING, 0, 11, CullRules(idle_timeout=10, busy=True, connected=True), False),
        (DEAD, 0, 11, CullRules(idle_timeout=10), True),
    ],
)
def test_the_rules(state: ExecutionState, clients: int, age: float, rules: CullRules, ended: bool) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    kernel = Unused(state, clients, age, now)
    assert abandoned([cast("Kernel", kernel)], rules, now) == [kernel] * ended


async def test_kernels_that_nobody_uses_are_ended_and_others_not(
    kernels: Kernels, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    unused, other, used = [await kernels.start(SMALL) for _ in range(3)]
    talk = attach(used)
    stopping = asyncio.Event()
    rules = CullRules(idle_timeout=0.2, interval=0.1)
    culling = asyncio.create_task(cull(kernels, rules, stopping))
    async with asyncio.timeout(DEADLINE):
        while len(kernels) > 1:
            # A kernel that is talked to is not idle, and this waits for its answer.
            await talk.run("show(1)")
    assert list(kernels) == [used]
    stopping.set()
    async with asyncio.timeout(DEADLINE):
        await culling
    assert f"Kernel {unused.id} was idle" in caplog.text
    assert f"Kernel {other.id} was idle" in caplog.text


async def test_it_goes_on_when_a_kernel_does_not_end_well(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kernel = await kernels.start(SMALL)
    shutdown, tried = kernel.shutdown, asyncio.Event()

    async def fail_once() -> None:
        monkeypatch.setattr(kernel, "shutdown", shutdown)
        tried.set()
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(kernel, "shutdown", fail_once)
    stopping = asyncio.Event()
    culling = asyncio.create_task(cull(kernels, CullRules(idle_timeout=0.01, interval=0.02), stopping))
    async with asyncio.timeout(DEADLINE):
        await tried.wait()
        while len(kernels):
            await asyncio.wait({culling}, timeout=0.01)
    stopping.set()
    await culling
    assert "did not end as it should: broken on purpose" in caplog.text


async def test_without_a_limit_there_is_nothing_to_do(kernels: Kernels) -> None:
    async with asyncio.timeout(DEADLINE):
        await cull(kernels, CullRules(), asyncio.Event())


async def test_stopping_does_not_wait_for_the_interval(kernels: Kernels) -> None:
    stopping = asyncio.Event()
    stopping.set()
    async with asyncio.timeout(DEADLINE):
        await cull(kernels, CullRules(idle_timeout=1, interval=1e6), stopping)
