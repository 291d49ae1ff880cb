"""The sides take turns: every round, each does the work once, and each begins as many rounds as another."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.exchange import Shortfall, Side
from benchmarks.results import Miss, ScenarioResult, SideResult
from benchmarks.scenarios import Measure, Scenario

_HOPELESS_AFTER = 3
"""A side that never did the work is not asked again after so many rounds."""

_QUIET_SHARE = 0.15
_QUIET_INTERVAL = 0.1
_QUIET_ATTEMPTS = 5


class Contestant:
    """One side in one scenario: its measurements, and the kernel that it keeps between them."""

    def __init__(self, scenario: Scenario, side: Side) -> None:
        self._scenario = scenario
        self._side = side
        self._stack = AsyncExitStack()
        self._measure: Measure | None = None
        self._values: list[float] = []
        self._misses: list[Miss] = []
        self._busy_starts = 0

    @property
    def hopeless(self) -> bool:
        """Whether another attempt would only cost time."""
        return not self._values and len(self._misses) >= _HOPELESS_AFTER

    async def attempt(self, *, counted: bool, settle: bool) -> None:
        """Do the work once, if asked when things have settled; after a shortfall begin with a new kernel."""
        try:
            if self._measure is None:
                self._measure = await self._stack.enter_async_context(self._scenario.ready(self._side))
            gc.collect()
            quiet = await until_quiet() if settle else True
            value = await self._measure()
        except Shortfall as shortfall:
            if counted:
                self._misses.append(Miss(str(shortfall), shortfall.arrived))
            await self.leave()
        else:
            if counted:
                self._values.append(value)
                self._busy_starts += not quiet

    async def leave(self) -> None:
        """Shut the kernel down, if there is one."""
        self._measure = None
        await self._stack.aclose()

    def result(self) -> SideResult:
        """What came of it."""
        return SideResult(
            self._side.name, tuple(self._values), tuple(self._misses), busy_starts=self._busy_starts
        )


async def run_scenario(
    scenario: Scenario, sides: Sequence[Side], *, rounds: int, settle: bool, say: Callable[[str], None]
) -> ScenarioResult:
    """One round to warm up, not counted, then the rounds; the first side to go changes every round."""
    contestants = [Contestant(scenario, side) for side in sides]
    try:
        for number in range(rounds + 1):
            first = number % len(contestants)
            for contestant in contestants[first:] + contestants[:first]:
                if not contestant.hopeless:
                    say(f"{scenario.name}: round {number} of {rounds}, {contestant.result().side}")
                    await contestant.attempt(counted=number > 0, settle=settle)
    finally:
        for contestant in contestants:
            await contestant.leave()
    return ScenarioResult(
        scenario.name,
        scenario.title,
        scenario.unit,
        rounds,
        tuple(contestant.result() for contestant in contestants),
    )


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
