"""The little of SVG that a plot needs: lines, circles, text, and colours for light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True)
class Colour:
    """One colour on a light page and another on a dark one."""

    name: str
    light: str
    dark: str


PAPER = Colour("paper", "#fbfbfc", "#0d1117")
INK = Colour("ink", "#24292f", "#e6edf3")
FAINT = Colour("faint", "#57606a", "#9198a1")
GRID = Colour("grid", "#e3e7eb", "#262c36")


class Drawing:
    """Elements in the order in which they are painted; coordinates are pixels from the top left."""

    def __init__(self, width: int, height: int, *, title: str, colours: Sequence[Colour]) -> None:
        self._width = width
        self._height = height
        self._title = title
        self._colours = (PAPER, INK, FAINT, GRID, *colours)
        self._elements: list[str] = []

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: Colour,
        *,
        width: float = 1,
        dashed: bool = False,
    ) -> None:
        """Through all points."""
        dashes = ' stroke-dasharray="6 4"' if dashed else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._elements.append(
            f'<polyline points="{path}" fill="none" stroke-width="{width:g}"{dashes} '
            f"{_painted('stroke', colour)}/>"
        )

    def dot(self, at: tuple[float, float], colour: Colour, *, radius: float = 3) -> None:
        """A filled circle."""
        x, y = at
        self._elements.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {_painted("fill", colour)}/>'
        )

    def text(
        self,
        at: tuple[float, float],
        text: str,
        colour: Colour,
        *,
        anchor: str = "start",
        size: int = 12,
        bold: bool = False,
    ) -> None:
        """One line of text, its baseline at the point."""
        x, y = at
        weight = ' font-weight="600"' if bold else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{weight} '
            f"{_painted('fill', colour)}>{escape(text)}</text>"
        )

    def render(self) -> str:
        """The document. Where the reader's scheme is dark the other colours are taken, the paper's too."""
        size = f'viewBox="0 0 {self._width} {self._height}" width="{self._width}" height="{self._height}"'
        font = "system-ui, -apple-system, Segoe UI, DejaVu Sans, sans-serif"
        outline = f'width="{self._width - 1}" height="{self._height - 1}" rx="8"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{font}">',
            f"<title>{escape(self._title)}</title>",
            f"<style>@media (prefers-color-scheme: dark) {{ {self._dark()} }}</style>",
            f'<rect x="0.5" y="0.5" {outline} {_painted("fill", PAPER)}/>',
            *self._elements,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _dark(self) -> str:
        return " ".join(
            f".{paint}-{colour.name} {{ {paint}: {colour.dark} }}"
            for colour in self._colours
            for paint in ("fill", "stroke")
        )


def _painted(paint: str, colour: Colour) -> str:
    """Light as an attribute, which every viewer knows; a class for the rule that makes it dark."""
    return f'{paint}="{colour.light}" class="{paint}-{colour.name}"'
