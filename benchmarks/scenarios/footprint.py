"""What servers and their kernels cost in memory and processor time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks import sides
from benchmarks.exchange import Kernel, Shortfall, Side, evaluate, execute_request
from benchmarks.processes import processor_seconds, proportional_megabytes
from benchmarks.scenarios.scenario import Measure, Scenario, Sizes, Unit, expect, on_kernel
from benchmarks.workspace import SYNTHETIC


def footprint_scenarios(sizes: Sizes) -> list[Scenario]:
    """Processor time for each message; memory without and with kernels."""
    return [
        Scenario(
            "cpu",
            f"processor time of the server's own processes for each of {sizes.flood:,} small outputs, "
            "published as fast as a synthetic kernel can",
            Unit.MICROSECONDS,
            3,
            (sides.KERNELWAY, sides.NO_JOURNAL, *sides.UNLIMITED_PEERS),
            on_kernel(lambda side, kernel: _flood(side, kernel, sizes.flood), SYNTHETIC),
        ),
        Scenario(
            "idle",
            "proportional memory of the server's own processes, without a kernel",
            Unit.MEGABYTES,
            3,
            (sides.KERNELWAY, *sides.PEERS),
            _idle,
            fresh=True,
        ),
        Scenario(
            "memory",
            f"proportional memory of {sizes.idle_kernels} idle kernels and what else is there for kernels",
            Unit.MEGABYTES,
            3,
            (sides.BARE, sides.KERNELWAY, sides.PLAIN, *sides.PEERS),
            lambda side: _idle_kernels(side, sizes.idle_kernels),
            fresh=True,
        ),
    ]


async def _flood(side: Side, kernel: Kernel, outputs: int) -> Measure:
    code = f"publish {outputs}"

    async def measure() -> float:
        own = side.processes().own
        before = processor_seconds(own)
        exchange = await kernel.exchange(execute_request(code))
        seconds = processor_seconds(own) - before
        expect("the reply", exchange.read_reply()["user_expressions"], {"code": code})
        arrived = [message for message in exchange.arrived if message.msg_type == "display_data"]
        if len(arrived) != outputs:
            raise Shortfall(f"of {outputs:,} arrive", arrived=len(arrived))
        last = arrived[-1].read_content()["data"]["text/plain"]
        expect("the last output", last, str(outputs - 1))
        return seconds / outputs * 1e6

    return measure


@asynccontextmanager
async def _idle(side: Side) -> AsyncIterator[Measure]:
    async def measure() -> float:
        return proportional_megabytes(side.processes().own)

    yield measure


@asynccontextmanager
async def _idle_kernels(side: Side, count: int) -> AsyncIterator[Measure]:
    kernels: list[Kernel] = []

    async def start() -> None:
        kernels.append(await side.start_kernel())

    async def measure() -> float:
        pids = [int(await evaluate(kernel, "__import__('os').getpid()")) for kernel in kernels]
        processes = side.processes().kernels
        expect("kernels that are not the server's", set(pids) - set(processes), set())
        return proportional_megabytes(processes)

    try:
        await asyncio.gather(*(start() for _ in range(count)))
        yield measure
    finally:
        await asyncio.gather(*(kernel.shutdown() for kernel in kernels))
