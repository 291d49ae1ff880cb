"""What was measured, and the arithmetic on it: medians, spread, ratios."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping

import msgspec

from benchmarks.scenarios import Unit


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


class Report(msgspec.Struct, frozen=True):
    """Everything about one run that a reader needs to judge it."""

    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    scenarios: tuple[ScenarioResult, ...]

    @property
    def sides(self) -> list[str]:
        """The names of the sides, in the order of the tables."""
        return [result.side for result in self.scenarios[0].sides] if self.scenarios else []


def encode_report(report: Report) -> bytes:
    """The report as indented JSON: the values of every run, and the medians and ratios made of them."""
    document = msgspec.to_builtins(report)
    for scenario, written in zip(report.scenarios, document["scenarios"], strict=True):
        written["better"] = scenario.unit.better
        for side, row in zip(scenario.sides, written["sides"], strict=True):
            row["median"] = side.median
            row["ratios"] = {other: scenario.ratio(side.side, other) for other in report.sides}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
