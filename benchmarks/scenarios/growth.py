"""How a figure grows: with kernels, with clients of one kernel, with the size of a message."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks import sides
from benchmarks.exchange import (
    Arrived,
    Kernel,
    Listeners,
    Shortfall,
    Side,
    execute_request,
    until_iopub_is_heard,
)
from benchmarks.scenarios.scenario import MEGABYTE, Measure, Sizes, Unit, expect
from benchmarks.workspace import SYNTHETIC

_SIDES = (sides.BARE, sides.KERNELWAY, *sides.PEERS)

Grow: TypeAlias = Callable[[int], Awaitable[Measure]]
"""Go on to the next point, and say how to measure there."""

_AT_ONCE = 10
"""So many kernels are started or ended at a time."""

_END_DEADLINE = 15.0

_TRIPS = 9
"""So many trips, of messages up to a megabyte, are one value, which is their median."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A figure at several points, each measured as in a scenario; all of it with the synthetic kernel."""

    name: str
    title: str
    axis: str
    unit: Unit
    points: tuple[int, ...]
    rounds: int
    sides: tuple[str, ...]
    ready: Callable[[Side], AbstractAsyncContextManager[Grow]]
    alone: bool = False
    """Whether each side, just started, goes through all points before the next one begins."""


def all_growth(sizes: Sizes) -> list[Growth]:
    """In the order in which they run."""
    return [
        Growth(
            "kernels",
            "round trip to one kernel, while others are there, each with an open WebSocket",
            "kernels",
            Unit.MILLISECONDS,
            sizes.kernels,
            3,
            _SIDES,
            _kernels,
            alone=True,
        ),
        Growth(
            "clients",
            f"time until every client of one kernel has all of {sizes.outputs_each:,} outputs",
            "clients",
            Unit.MILLISECONDS,
            sizes.clients,
            3,
            _SIDES,
            lambda side: _clients(side, sizes.outputs_each),
        ),
        Growth(
            "sizes",
            "time from a request to a message of this size, to reply and idle",
            "bytes",
            Unit.MILLISECONDS,
            sizes.message_sizes,
            5,
            _SIDES,
            _message_sizes,
        ),
    ]


@asynccontextmanager
async def _kernels(side: Side) -> AsyncIterator[Grow]:
    """The first kernel is the active one; each of the others is heard once."""
    kernels: list[Kernel] = []
    gate = asyncio.Semaphore(_AT_ONCE)

    async def start() -> None:
        async with gate:
            kernels.append(await side.start_kernel(SYNTHETIC))

    async def end(kernel: Kernel) -> None:
        async with gate:
            await kernel.shutdown()

    async def grow(point: int) -> Measure:
        known = len(kernels)
        await _all_started(kernels, [start() for _ in range(point - known)])
        await asyncio.gather(*(until_iopub_is_heard(kernel) for kernel in kernels[known:]))

        async def measure() -> float:
            return statistics.median([await _trip(kernels[0]) for _ in range(_TRIPS)]) * 1000

        return measure

    try:
        yield grow
    finally:
        try:
            async with asyncio.timeout(_END_DEADLINE):
                await asyncio.gather(*(end(kernel) for kernel in kernels))
        except TimeoutError:
            raise Shortfall(f"{len(kernels)} kernels do not end within {_END_DEADLINE:g} s") from None


async def _all_started(kernels: list[Kernel], starts: Iterable[Coroutine[None, None, None]]) -> None:
    """Wait for all, also where one fails, so that none starts behind our back."""
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise Shortfall(f"at {len(kernels)} kernels: {outcome}") from outcome


async def _trip(kernel: Kernel, code: str = "nothing") -> float:
    exchange = await kernel.exchange(execute_request(code))
    expect("the reply", exchange.read_reply()["user_expressions"], {"code": code})
    return exchange.seconds


@asynccontextmanager
async def _clients(side: Side, outputs: int) -> AsyncIterator[Grow]:
    """One of the clients asks for the outputs."""
    kernel = await side.start_kernel(SYNTHETIC)
    opened: list[Listeners] = []
    count = 1
    code = f"publish {outputs}"

    async def grow(point: int) -> Measure:
        nonlocal count
        opened.append(await kernel.listen(point - count))
        count = point
        for listeners in opened:
            await until_iopub_is_heard(kernel, listeners)

        async def measure() -> float:
            for listeners in opened:
                listeners.take()
            began = time.perf_counter()
            exchange = await kernel.exchange(execute_request(code))
            for listeners in opened:
                await listeners.until_idle(exchange.msg_id)
            seconds = time.perf_counter() - began
            _check_outputs(exchange.arrived, outputs)
            for listeners in opened:
                for arrived in listeners.take():
                    _check_outputs(arrived, outputs)
            return seconds * 1000

        return measure

    try:
        yield grow
    finally:
        for listeners in opened:
            await listeners.close()
        await kernel.shutdown()


def _check_outputs(arrived: list[Arrived], outputs: int) -> None:
    displays = [message for message in arrived if message.msg_type == "display_data"]
    if len(displays) != outputs:
        raise Shortfall(f"of {outputs:,} arrive at a client", arrived=len(displays))
    last = displays[-1].read_content()["data"]["text/plain"]
    expect("the last output", last, str(outputs - 1))


@asynccontextmanager
async def _message_sizes(side: Side) -> AsyncIterator[Grow]:
    kernel = await side.start_kernel(SYNTHETIC)

    async def grow(point: int) -> Measure:
        code = f"send {point}"

        async def once() -> float:
            exchange = await kernel.exchange(execute_request(code))
            expect("the reply", exchange.read_reply()["user_expressions"], {"code": code})
            buffers = [bytes(each) for message in exchange.arrived for each in message.buffers]
            if buffers != [b"x" * point]:
                raise Shortfall("the data came back wrong")
            return exchange.seconds

        async def measure() -> float:
            times = 1 if point > MEGABYTE else _TRIPS
            return statistics.median([await once() for _ in range(times)]) * 1000

        return measure

    try:
        await until_iopub_is_heard(kernel)
        yield grow
    finally:
        await kernel.shutdown()
