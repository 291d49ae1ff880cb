"""The source of what is shown from a kernel's journal: the code itself, or a line for each piece of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from kernelway.cli.history import Asked
from kernelway.cli.marks import shown_file
from kernelway.cli.show.row import Row, RowKind, shortened
from kernelway.cli.show.view import Beginning
from kernelway.cli.since import shown_moment
from kernelway.source import result_column
from kernelway.source.terminal import clipped, width, without_tabs

_WIDEST: Final = 60
_LONGEST_LINE: Final = 48
"""Columns of the first line of code that stands for all of it."""


class PastCode:
    """The code of each piece, as it was sent; a heading says where another run, or another file, begins."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._count = 0
        self._asked: Asked | None = None
        self._above: list[Row] = []
        self._code: list[Row] = [Row("")]
        self._widest = 0

    def put(self, asked: Asked, coming: Iterable[Asked]) -> Beginning:
        """Take the next piece, and what comes after it as far as that is known."""
        before, self._asked = self._asked, asked
        self._above = self._between(before, asked)
        if any(row.kind is RowKind.ASIDE for row in self._above):
            self._widest = max((_width(each) for each in coming if _is_same_file(asked, each)), default=0)
        if asked.is_late:
            self._code = [Row(f"⋮ {_late(asked)}", RowKind.ASIDE)]
        else:
            self._code = shortened([Row(line) for line in asked.code.split("\n")])
            self._widest = max(self._widest, _width(asked))
        first = asked.mark.first - 1 if asked.mark is not None else 0
        self._count += 1
        return Beginning(
            self._count - 1, asked.code, first, first + asked.code.count("\n"), runs=not asked.is_late
        )

    def column(self, columns: int) -> int:
        """The column for results, which moves when a longer line comes."""
        cap = min(_WIDEST, columns * 3 // 5)
        return result_column(["x" * self._widest] if self._widest <= cap else [], cap=cap)

    def above(self, index: int) -> list[Row]:
        """The heading, or a blank row where lines of the file were left out."""
        return self._above

    def code(self, index: int) -> list[Row]:
        """The rows of the piece."""
        return self._code

    def _between(self, before: Asked | None, asked: Asked) -> list[Row]:
        if asked.is_late:
            return []
        if before is not None and _is_same_file(before, asked):
            if before.mark is None or asked.mark is None:
                return [Row("", RowKind.BLANK)]
            if asked.mark.first > before.mark.last:
                return [Row("", RowKind.BLANK)] * (asked.mark.first > before.mark.last + 1)
        words = [shown_file(asked.mark.path)] if asked.mark is not None else []
        if asked.at is not None:
            words.append(shown_moment(asked.at, self._now))
        heading = [Row(f"── {', '.join(words)} ──", RowKind.ASIDE)] if words else []
        return [*([Row("", RowKind.BLANK)] if before is not None else []), *heading]


class PastLines:
    """A line for each piece: when, and which lines of which file, or else its first line of code."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._count = 0
        self._row = Row("")
        self._widest = 0

    def put(self, asked: Asked, coming: Iterable[Asked]) -> Beginning:
        """Take the next piece."""
        at = "" if asked.at is None else f"{shown_moment(asked.at, self._now)}  "
        what = _late(asked) if asked.is_late else _place(asked) or _first_line(asked.code)
        self._row = Row(f"{at}{what}")
        self._widest = max(self._widest, width(self._row.text))
        self._count += 1
        return Beginning(self._count - 1, asked.code, 0, 0, runs=not asked.is_late)

    def column(self, columns: int) -> int:
        """The column for results, which moves when a longer line comes."""
        cap = min(_WIDEST, columns * 3 // 5)
        return result_column(["x" * self._widest], cap=cap)

    def above(self, index: int) -> list[Row]:
        """Nothing."""
        return []

    def code(self, index: int) -> list[Row]:
        """The line."""
        return [self._row]


def _is_same_file(one: Asked, other: Asked) -> bool:
    paths = [None if each.mark is None else each.mark.path for each in (one, other)]
    return paths[0] == paths[1]


def _place(asked: Asked) -> str:
    if asked.mark is None:
        return ""
    first, last = asked.mark.first, asked.mark.last
    return f"{shown_file(asked.mark.path)}:{first}" + (f"-{last}" if last > first else "")


def _late(asked: Asked) -> str:
    """What prints while no code runs."""
    what = _place(asked) or _first_line(asked.code)
    return f"{what}, later" if what else "printed while no code ran"


def _first_line(code: str) -> str:
    first, _, rest = code.strip().partition("\n")
    return clipped(without_tabs(first), _LONGEST_LINE) + (" …" if rest else "")


def _width(asked: Asked) -> int:
    """The columns of the row that the result stands beside; none where it is too wide to matter."""
    columns = width(without_tabs(asked.code.rsplit("\n", 1)[-1]))
    return columns if columns <= _WIDEST else 0
