"""The report as rows of text, and as a table on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from benchmarks import sides
from benchmarks.results import GrowthResult, Report, ScenarioResult, SideResult
from benchmarks.scenarios.scenario import Unit

_COMPARED_WITH = (sides.BARE, sides.INTERPRETER, *sides.PEERS, *sides.UNLIMITED_PEERS, sides.GATEWAY_URL)


@dataclass(frozen=True, slots=True)
class Row:
    """One side of a scenario, every cell as it is shown."""

    side: str
    median: str
    spread: str
    runs: str
    ratios: tuple[str, ...]
    happened: str

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of :func:`headings`."""
        return (self.side, self.median, self.spread, self.runs, *self.ratios, self.happened)


def terminal_table(report: Report) -> Table:
    """One table, a section for each scenario."""
    others = compared_with(report.scenarios)
    table = Table(title=None, header_style="bold")
    for heading in headings(others):
        left = heading in ("side", "what happened")
        table.add_column(heading, justify="left" if left else "right", no_wrap=left or heading == "median")
    for scenario in report.scenarios:
        table.add_section()
        table.add_row(f"[bold]{scenario.name}[/bold]")
        for row in rows(scenario, others):
            table.add_row(*row.cells)
    return table


def growth_table(growth: GrowthResult) -> Table:
    """The medians of one growth, a row for each point."""
    names = [side.side for side in growth.points[0].sides]
    table = Table(title=f"{growth.name}, in {growth.unit}", header_style="bold", title_justify="left")
    for heading in (growth.axis, *names):
        table.add_column(heading, justify="right")
    for point in growth.points:
        table.add_row(f"{point.at:,}", *(growth_cell(side, growth) for side in point.sides))
    return table


def growth_cell(side: SideResult, growth: GrowthResult) -> str:
    """The median and the number of runs, or what happened instead."""
    if side.median is None:
        return side.misses[-1].text if side.misses else "-"
    return f"{number(side.median)} {growth.unit} ({len(side.values)})"


def caption(scenario: ScenarioResult) -> str:
    """What a scenario's numbers are, in one line."""
    unit = "" if scenario.unit is Unit.TIMES else f", in {scenario.unit}"
    return f"{scenario.title}{unit}, {scenario.unit.better} is better"


def warning(report: Report) -> str:
    """What casts doubt on the numbers; empty if nothing does."""
    busy = sum(side.busy_starts for scenario in report.scenarios for side in scenario.sides)
    runs = sum(len(side.values) for scenario in report.scenarios for side in scenario.sides)
    return f"{busy} of {runs} measurements began while something else kept the machine busy." if busy else ""


def headings(others: Sequence[str]) -> list[str]:
    """Of a table with a ratio to each of these sides."""
    return ["side", "median", "min to max", "runs", *(f"to {name}" for name in others), "what happened"]


def compared_with(scenarios: Iterable[ScenarioResult]) -> list[str]:
    """The sides among those that took part to which others have a ratio."""
    present = {side.side for scenario in scenarios for side in scenario.sides}
    return [name for name in _COMPARED_WITH if name in present]


def rows(scenario: ScenarioResult, others: Sequence[str]) -> Iterator[Row]:
    """One for each side, with its ratios to the others."""
    for side in scenario.sides:
        ratios = tuple(_ratio(scenario, side, other) for other in others)
        spread = f"{number(min(side.values))} to {number(max(side.values))}" if side.values else "-"
        yield Row(side.side, median(scenario, side), spread, str(len(side.values)), ratios, side.happened)


def median(scenario: ScenarioResult, side: SideResult) -> str:
    """With its unit; a dash where the work was never done."""
    return "-" if side.median is None else f"{number(side.median)} {scenario.unit}"


def factor(ratio: float | None) -> str:
    """A ratio; a dash where there is none."""
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def number(value: float) -> str:
    """Three digits or so."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _ratio(scenario: ScenarioResult, side: SideResult, other: str) -> str:
    return "-" if side.side == other else factor(scenario.ratio(side.side, other))
