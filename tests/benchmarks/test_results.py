"""The arithmetic on what was measured."""

from __future__ import annotations

import pytest
from benchmarks.results import GrowthPoint, GrowthResult, Miss, ScenarioResult, SideResult
from benchmarks.scenarios.scenario import Unit


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


def growth() -> GrowthResult:
    return GrowthResult(
        "kernels",
        "a round trip",
        "kernels",
        Unit.MILLISECONDS,
        3,
        (
            GrowthPoint(1, (SideResult("steady", (2.0, 4.0)), SideResult("weak", (1.0,)))),
            GrowthPoint(200, (SideResult("steady", (6.0, 3.0)), SideResult("weak", (), (Miss("too many"),)))),
        ),
    )


def test_a_line_goes_as_far_as_the_work_was_done() -> None:
    assert growth().line("steady") == [(1, 3.0), (200, 4.5)]
    assert growth().line("weak") == [(1, 1.0)]
    assert growth().line("absent") == []


def test_growth_is_the_last_point_as_a_multiple_of_the_first() -> None:
    row = growth().last_over_first("kernels", "how much slower")
    assert row.unit is Unit.TIMES
    assert row.sides[0].values == (2.0, 1.0)
    assert row.sides[1].values == ()
    assert row.sides[1].happened == "too many (1 of 1 runs)"
