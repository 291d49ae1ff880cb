"""The pages: what a reader is told first."""

from __future__ import annotations

from pathlib import Path

from benchmarks.pages import benchmarks_page, growth_page, write_pages
from benchmarks.results import GrowthPoint, GrowthResult, Miss, Report, ScenarioResult, SideResult
from benchmarks.scenarios.scenario import Unit


def side(name: str, *values: float) -> SideResult:
    return SideResult(name, values, () if values else (Miss("connection lost"),))


def report() -> Report:
    start = ScenarioResult(
        "start",
        "first result",
        Unit.MILLISECONDS,
        1,
        (
            side("bare", 200.0),
            side("kernelway", 50.0),
            side("kernelway_warm", 20.0),
            side("jupyter_server", 400.0),
            side("kernel_gateway", 500.0),
        ),
    )
    notebook = ScenarioResult(
        "notebook",
        "a trip",
        Unit.MILLISECONDS,
        1,
        (side("kernelway_notebook", 4.0), side("gateway_url", 40.0)),
    )
    upload = ScenarioResult(
        "upload",
        "in",
        Unit.MEGABYTES_PER_SECOND,
        1,
        (side("bare", 1000.0), side("kernelway", 800.0), side("jupyter_server")),
    )
    points = (GrowthPoint(1, (side("kernelway", 1.0),)), GrowthPoint(2, (side("kernelway"),)))
    growth = GrowthResult("kernels", "a trip", "kernels", Unit.MILLISECONDS, 1, points)
    return Report("today", 60.0, {"system": "Linux"}, {"python": "3"}, (start, upload, notebook), (growth,))


def test_the_summary_compares_with_bare_and_with_the_better_peer() -> None:
    lines = benchmarks_page(report()).splitlines()
    assert "| [start](#start) | kernelway | 50.0 ms | 0.25 | 400 ms (jupyter_server) | 0.12 |" in lines
    assert "| [start](#start) | kernelway_warm | 20.0 ms | 0.10 | 400 ms (jupyter_server) | 0.05 |" in lines
    assert "| [upload](#upload) | kernelway | 800 MB/s | 0.80 | - | - |" in lines
    assert (
        "| [notebook](#notebook) | kernelway_notebook | 4.00 ms | - | 40.0 ms (gateway_url) | 0.10 |" in lines
    )


def test_a_side_that_did_not_do_the_work_says_so_in_its_row() -> None:
    assert "connection lost (1 of 1 runs)" in benchmarks_page(report())
    assert "connection lost |" in growth_page(report())


def test_only_the_sides_that_took_part_are_explained() -> None:
    page = benchmarks_page(report())
    assert "- *kernelway_warm*: " in page
    assert "kernelway_plain" not in page


def test_the_pages_and_plots_are_written_where_they_link_to(tmp_path: Path) -> None:
    write_pages(report(), tmp_path)
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert written == ["benchmarks.md", "growth.md", "images/growth-kernels.svg"]
