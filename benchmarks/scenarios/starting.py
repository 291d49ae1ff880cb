"""How long a kernel takes to its first result: alone, from the warm pool, and among others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks import sides
from benchmarks.exchange import Kernel, Request, Shortfall, Side, execute_request
from benchmarks.exchange import expression_value as value_of
from benchmarks.scenarios.pool import pooled_kernels
from benchmarks.scenarios.scenario import Measure, Scenario, Sizes, Unit, expect

_ANSWERS_WITHIN = 20.0
"""Seconds, after which a first request is not answered any more: jupyter_server has left one of twelve so."""


def starting_scenarios(sizes: Sizes) -> list[Scenario]:
    """One kernel, then several at once."""
    count = sizes.kernels_at_once
    return [
        Scenario(
            "start",
            "first result: from POST of a new kernel to the reply of 1+1",
            Unit.MILLISECONDS,
            7,
            (sides.BARE, sides.KERNELWAY, sides.WARM, sides.PLAIN, *sides.PEERS),
            _start,
        ),
        Scenario(
            "burst",
            f"{count} kernels at once: from the first POST until all have answered 1+1",
            Unit.MILLISECONDS,
            3,
            (sides.BARE, sides.KERNELWAY, *sides.PEERS),
            lambda side: _burst(side, count),
        ),
    ]


@asynccontextmanager
async def _start(side: Side) -> AsyncIterator[Measure]:
    async def measure() -> float:
        waiting = await pooled_kernels(side) if side.name == sides.WARM else frozenset[int]()
        began = time.perf_counter()
        kernel = await side.start_kernel()
        try:
            pid = await _first_result(kernel)
            seconds = time.perf_counter() - began
            if side.name == sides.WARM and pid not in waiting:
                raise Shortfall("the kernel did not come from the pool")
        finally:
            await kernel.shutdown()
        return seconds * 1000

    yield measure


async def _first_result(kernel: Kernel) -> int:
    """The kernel's process, after it has shown that it counts."""
    request = execute_request("1+1", sum="1+1", pid="__import__('os').getpid()")
    question = Request(request.msg_type, request.content, idle=False)
    exchange = await kernel.exchange(question, deadline=_ANSWERS_WITHIN)
    reply = exchange.read_reply()
    expect("the sum", value_of(reply, "sum"), "2")
    return int(value_of(reply, "pid"))


@asynccontextmanager
async def _burst(side: Side, count: int) -> AsyncIterator[Measure]:
    async def start(kernels: list[Kernel]) -> None:
        kernels.append(await side.start_kernel())

    async def measure() -> float:
        kernels: list[Kernel] = []
        began = time.perf_counter()
        try:
            # All before any is asked: the bare side blocks while it waits for an answer.
            await asyncio.gather(*(start(kernels) for _ in range(count)))
            pids = await asyncio.gather(*(_first_result(kernel) for kernel in kernels))
            seconds = time.perf_counter() - began
            expect("the number of processes", len(set(pids)), count)
        finally:
            await asyncio.gather(*(kernel.shutdown() for kernel in kernels))
        return seconds * 1000

    yield measure
