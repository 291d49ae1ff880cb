"""Every scenario once with tiny sizes; times are nobody's business here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from benchmarks.__main__ import _family

ROOT = Path(__file__).resolve().parents[2]

SIDES = ["bare", "kernelway", "kernelway_notebook", "python"]

SCENARIOS = {
    "start": ("ms", "lower", ["bare", "kernelway"]),
    "burst": ("ms", "lower", ["bare", "kernelway"]),
    "roundtrip": ("ms", "lower", ["bare", "kernelway"]),
    "stream": ("outputs/s", "higher", ["bare", "kernelway"]),
    "download": ("MB/s", "higher", ["bare", "kernelway"]),
    "upload": ("MB/s", "higher", ["bare", "kernelway"]),
    "peak": ("x", "lower", ["kernelway"]),
    "notebook": ("ms", "lower", ["kernelway_notebook"]),
    "notebook_stream": ("outputs/s", "higher", ["kernelway_notebook"]),
    "notebook_out": ("MB/s", "higher", ["kernelway_notebook"]),
    "notebook_in": ("MB/s", "higher", ["kernelway_notebook"]),
    "cpu": ("µs", "lower", ["kernelway"]),
    "idle": ("MB", "lower", ["kernelway"]),
    "memory": ("MB", "lower", ["bare", "kernelway"]),
    "run": ("s", "lower", ["kernelway", "python"]),
    "run_new": ("s", "lower", ["kernelway", "python"]),
    "kernels": ("x", "lower", ["bare", "kernelway"]),
    "clients": ("ms", "lower", ["bare", "kernelway"]),
}

GROWTH = {"kernels": 2, "clients": 2, "sizes": 2}


def run_benchmarks(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one tiny run wrote: its JSON, its pages, its plots, its terminal and its log."""
    folder = tmp_path_factory.mktemp("benchmarks")
    run = run_benchmarks(
        *("--tiny", "--sides", ",".join(SIDES)),
        *("--json", str(folder / "report.json"), "--pages", str(folder)),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    return {**files, "terminal": run.stdout, "log": run.stderr}


def scenarios(written: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {scenario["name"]: scenario for scenario in json.loads(written["report.json"])["scenarios"]}


def test_every_scenario_has_run(written: dict[str, str]) -> None:
    assert list(scenarios(written)) == list(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_side_does_the_work_in_every_round(written: dict[str, str], name: str) -> None:
    scenario = scenarios(written)[name]
    unit, better, sides = SCENARIOS[name]
    assert (scenario["unit"], scenario["better"]) == (unit, better)
    assert sorted(side["side"] for side in scenario["sides"]) == sides
    for side in scenario["sides"]:
        assert side["misses"] == []
        assert len(side["values"]) == scenario["rounds"] == 1
        # A message of a megabyte may fit what a server had free already.
        assert min(side["values"]) > 0 or name == "peak"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_ratio_is_one_median_over_the_other(written: dict[str, str], name: str) -> None:
    sides = {side["side"]: side for side in scenarios(written)[name]["sides"]}
    for mine in sides.values():
        for other in sides.values():
            if other["median"]:
                ratio = mine["ratios"][other["side"]]
                assert ratio == pytest.approx(mine["values"][0] / other["values"][0])


@pytest.mark.parametrize("name", GROWTH)
def test_a_growth_has_every_side_at_every_point(written: dict[str, str], name: str) -> None:
    growth = {each["name"]: each for each in json.loads(written["report.json"])["growth"]}[name]
    assert len(growth["points"]) == GROWTH[name]
    for point in growth["points"]:
        assert [side["side"] for side in point["sides"]] == ["bare", "kernelway"]
        assert all(side["median"] > 0 for side in point["sides"])


@pytest.mark.parametrize("name", GROWTH)
def test_a_growth_has_a_plot_which_its_page_shows(written: dict[str, str], name: str) -> None:
    assert f"(images/growth-{name}.svg)" in written["growth.md"]
    texts = [element.text or "" for element in ET.fromstring(written[f"growth-{name}.svg"]).iter()]
    assert any(text.startswith("kernelway ") for text in texts)


def test_the_terminal_and_the_page_show_every_scenario_and_side(written: dict[str, str]) -> None:
    for text in (written["terminal"], written["benchmarks.md"]):
        for word in (*SCENARIOS, *SIDES):
            assert re.search(rf"\b{word}\b", text), word
    assert "ipykernel:" in written["benchmarks.md"]


def test_each_scenario_says_that_it_begins_and_how_long_it_took(written: dict[str, str]) -> None:
    for name in (*SCENARIOS, "sizes"):
        assert re.search(rf"^{name} …$", written["log"], re.MULTILINE)
        assert re.search(rf"^{name}: \d+ s$", written["log"], re.MULTILINE)


def test_nothing_had_to_be_killed_afterwards(written: dict[str, str]) -> None:
    assert "left behind" not in written["log"]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ("start", ["start"]),
        ("run", ["run", "run_new"]),
        ("notebook_in,stream", ["stream", "notebook_in"]),
        ("notebook", ["notebook", "notebook_stream", "notebook_out", "notebook_in"]),
    ],
)
def test_a_name_is_also_that_of_all_that_begin_with_it(given: str, chosen: list[str]) -> None:
    assert _family(list(SCENARIOS), given) == chosen


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--only", "sart"), "'sart' is none of start, burst"),
        (("--sides", "bare,kernelweigh"), "'kernelweigh' is none of bare, kernelway"),
        (("--rounds", "0"), "'0' is not a number of rounds"),
    ],
)
def test_a_misspelt_option_is_named(options: tuple[str, ...], complaint: str) -> None:
    run = run_benchmarks(*options)
    assert run.returncode == 2
    assert complaint in run.stderr
