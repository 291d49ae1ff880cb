"""A plot for each growth: a line for each side, its name and last value at its end, both axes logarithmic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks import sides
from benchmarks.results import GrowthResult
from benchmarks.svg import FAINT, GRID, INK, Colour, Drawing

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 540, 64, 346
_LABEL_DISTANCE = 17.0

_COLOURS: Final[Mapping[str, Colour]] = {
    sides.BARE: Colour("bare", "#6e7781", "#8b949e"),
    sides.KERNELWAY: Colour("kernelway", "#0969da", "#58a6ff"),
    sides.JUPYTER_SERVER: Colour("jupyter-server", "#bc4c00", "#f0883e"),
    sides.KERNEL_GATEWAY: Colour("kernel-gateway", "#8250df", "#bc8cff"),
}


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic scale: values from ``low`` to ``high`` on pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a value lies."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def plot(growth: GrowthResult) -> str:
    """The SVG document; a side without a single value is left out and named below."""
    names = [name for name in _COLOURS if growth.line(name)]
    drawing = Drawing(_WIDTH, _HEIGHT, title=growth.title, colours=[_COLOURS[name] for name in names])
    drawing.text((20, 28), f"{growth.title[:1].upper()}{growth.title[1:]}", INK, size=14, bold=True)
    drawing.text((20, 47), f"{growth.unit}, both axes logarithmic; lower is better", FAINT)
    if names:
        across = _axis_of_points([point.at for point in growth.points])
        upwards = _axis_of_values(value for name in names for _, value in growth.line(name))
        _draw_grid(drawing, growth, across, upwards)
        for name in names:
            _draw_side(drawing, growth, name, across, upwards)
        _draw_labels(drawing, growth, names, across, upwards)
    if short := _short_of(growth):
        drawing.text((20, _HEIGHT - 12), short, FAINT, size=11)
    return drawing.render()


def _axis_of_points(points: Sequence[int]) -> Axis:
    return Axis(points[0], max(points[-1], points[0] + 1), _LEFT + 16, _RIGHT - 16)


def _axis_of_values(values: Iterable[float]) -> Axis:
    """From the step of 1, 2, 5 below the least to that above the greatest."""
    known = list(values)
    low = max(step for step in _steps() if step <= min(known) / 1.1)
    high = min(step for step in _steps() if step >= max(known) * 1.1)
    return Axis(low, high, _BOTTOM, _TOP)


def _steps() -> list[float]:
    return [digit * 10.0**exponent for exponent in range(-6, 9) for digit in (1, 2, 5)]


def _draw_grid(drawing: Drawing, growth: GrowthResult, across: Axis, upwards: Axis) -> None:
    inside = [step for step in _steps() if upwards.low <= step <= upwards.high]
    decades = [step for step in inside if math.log10(step) % 1 < 1e-9]
    for step in inside if len(inside) <= 8 else decades:
        y = upwards.place(step)
        drawing.line([(_LEFT, y), (_RIGHT, y)], GRID)
        drawing.text((_LEFT - 8, y + 4), f"{step:,g}", FAINT, anchor="end")
    drawing.line([(_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)], FAINT)
    for point in growth.points:
        x = across.place(point.at)
        drawing.line([(x, _BOTTOM), (x, _BOTTOM + 5)], FAINT)
        drawing.text((x, _BOTTOM + 20), _point_name(point.at, growth.axis), FAINT, anchor="middle")
    drawing.text(((_LEFT + _RIGHT) / 2, _BOTTOM + 40), _axis_name(growth.axis), FAINT, anchor="middle")


def _draw_side(drawing: Drawing, growth: GrowthResult, name: str, across: Axis, upwards: Axis) -> None:
    """The line of medians; from the least to the greatest value a thin one up."""
    colour = _COLOURS[name]
    places = [(across.place(at), upwards.place(value)) for at, value in growth.line(name)]
    drawing.line(
        places,
        colour,
        width=2.5 if name == sides.KERNELWAY else 1.5,
        # The peers share code, and often a line.
        dashed=name == sides.KERNEL_GATEWAY,
    )
    for point in growth.points:
        for side in point.sides:
            if side.side == name and side.values:
                x = across.place(point.at)
                ends = (min(side.values), max(side.values))
                drawing.line([(x, upwards.place(_within(upwards, end))) for end in ends], colour)
    for place in places:
        drawing.dot(place, colour)


def _within(axis: Axis, value: float) -> float:
    return min(max(value, axis.low), axis.high)


def _draw_labels(
    drawing: Drawing, growth: GrowthResult, names: Sequence[str], across: Axis, upwards: Axis
) -> None:
    """Right of the plot, at the height of each line's end, moved apart where they would touch."""
    ends = {name: upwards.place(growth.line(name)[-1][1]) for name in names}
    places = apart([ends[name] for name in names], _LABEL_DISTANCE)
    for name, y in zip(names, places, strict=True):
        at, value = growth.line(name)[-1]
        if at != growth.points[-1].at:
            drawing.line([(across.place(at) + 5, ends[name]), (_RIGHT - 2, y)], GRID)
        label = f"{name} {_number(value)} {growth.unit}"
        drawing.text((_RIGHT + 2, y + 4), label, _COLOURS[name], bold=name == sides.KERNELWAY)


def apart(places: Sequence[float], distance: float) -> list[float]:
    """The places, in their order, moved as little as it takes to be so far from one another.

    Those that would touch form a group, which lies in the middle of where its members were.
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    groups: list[list[float]] = []
    for rank, index in enumerate(order):
        groups.append([places[index] - rank * distance])
        while len(groups) > 1 and statistics.fmean(groups[-2]) > statistics.fmean(groups[-1]):
            last = groups.pop()
            groups[-1].extend(last)
    moved = [statistics.fmean(group) for group in groups for _ in group]
    return [moved[order.index(index)] + order.index(index) * distance for index in range(len(places))]


def _point_name(value: int, axis: str) -> str:
    if axis != "bytes":
        return f"{value:,}"
    for size, unit in ((1_000_000, "MB"), (1000, "KB")):
        if value >= size:
            return f"{value // size} {unit}"
    return f"{value} B"


def _axis_name(axis: str) -> str:
    return "size of the message" if axis == "bytes" else axis


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _short_of(growth: GrowthResult) -> str:
    """Which sides did not do the work at every point, in the order of the points."""
    parts = []
    for point in growth.points:
        names = [side.side for side in point.sides if not side.values]
        if names:
            parts.append(f"{_point_name(point.at, growth.axis)}: not by {' and '.join(names)}")
    return "; ".join(parts)
