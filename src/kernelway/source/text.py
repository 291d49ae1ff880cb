"""Text as editors count it: rows from 0, columns in code points, LF between rows.

Rows end at LF, CRLF or CR and nowhere else. Form feeds, U+2028 and the other characters at which
`str.splitlines` would cut are ordinary characters, as they are for Python's tokenizer and for language
servers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(r"\r\n?")
_TAB_STOP: Final = 8


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two characters: a row from 0, and a column from 0 in code points."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user selected; `start` may lie behind `end`, and a cursor has both in one place."""

    start: Position
    end: Position


def normalised(text: str) -> str:
    """`text` with LF line ends and without a byte order mark, which editors keep out of their columns too."""
    return _LINE_END.sub("\n", text.removeprefix("\ufeff"))


def is_blank(line: str) -> bool:
    """Whether there is nothing but space in `line`, or not even that."""
    return not line or line.isspace()


def leading_space(line: str) -> str:
    """The space before the first other character."""
    return line[: len(line) - len(line.lstrip())]


def indentation(line: str) -> int:
    """How far the first character stands from the margin, with tab stops every 8 columns."""
    return len(leading_space(line).expandtabs(_TAB_STOP))


def trimmed(lines: Sequence[str], rows: range) -> range:
    """`rows` without the blank ones at either end; empty, at `rows.start`, when there are no others."""
    first, stop = rows.start, rows.stop
    while stop > first and is_blank(lines[stop - 1]):
        stop -= 1
    while first < stop and is_blank(lines[first]):
        first += 1
    return range(first, stop) if first < stop else range(rows.start, rows.start)


def column_of_utf16(line: str, units: int) -> int:
    """The column in code points for one in UTF-16 code units, the unit that language servers count in.

    A column inside a surrogate pair becomes the one before the character, and one past the end becomes the
    end.
    """
    if line.isascii():
        return min(max(units, 0), len(line))
    column = 0
    for character in line:
        units -= 2 if character > "\uffff" else 1
        if units < 0:
            break
        column += 1
    return column


def utf16_of_column(line: str, column: int) -> int:
    """The column in UTF-16 code units for one in code points; one past the end becomes the end."""
    before = line[: max(column, 0)]
    return len(before) + sum(character > "\uffff" for character in before)
