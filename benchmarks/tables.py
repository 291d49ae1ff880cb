"""The report for readers: a table on the terminal, a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from benchmarks.results import Report, ScenarioResult, SideResult

_COMPARED_WITH = ("bare", "jupyter_server", "kernel_gateway")


@dataclass(frozen=True, slots=True)
class _Row:
    side: str
    median: str
    spread: str
    runs: str
    ratios: tuple[str, ...]
    happened: str

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.side, self.median, self.spread, self.runs, *self.ratios, self.happened)


def terminal_table(report: Report) -> Table:
    """One table, a section for each scenario."""
    table = Table(title=None, header_style="bold")
    for heading in _headings(report):
        left = heading in ("side", "what happened")
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading != "what happened")
    for scenario in report.scenarios:
        table.add_section()
        table.add_row(f"[bold]{scenario.name}[/bold]")
        for row in _rows(scenario, _compared_with(report)):
            table.add_row(*row.cells)
    return table


def markdown_page(report: Report) -> str:
    """The page: what was measured, where, when, with what, and a table for each scenario."""
    return "\n".join(_markdown_lines(report)) + "\n"


def caption(scenario: ScenarioResult) -> str:
    """What a scenario's numbers are, in one line."""
    return f"{scenario.title}, in {scenario.unit}, {scenario.unit.better} is better"


def warning(report: Report) -> str:
    """What casts doubt on the numbers; empty if nothing does."""
    busy = sum(side.busy_starts for scenario in report.scenarios for side in scenario.sides)
    runs = sum(len(side.values) for scenario in report.scenarios for side in scenario.sides)
    return f"{busy} of {runs} measurements began while something else kept the machine busy." if busy else ""


def _markdown_lines(report: Report) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield (
        "Made by `make bench`: the sides take turns within one run, on the same interpreter and ipykernel, "
        "and a time counts only if the work was done. *bare* is pyzmq and json on the kernel's own sockets. "
        "A ratio is a side's median over that of the side named in the column."
    )
    yield ""
    yield f"- date: {report.date}"
    for name, value in (*report.machine.items(), *report.versions.items()):
        yield f"- {name}: {value}"
    if doubt := warning(report):
        yield f"- {doubt}"
    headings = _headings(report)
    for scenario in report.scenarios:
        yield from ("", f"## {scenario.name}", "", _sentence(caption(scenario)), "")
        yield f"| {' | '.join(headings)} |"
        yield f"|{'|'.join('---' if index == 0 else '---:' for index in range(len(headings) - 1))}|---|"
        for row in _rows(scenario, _compared_with(report)):
            yield f"| {' | '.join(row.cells)} |"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _headings(report: Report) -> list[str]:
    ratios = [f"to {name}" for name in _compared_with(report)]
    return ["side", "median", "min to max", "runs", *ratios, "what happened"]


def _compared_with(report: Report) -> list[str]:
    return [name for name in _COMPARED_WITH if name in report.sides]


def _rows(scenario: ScenarioResult, others: list[str]) -> Iterator[_Row]:
    for side in scenario.sides:
        ratios = tuple(_ratio(scenario, side, other) for other in others)
        spread = f"{_number(min(side.values))} to {_number(max(side.values))}" if side.values else "-"
        median = "-" if side.median is None else f"{_number(side.median)} {scenario.unit}"
        yield _Row(side.side, median, spread, str(len(side.values)), ratios, side.happened)


def _ratio(scenario: ScenarioResult, side: SideResult, other: str) -> str:
    ratio = scenario.ratio(side.side, other)
    if ratio is None or side.side == other:
        return "-"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
