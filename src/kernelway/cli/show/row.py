"""Rows of source to show, and how much of what is long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from kernelway.source.text import leading_space

_LONGEST: Final = 12
"""Rows of one piece, or of comments in a row, that are shown whole."""
_HEAD: Final = 6


class RowKind(Enum):
    """What a row of a listing is."""

    CODE = "code"
    ASIDE = "aside"
    """A comment, a cell marker, or a word on rows that are left out."""
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Row:
    """A row to show, without its line end."""

    text: str
    kind: RowKind = RowKind.CODE


def shortened(rows: list[Row]) -> list[Row]:
    """The rows, or the first and the last of many."""
    if len(rows) <= _LONGEST:
        return rows
    indent = leading_space(rows[_HEAD - 1].text)
    left_out = Row(f"{indent}⋮ {len(rows) - _HEAD - 1} more lines", RowKind.ASIDE)
    return [*rows[:_HEAD], left_out, rows[-1]]
