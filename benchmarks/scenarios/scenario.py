"""What a scenario is: a piece of work, its size, and what its values count."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from benchmarks.exchange import Kernel, Shortfall, Side, until_iopub_is_heard
from benchmarks.workspace import PYTHON

MEGABYTE = 1_000_000

Measure: TypeAlias = Callable[[], Awaitable[float]]
"""Do the work once, check it, return the value; :class:`Shortfall` if it was not done."""

Ready: TypeAlias = Callable[[Side], AbstractAsyncContextManager[Measure]]
"""Make a side ready to do a piece of work again and again."""


class Unit(StrEnum):
    """What a value counts."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "µs"
    OUTPUTS_PER_SECOND = "outputs/s"
    MEGABYTES_PER_SECOND = "MB/s"
    MEGABYTES = "MB"
    TIMES = "x"

    @property
    def better(self) -> str:
        """Whether lower or higher values are better."""
        return "higher" if self.endswith("/s") else "lower"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work one measurement is."""

    executions: int
    outputs: int
    megabytes_out: int
    megabytes_in: int
    kernels_at_once: int
    flood: int
    idle_kernels: int
    kernels: tuple[int, ...]
    clients: tuple[int, ...]
    outputs_each: int
    message_sizes: tuple[int, ...]
    """Bytes."""


FULL = Sizes(
    executions=25,
    outputs=10_000,
    megabytes_out=50,
    megabytes_in=20,
    kernels_at_once=12,
    flood=10_000,
    idle_kernels=10,
    kernels=(1, 10, 50, 100, 200),
    clients=(1, 10, 100, 200),
    outputs_each=1000,
    message_sizes=(100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000),
)
TINY = Sizes(
    executions=3,
    outputs=50,
    megabytes_out=1,
    megabytes_in=1,
    kernels_at_once=2,
    flood=100,
    idle_kernels=1,
    kernels=(1, 3),
    clients=(1, 3),
    outputs_each=10,
    message_sizes=(100, 100_000),
)
"""Enough to see that every piece works, too little for a time that means anything."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A piece of work, who does it how often, and how to make a side ready for it."""

    name: str
    title: str
    unit: Unit
    rounds: int
    sides: tuple[str, ...]
    ready: Ready
    fresh: bool = False
    """Whether each side does all its rounds alone on the machine, with a server that was just started."""


def on_kernel(prepare: Callable[[Side, Kernel], Awaitable[Measure]], spec: str = PYTHON) -> Ready:
    """Scenarios of one kernel that lasts: started, listened to and prepared before the first measurement."""

    @asynccontextmanager
    async def ready(side: Side) -> AsyncIterator[Measure]:
        kernel = await side.start_kernel(spec)
        try:
            await until_iopub_is_heard(kernel)
            yield await prepare(side, kernel)
        finally:
            await kernel.shutdown()

    return ready


def expect(what: str, found: object, expected: object) -> None:
    """:class:`Shortfall` where something is not what it has to be."""
    if found != expected:
        raise Shortfall(f"{what} came back wrong: {str(found)[:60]} instead of {str(expected)[:60]}")
