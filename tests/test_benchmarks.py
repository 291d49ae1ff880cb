"""The benchmark's own smoke test: every scenario once with tiny sizes; times are nobody's business here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.results import Miss, ScenarioResult, SideResult
from benchmarks.scenarios import Unit

ROOT = Path(__file__).resolve().parents[1]

SIDES = ["bare", "kernelway"]

SCENARIOS = {
    "start": ("ms", "lower"),
    "roundtrip": ("ms", "lower"),
    "stream": ("outputs/s", "higher"),
    "download": ("MB/s", "higher"),
    "upload": ("MB/s", "higher"),
}


def run_benchmarks(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one tiny run wrote: its JSON, its Markdown, its terminal and its log."""
    folder = tmp_path_factory.mktemp("benchmarks")
    run = run_benchmarks(
        *("--tiny", "--sides", ",".join(SIDES)),
        *("--json", str(folder / "report.json"), "--markdown", str(folder / "report.md")),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {
        "json": (folder / "report.json").read_text(encoding="utf-8"),
        "markdown": (folder / "report.md").read_text(encoding="utf-8"),
        "terminal": run.stdout,
        "log": run.stderr,
    }


def scenarios(written: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {scenario["name"]: scenario for scenario in json.loads(written["json"])["scenarios"]}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_side_does_the_work_in_every_round(written: dict[str, str], name: str) -> None:
    scenario = scenarios(written)[name]
    assert (scenario["unit"], scenario["better"]) == SCENARIOS[name]
    assert [side["side"] for side in scenario["sides"]] == SIDES
    for side in scenario["sides"]:
        assert side["misses"] == []
        assert len(side["values"]) == scenario["rounds"] == 1
        assert min(side["values"]) > 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_ratio_is_one_median_over_the_other(written: dict[str, str], name: str) -> None:
    bare, kernelway = scenarios(written)[name]["sides"]
    assert kernelway["ratios"]["bare"] == pytest.approx(kernelway["values"][0] / bare["values"][0])
    assert bare["ratios"]["kernelway"] == pytest.approx(1 / kernelway["ratios"]["bare"])


def test_the_terminal_and_the_page_show_every_scenario_and_side(written: dict[str, str]) -> None:
    for text in (written["terminal"], written["markdown"]):
        for word in (*SCENARIOS, *SIDES):
            assert re.search(rf"\b{word}\b", text), word
    assert "ipykernel:" in written["markdown"]


def test_nothing_had_to_be_killed_afterwards(written: dict[str, str]) -> None:
    assert "left behind" not in written["log"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--only", "sart"), "'sart' is none of start, roundtrip"),
        (("--sides", "bare,kernelweigh"), "'kernelweigh' is none of bare, kernelway"),
        (("--rounds", "0"), "'0' is not a number of rounds"),
    ],
)
def test_a_misspelt_option_is_named(options: tuple[str, ...], complaint: str) -> None:
    run = run_benchmarks(*options)
    assert run.returncode == 2
    assert complaint in run.stderr


def test_what_was_missed_is_told_instead_of_a_time_and_is_not_compared() -> None:
    lossy = SideResult("lossy", (), (Miss("of 10,000 arrive", 3001), Miss("of 10,000 arrive", 3379)))
    cut = SideResult("cut", (20.0,), (Miss("connection lost"),))
    whole = SideResult("whole", (50.0, 10.0, 30.0))
    scenario = ScenarioResult("stream", "many outputs", Unit.OUTPUTS_PER_SECOND, 3, (lossy, cut, whole))
    assert lossy.happened == "3,001 to 3,379 of 10,000 arrive (2 of 2 runs)"
    assert lossy.median is None
    assert scenario.ratio("lossy", "whole") is None
    assert scenario.ratio("whole", "lossy") is None
    assert cut.happened == "connection lost (1 of 2 runs)"
    assert whole.happened == ""
    assert scenario.ratio("cut", "whole") == pytest.approx(20 / 30)
    assert scenario.ratio("cut", "absent") is None
