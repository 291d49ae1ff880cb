"""Plots: what stands in them, and where."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest
from benchmarks.plots import Axis, apart, plot
from benchmarks.results import GrowthPoint, GrowthResult, Miss, SideResult
from benchmarks.scenarios.scenario import Unit
from hypothesis import given
from hypothesis import strategies as st

WEAK = SideResult("jupyter_server", (), (Miss("no more"),))


def growth(*last: SideResult) -> GrowthResult:
    first = (SideResult("kernelway", (2.0, 4.0)), SideResult("jupyter_server", (44.0,)))
    points = (GrowthPoint(1, first), GrowthPoint(200, last or first))
    return GrowthResult("kernels", "a trip & back", "kernels", Unit.MILLISECONDS, 2, points)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter()]


def test_each_line_has_its_name_and_last_value_at_its_end() -> None:
    assert {"kernelway 3 ms", "jupyter_server 44 ms", "A trip & back", "kernels"} <= set(
        texts(plot(growth()))
    )


def test_a_side_that_does_not_get_to_the_end_is_named() -> None:
    svg = plot(growth(SideResult("kernelway", (5.0,)), WEAK))
    assert {"kernelway 5 ms", "jupyter_server 44 ms", "200: not by jupyter_server"} <= set(texts(svg))


def test_a_plot_without_a_value_is_still_one() -> None:
    nothing = GrowthResult("sizes", "sizes", "bytes", Unit.MILLISECONDS, 1, (GrowthPoint(100, (WEAK,)),))
    assert "100 B: not by jupyter_server" in texts(plot(nothing))


def test_a_plot_of_one_point_is_drawn() -> None:
    one = GrowthResult(
        "n", "t", "kernels", Unit.MILLISECONDS, 1, (GrowthPoint(1, (SideResult("bare", (1.0,)),)),)
    )
    assert "bare 1 ms" in texts(plot(one))


def test_every_colour_has_a_darker_or_lighter_other() -> None:
    svg = plot(growth())
    for name in ("paper", "ink", "kernelway", "jupyter-server"):
        assert f".fill-{name} {{" in svg
        assert f'class="fill-{name}"' in svg


def test_an_axis_is_logarithmic() -> None:
    axis = Axis(1, 100, 0, 10)
    assert [axis.place(value) for value in (1, 10, 100)] == pytest.approx([0, 5, 10])


@given(st.lists(st.floats(0, 400), min_size=1, max_size=4))
def test_labels_keep_their_order_and_do_not_touch(places: list[float]) -> None:
    moved = apart(places, 17)
    order = sorted(range(len(places)), key=lambda index: places[index])
    for above, below in itertools.pairwise(order):
        assert moved[below] - moved[above] > 16
