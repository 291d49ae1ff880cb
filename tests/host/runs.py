"""Runs of kernels, and kernels, for tests."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import psutil
from tests.host.talk import LIMITS, Talk, joining

from kernelway.host.journals import Journals
from kernelway.host.kernel import Kernel, KernelLimits
from kernelway.host.kernels import Kernels
from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.host.lifeline import Lifeline
from kernelway.host.pool import Pool, PoolRules
from kernelway.host.run import KernelRun, Order, Surroundings
from kernelway.host.warm import Warm
from kernelway.protocol.message import Message, SessionId
from kernelway.protocol.models import KernelId

DEADLINE = 30.0


class Runs:
    """Makes runs, and ends those that are still there when the test is over."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.published: list[Message] = []
        self._runs: list[KernelRun] = []
        self._lifelines: list[Lifeline] = []

    async def new(self, name: str = "small", **order: Any) -> KernelRun:
        """A run that is not started."""
        spec = await LocalKernelSpecs().find(name)
        asked = Order(KernelId(str(uuid.uuid4())), name, **order)
        run = KernelRun(asked, spec, self.surroundings, number=len(self._runs))
        self._runs.append(run)
        return run

    async def started(self, name: str = "small", **order: Any) -> KernelRun:
        """A run whose process runs."""
        run = await self.new(name, **order)
        await run.start()
        return run

    async def ready(self, name: str = "small", **order: Any) -> tuple[KernelRun, Lifeline]:
        """A run that answers."""
        run = await self.started(name, **order)
        lifeline = Lifeline(run, SessionId("host"), self.published.append)
        self._lifelines.append(lifeline)
        async with asyncio.timeout(DEADLINE):
            await lifeline.until_ready()
        return run, lifeline

    async def end(self) -> None:
        for run in self._runs:
            await run.end(shutdown=None, patience=2)
        for lifeline in self._lifelines:
            lifeline.close()


class Lives:
    """Makes kernels, and shuts those down that are still there when the test is over."""

    def __init__(self, surroundings: Surroundings, journals: Journals) -> None:
        self.surroundings = surroundings
        self.journals = journals
        self._kernels: list[Kernel] = []

    def new(
        self, name: str = "small", *, limits: KernelLimits = LIMITS, warm: Warm | None = None, **order: Any
    ) -> Kernel:
        """A kernel that is not started; with ``warm``, one that takes what waited for it."""
        asked = Order(KernelId(str(uuid.uuid4())) if warm is None else warm.id, name, **order)
        journal = self.journals.open(asked.kernel_id, name=name, started="2026-11-21T00:00:00.000000Z")
        kernel = Kernel(asked, self.surroundings, LocalKernelSpecs(), limits, journal, warm=warm)
        self._kernels.append(kernel)
        return kernel

    async def started(self, name: str = "small", **options: Any) -> Kernel:
        """A kernel that is ready."""
        kernel = self.new(name, **options)
        await kernel.start()
        return kernel

    async def end(self) -> None:
        await asyncio.gather(*(kernel.shutdown() for kernel in self._kernels))


def kernels_in(
    surroundings: Surroundings,
    journals: Journals,
    *,
    home: Path,
    limits: KernelLimits = LIMITS,
    most: int | None = None,
    default: str | None = None,
    pool: PoolRules | None = None,
) -> Kernels:
    """A registry of kernels; with ``pool``, of kernels that wait, too."""
    specs = LocalKernelSpecs(default=default)
    ready = Pool(surroundings, specs, PoolRules() if pool is None else pool, home=home)
    ready.open()
    return Kernels(surroundings, specs, journals, ready, limits=limits, most=most, home=home)


def attach(kernel: Kernel, session: str | None = None, *, sent: int = 0, **how: Any) -> Talk:
    """Connect to a kernel."""
    asked = joining(session, **how)
    return Talk(kernel.clients.attach(asked), asked.session, sent=sent)


def process_of(kernel: Kernel) -> psutil.Process:
    """The process of a kernel's run."""
    assert kernel._run is not None
    process = kernel._run._local_process()
    assert process is not None
    return psutil.Process(process.pid)
