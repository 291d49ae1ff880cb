"""The sides take turns: every round, each does the work once, and each begins as many rounds as another."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.exchange import Shortfall, Side
from benchmarks.results import Miss, ScenarioResult, SideResult
from benchmarks.scenarios.scenario import Measure, Scenario

_HOPELESS_AFTER = 2
"""A side that never did the work is not asked again after so many rounds."""

_QUIET_SHARE = 0.15
_QUIET_INTERVAL = 0.1
_QUIET_ATTEMPTS = 5

Say = Callable[[str], None]
"""Tells whoever waits what is being done."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When a side that takes long has done enough."""

    patience: float
    """Seconds of work, the uncounted round included, after which the least number of rounds will do."""
    least: int
    """Counted rounds."""


LEISURE = Pace(patience=15, least=3)
HASTE = Pace(patience=5, least=1)


class Contestant:
    """One side in one scenario: its measurements, and the kernel that it keeps between them."""

    def __init__(self, side: Side, ready: Callable[[], AbstractAsyncContextManager[Measure]]) -> None:
        self.side = side
        self._ready = ready
        self._stack = AsyncExitStack()
        self._measure: Measure | None = None
        self._values: list[float] = []
        self._misses: list[Miss] = []
        self._busy_starts = 0
        self._spent = 0.0

    def done(self, pace: Pace) -> bool:
        """Whether another attempt would cost time and tell little."""
        if not self._values:
            return len(self._misses) >= _HOPELESS_AFTER
        return self._spent > pace.patience and len(self._values) >= pace.least

    async def attempt(self, *, counted: bool, careful: bool) -> None:
        """Do the work once, if asked when little else runs; after a shortfall begin with a new kernel."""
        began = None
        try:
            if self._measure is None:
                self._measure = await self._stack.enter_async_context(self._ready())
            gc.collect()
            quiet = await until_quiet() if careful else True
            began = time.monotonic()
            value = await self._measure()
        except Shortfall as shortfall:
            if counted:
                self._misses.append(Miss(str(shortfall), shortfall.arrived))
            await self.leave()
        else:
            if counted:
                self._values.append(value)
                self._busy_starts += not quiet
        if began is not None:
            self._spent += time.monotonic() - began

    async def leave(self) -> None:
        """Shut the kernel down, if there is one; a failure in that is told if it is the only one."""
        self._measure = None
        try:
            await self._stack.aclose()
        except Shortfall as shortfall:
            if not self._misses:
                self._misses.append(Miss(str(shortfall)))

    def result(self) -> SideResult:
        """What came of it."""
        return SideResult(
            self.side.name, tuple(self._values), tuple(self._misses), busy_starts=self._busy_starts
        )


async def run_scenario(
    scenario: Scenario, sides: Sequence[Side], *, rounds: int, pace: Pace, careful: bool, say: Say
) -> ScenarioResult:
    """Let the sides take turns, or, where the scenario wants each alone, come one after the other.

    In the latter case each is started and stopped here; else all have been started.
    """
    contestants = [Contestant(side, partial(scenario.ready, side)) for side in sides]
    if scenario.fresh:
        for contestant in contestants:
            await contestant.side.start()
            try:
                await alternate(
                    [contestant], rounds=rounds, pace=pace, careful=careful, warm_up=careful, say=say
                )
            finally:
                await contestant.side.stop()
    else:
        await alternate(contestants, rounds=rounds, pace=pace, careful=careful, warm_up=careful, say=say)
    results = tuple(contestant.result() for contestant in contestants)
    return ScenarioResult(scenario.name, scenario.title, scenario.unit, rounds, results)


async def alternate(
    contestants: Sequence[Contestant],
    *,
    rounds: int,
    pace: Pace,
    careful: bool,
    say: Say,
    warm_up: bool,
) -> None:
    """The rounds, after one to warm up which is not counted; the first side to go changes every round."""
    try:
        for number in range(0 if warm_up else 1, rounds + 1):
            first = number % len(contestants)
            for contestant in [*contestants[first:], *contestants[:first]]:
                if not contestant.done(pace):
                    say(f"round {number} of {rounds}, {contestant.side.name}")
                    await contestant.attempt(counted=number > 0, careful=careful)
    finally:
        for contestant in contestants:
            await contestant.leave()


async def until_quiet() -> bool:
    """Wait until little else runs, so that one side's clearing up does not count as another's time.

    Gives up after half a second and says so with False. There is no event for this: the share of busy
    time has to be looked at.
    """
    for _ in range(_QUIET_ATTEMPTS):
        before = _processor_times()
        await asyncio.sleep(_QUIET_INTERVAL)
        after = _processor_times()
        if before is None or after is None:
            return True
        busy, total = after[0] - before[0], after[1] - before[1]
        if busy <= _QUIET_SHARE * total:
            return True
    return False


def _processor_times() -> tuple[int, int] | None:
    """Busy and total time of all processors in ticks; None where there is no /proc."""
    try:
        with Path("/proc/stat").open(encoding="ascii") as stat:
            ticks = [int(field) for field in stat.readline().split()[1:9]]
    except OSError:
        return None
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)
