"""The report as pages of documentation: a table for each scenario, a plot for each growth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks import sides
from benchmarks.plots import plot
from benchmarks.results import GrowthResult, Report, ScenarioResult, SideResult
from benchmarks.tables import caption, compared_with, factor, growth_cell, headings, median, rows, warning

_OURS = (sides.KERNELWAY, sides.WARM, sides.NOTEBOOK)
"""The sides that the summary has a row for."""

_INTRODUCTION = (
    "Made by `make bench`: the sides take turns within one run, on the same interpreter and ipykernel, and a "
    "value counts only if the work was done: counts, sizes and contents are checked first. A ratio is a "
    "side's median over that of the side named in the column; where lower is better, one below 1 is better. "
    "How some of the figures grow is shown in [plots](growth.md)."
)

_GROWTH_INTRODUCTION = (
    ", with a synthetic kernel that does next to nothing: what is seen is the way there and back. Dots "
    "are medians, the thin lines through them go from the least to the greatest value. Machine, versions and "
    "all other figures: [benchmarks](benchmarks.md)."
)


def write_pages(report: Report, folder: Path) -> None:
    """``benchmarks.md``, ``growth.md`` and the plots below ``images`` in a folder of documentation."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(benchmarks_page(report), encoding="utf-8")
    (folder / "growth.md").write_text(growth_page(report), encoding="utf-8")
    for growth in report.growth:
        (folder / _image(growth)).write_text(plot(growth), encoding="utf-8")


def benchmarks_page(report: Report) -> str:
    """What was measured, where, when, with what, and a table for each scenario."""
    return _text(_benchmark_lines(report))


def growth_page(report: Report) -> str:
    """The plots, and the medians that they show."""
    return _text(_growth_lines(report))


def _benchmark_lines(report: Report) -> Iterator[str]:
    yield from ("# Benchmarks", "", _INTRODUCTION, "")
    present = {side.side for scenario in report.scenarios for side in scenario.sides}
    for name, about in sides.ABOUT.items():
        if name in present:
            yield f"- *{name}*: {about}"
    yield ""
    yield f"- date: {report.date}; the run took {report.seconds / 60:.1f} minutes"
    for name, value in (*report.machine.items(), *report.versions.items()):
        yield f"- {name}: {value}"
    if doubt := warning(report):
        yield f"- {doubt}"
    yield from ("", "## In short", "")
    yield from _summary(report)
    for scenario in report.scenarios:
        yield from ("", f"## {scenario.name}", "", _sentence(caption(scenario)), "")
        others = compared_with([scenario])
        yield from _table(headings(others), [row.cells for row in rows(scenario, others)], left=(0, -1))


def _summary(report: Report) -> Iterator[str]:
    """Kernelway's figures beside the better peer's, whichever that is."""
    cells = [
        _summary_cells(scenario, side)
        for scenario in report.scenarios
        for side in scenario.sides
        if side.side in _OURS
    ]
    names = ("scenario", "side", "median", "to bare", "the better peer", "to the better peer")
    yield from _table(names, cells, left=(0, 1, 4))


def _summary_cells(scenario: ScenarioResult, side: SideResult) -> tuple[str, ...]:
    peer = _better_peer(scenario)
    return (
        f"[{scenario.name}](#{scenario.name})",
        side.side,
        median(scenario, side),
        factor(scenario.ratio(side.side, sides.BARE)),
        "-" if peer is None else f"{median(scenario, peer)} ({peer.side})",
        "-" if peer is None else factor(scenario.ratio(side.side, peer.side)),
    )


def _better_peer(scenario: ScenarioResult) -> SideResult | None:
    """Of those that did the work; None where none did."""
    medians = {
        side.median: side
        for side in scenario.sides
        if sides.needs_peers(side.side) and side.median is not None
    }
    if not medians:
        return None
    return medians[min(medians) if scenario.unit.better == "lower" else max(medians)]


def _growth_lines(report: Report) -> Iterator[str]:
    yield from ("# How figures grow", "", f"Made by `make bench` on {report.date}{_GROWTH_INTRODUCTION}")
    for growth in report.growth:
        yield from ("", f"## {growth.name}", "", f"![{_sentence(growth.title)}]({_image(growth)})", "")
        yield f"In {growth.unit}, {growth.unit.better} is better; in brackets the number of runs."
        yield ""
        names = [side.side for side in growth.points[0].sides]
        cells = [
            (f"{point.at:,}", *(growth_cell(side, growth) for side in point.sides)) for point in growth.points
        ]
        yield from _table((growth.axis, *names), cells, left=())


def _table(names: Sequence[str], cells: Iterable[Sequence[str]], *, left: Sequence[int]) -> Iterator[str]:
    """Columns are to the right but for those in ``left``, which are counted from either end."""
    aligned_left = {index % len(names) for index in left}
    yield f"| {' | '.join(names)} |"
    yield f"|{'|'.join('---' if index in aligned_left else '---:' for index in range(len(names)))}|"
    for row in cells:
        yield f"| {' | '.join(row)} |"


def _image(growth: GrowthResult) -> str:
    return f"images/growth-{growth.name}.svg"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
