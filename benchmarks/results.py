"""What was measured, and the arithmetic on it: medians, spread, ratios."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from benchmarks.scenarios.scenario import Unit


class Miss(msgspec.Struct, frozen=True):
    """A round in which the work was not done: what happened, and how much arrived where that is a number."""

    text: str
    arrived: int | None = None


class SideResult(msgspec.Struct, frozen=True):
    """The values of the rounds in which a side did the work, and what happened in the others.

    ``busy_starts`` counts values whose measurement had to begin while something else kept the machine busy.
    """

    side: str
    values: tuple[float, ...]
    misses: tuple[Miss, ...] = ()
    busy_starts: int = 0

    @property
    def median(self) -> float | None:
        """The median, or None where the work was never done."""
        return statistics.median(self.values) if self.values else None

    @property
    def happened(self) -> str:
        """What a reader should know besides the numbers; empty when every round was complete."""
        runs = len(self.values) + len(self.misses)
        counts = Counter(miss.text for miss in self.misses).most_common()
        return "; ".join(f"{self._range(text)}{text} ({count} of {runs} runs)" for text, count in counts)

    def _range(self, text: str) -> str:
        """How much arrived in the rounds in which this happened."""
        numbers = {miss.arrived for miss in self.misses if miss.text == text and miss.arrived is not None}
        if not numbers:
            return ""
        low, high = min(numbers), max(numbers)
        return f"{low:,} " if low == high else f"{low:,} to {high:,} "


class ScenarioResult(msgspec.Struct, frozen=True):
    """All sides of one scenario, in the order of the table."""

    name: str
    title: str
    unit: Unit
    rounds: int
    sides: tuple[SideResult, ...]

    def ratio(self, side: str, other: str) -> float | None:
        """The median of one side over that of another, as the unit counts: for times below 1 is faster.

        None where either side did not do the work, or did not take part.
        """
        medians = {result.side: result.median for result in self.sides}
        mine, theirs = medians.get(side), medians.get(other)
        return None if mine is None or theirs is None else mine / theirs


class GrowthPoint(msgspec.Struct, frozen=True):
    """All sides at one point of the axis."""

    at: int
    sides: tuple[SideResult, ...]


class GrowthResult(msgspec.Struct, frozen=True):
    """A figure at several points, in their order."""

    name: str
    title: str
    axis: str
    unit: Unit
    rounds: int
    points: tuple[GrowthPoint, ...]

    def line(self, side: str) -> list[tuple[int, float]]:
        """The medians of one side, where it did the work."""
        return [
            (point.at, result.median)
            for point in self.points
            for result in point.sides
            if result.side == side and result.median is not None
        ]

    def at(self, at: int, name: str, title: str) -> ScenarioResult:
        """One point by itself."""
        point = next(point for point in self.points if point.at == at)
        return ScenarioResult(name, title, self.unit, self.rounds, point.sides)

    def last_over_first(self, name: str, title: str) -> ScenarioResult:
        """Each value at the last point as a multiple of the same side's median at the first."""
        first, last = self.points[0], self.points[-1]
        base = {result.side: result.median for result in first.sides}
        sides = tuple(
            msgspec.structs.replace(
                result,
                values=tuple(value / median for value in result.values)
                if (median := base[result.side])
                else (),
            )
            for result in last.sides
        )
        return ScenarioResult(name, title, Unit.TIMES, self.rounds, sides)


class Report(msgspec.Struct, frozen=True):
    """Everything about one run that a reader needs to judge it."""

    date: str
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    scenarios: tuple[ScenarioResult, ...]
    growth: tuple[GrowthResult, ...] = ()


def encode_report(report: Report) -> bytes:
    """The report as indented JSON: the values of every run, and the medians and ratios made of them."""
    document = msgspec.to_builtins(report)
    for scenario, written in zip(report.scenarios, document["scenarios"], strict=True):
        _add_ratios(scenario, written)
    for growth, written in zip(report.growth, document["growth"], strict=True):
        for point, part in zip(growth.points, written["points"], strict=True):
            _add_ratios(growth.at(point.at, growth.name, growth.title), part)
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _add_ratios(scenario: ScenarioResult, written: dict[str, Any]) -> None:
    written["better"] = scenario.unit.better
    names = [side.side for side in scenario.sides]
    for side, row in zip(scenario.sides, written["sides"], strict=True):
        row["median"] = side.median
        row["ratios"] = {other: scenario.ratio(side.side, other) for other in names}
