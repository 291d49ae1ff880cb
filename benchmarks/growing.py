"""Goes through the points of a growth: all sides at each point, in turns, or each side by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

from benchmarks.exchange import Shortfall, Side
from benchmarks.results import GrowthPoint, GrowthResult, SideResult
from benchmarks.rounds import Contestant, Pace, Say, alternate, until_quiet
from benchmarks.scenarios.growth import Grow, Growth
from benchmarks.scenarios.scenario import Measure


async def run_growth(
    growth: Growth, sides: Sequence[Side], *, rounds: int, pace: Pace, careful: bool, say: Say
) -> GrowthResult:
    """The sides have been started, unless each is to be alone: then they are started and stopped here."""
    found: dict[int, list[SideResult]] = {point: [] for point in growth.points}
    if growth.alone:
        for side in sides:
            await side.start()
            try:
                await _climb(growth, [side], found, rounds=rounds, pace=pace, careful=careful, say=say)
            finally:
                await side.stop()
    else:
        await _climb(growth, sides, found, rounds=rounds, pace=pace, careful=careful, say=say)
    points = tuple(GrowthPoint(point, tuple(results)) for point, results in found.items())
    return GrowthResult(growth.name, growth.title, growth.axis, growth.unit, rounds, points)


async def _climb(
    growth: Growth,
    sides: Sequence[Side],
    found: dict[int, list[SideResult]],
    *,
    rounds: int,
    pace: Pace,
    careful: bool,
    say: Say,
) -> None:
    """From the first point to the last; what came of it is added, what was grown is ended here."""
    async with AsyncExitStack() as stack:
        grown = [_Grown(growth, side) for side in sides]
        for each in grown:
            stack.push_async_callback(each.leave)
        for point in growth.points:
            contestants = [Contestant(each.side, partial(each.at, point, careful=careful)) for each in grown]
            await alternate(
                contestants,
                rounds=rounds,
                # What starts at a point is waited for there, once.
                careful=False,
                warm_up=careful and point == growth.points[0],
                # One value at a point where a side takes long: its neighbours show how far it may be off.
                pace=replace(pace, least=1),
                say=partial(_say_point, say, f"{point:,} {growth.axis}"),
            )
            found[point] += [contestant.result() for contestant in contestants]


def _say_point(say: Say, point: str, text: str) -> None:
    say(f"{point}: {text}")


class _Grown:
    """What one side has grown to. It does not shrink, and what it could not do it is not asked again."""

    def __init__(self, growth: Growth, side: Side) -> None:
        self.side = side
        self._growth = growth
        self._stack = AsyncExitStack()
        self._grow: Grow | None = None
        self._failure: Shortfall | None = None

    @asynccontextmanager
    async def at(self, point: int, *, careful: bool) -> AsyncIterator[Measure]:
        """Grow to a point, and let it settle where one is careful; leaving it ends nothing."""
        if self._failure is not None:
            raise self._failure
        try:
            if self._grow is None:
                self._grow = await self._stack.enter_async_context(self._growth.ready(self.side))
            measure = await self._grow(point)
        except Shortfall as shortfall:
            self._failure = shortfall
            raise
        if careful:
            await until_quiet()
        yield measure

    async def leave(self) -> None:
        """End everything; a side that had failed may fail in this too, and its server is ended anyhow."""
        try:
            await self._stack.aclose()
        except Shortfall:
            if self._failure is None:
                raise
