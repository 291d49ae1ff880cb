"""Who is asked how often, and in which order. The sides here only take notes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.exchange import Kernel, Shortfall, Side
from benchmarks.growing import run_growth
from benchmarks.processes import Processes
from benchmarks.rounds import LEISURE, Pace, run_scenario
from benchmarks.scenarios.growth import Grow, Growth
from benchmarks.scenarios.scenario import Measure, Scenario, Unit


class Noted:
    """A side that notes what happens to it in a list that others share."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    async def start(self) -> None:
        self.notes.append(f"{self.name} starts")

    async def start_kernel(self, spec: str = "python3") -> Kernel:
        raise Shortfall(spec)

    def processes(self) -> Processes:
        return Processes((), ())

    async def stop(self) -> None:
        self.notes.append(f"{self.name} stops")


def scenario(work: Callable[[Side], Awaitable[float]], *, fresh: bool = False) -> Scenario:
    @asynccontextmanager
    async def ready(side: Side) -> AsyncIterator[Measure]:
        async def measure() -> float:
            return await work(side)

        yield measure

    return Scenario("work", "some work", Unit.MILLISECONDS, 3, ("a", "b"), ready, fresh=fresh)


def quiet(_: str) -> None:
    """Nobody listens."""


async def test_each_side_begins_in_turn_and_does_as_many_rounds() -> None:
    notes: list[str] = []

    async def work(side: Side) -> float:
        notes.append(side.name)
        return 1.0

    sides = [Noted("a", notes), Noted("b", notes)]
    result = await run_scenario(scenario(work), sides, rounds=3, pace=LEISURE, careful=False, say=quiet)
    assert notes == ["b", "a", "a", "b", "b", "a"]
    assert [side.values for side in result.sides] == [(1.0, 1.0, 1.0)] * 2


async def test_the_round_that_warms_up_does_not_count() -> None:
    values = iter([100.0, 1.0, 2.0])

    async def work(_: Side) -> float:
        return next(values)

    sides = [Noted("a", [])]
    result = await run_scenario(scenario(work), sides, rounds=2, pace=LEISURE, careful=True, say=quiet)
    assert result.sides[0].values == (1.0, 2.0)


async def test_a_side_that_never_does_the_work_is_not_asked_for_ever() -> None:
    notes: list[str] = []

    async def work(side: Side) -> float:
        notes.append(side.name)
        raise Shortfall("no")

    sides = [Noted("a", notes)]
    result = await run_scenario(scenario(work), sides, rounds=7, pace=LEISURE, careful=False, say=quiet)
    assert notes == ["a", "a"]
    assert result.sides[0].happened == "no (2 of 2 runs)"


async def test_a_side_that_takes_long_does_the_least_number_of_rounds() -> None:
    async def work(_: Side) -> float:
        return 1.0

    sides = [Noted("a", [])]
    pace = Pace(patience=0, least=2)
    result = await run_scenario(scenario(work), sides, rounds=7, pace=pace, careful=False, say=quiet)
    assert result.sides[0].values == (1.0, 1.0)


async def test_where_each_is_to_be_fresh_no_other_runs() -> None:
    notes: list[str] = []

    async def work(side: Side) -> float:
        notes.append(side.name)
        return 1.0

    sides = [Noted("a", notes), Noted("b", notes)]
    await run_scenario(scenario(work, fresh=True), sides, rounds=1, pace=LEISURE, careful=False, say=quiet)
    assert notes == ["a starts", "a", "a stops", "b starts", "b", "b stops"]


def growth(notes: list[str], *, most: int, alone: bool = False) -> Growth:
    """The side ``weak`` does not grow beyond ``most``."""

    @asynccontextmanager
    async def ready(side: Side) -> AsyncIterator[Grow]:
        async def grow(point: int) -> Measure:
            if side.name == "weak" and point > most:
                raise Shortfall(f"not {point}")

            async def measure() -> float:
                notes.append(f"{side.name} {point}")
                return float(point)

            return measure

        yield grow
        notes.append(f"{side.name} ends")

    return Growth(
        "n", "t", "kernels", Unit.MILLISECONDS, (1, 2, 4), 1, ("weak", "strong"), ready, alone=alone
    )


async def test_a_side_that_cannot_grow_stays_behind_and_the_others_go_on() -> None:
    notes: list[str] = []
    sides = [Noted("weak", notes), Noted("strong", notes)]
    result = await run_growth(growth(notes, most=1), sides, rounds=1, pace=LEISURE, careful=False, say=quiet)
    assert result.line("strong") == [(1, 1.0), (2, 2.0), (4, 4.0)]
    assert result.line("weak") == [(1, 1.0)]
    assert [point.sides[0].happened for point in result.points[1:]] == ["not 2 (1 of 1 runs)"] * 2
    assert notes == ["strong 1", "weak 1", "strong 2", "strong 4", "strong ends", "weak ends"]


async def test_sides_that_grow_alone_come_one_after_the_other() -> None:
    notes: list[str] = []
    sides = [Noted("weak", notes), Noted("strong", notes)]
    await run_growth(
        growth(notes, most=1, alone=True), sides, rounds=1, pace=LEISURE, careful=False, say=quiet
    )
    assert notes == [
        *("weak starts", "weak 1", "weak ends", "weak stops"),
        *("strong starts", "strong 1", "strong 2", "strong 4", "strong ends", "strong stops"),
    ]
