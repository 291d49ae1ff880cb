"""A kernel's text, made safe for a terminal and cut into its rows.

Of the escape sequences in it only those for colours stay (SGR of ECMA-48): what else a kernel sends could
move the cursor over results, rename the window or write to the clipboard.
"""

from __future__ import annotations

import re
from typing import Final

from kernelway.source.terminal import plain, width, without_tabs

_COLOUR: Final = re.compile(r"(\x1b\[[\d;:]*m)")
_RESETS: Final = re.compile(r"\x1b\[(?!(?:[\d;:]*;)?[34]8[;:])(?:[\d;:]*;)?0*m")
_STARTS_ANEW: Final = re.compile(r"\x1b\[0*;")
_FOREGROUND: Final = re.compile(r"\x1b\[(?:[39][0-7]|38[;:][\d;:]*)m")
_NO_FOREGROUND: Final = "\x1b[39m"
_RESET: Final = "\x1b[0m"
_TAB: Final = 8
# More colours than this, one on top of the other without a reset, are not told apart.
_MOST_COLOURS: Final = 8


def safe(line: str, *, colours: bool) -> str:
    """One line without anything that a terminal would act on, colours excepted where they are wanted."""
    if line.isprintable():
        return line
    line = without_tabs(line, tab=_TAB) if "\x1b" not in line else line.replace("\t", " " * _TAB)
    if not colours or "\x1b" not in line:
        return plain(line)
    parts = _COLOUR.split(line)
    return "".join(part if index % 2 else plain(part) for index, part in enumerate(parts))


def folded(line: str, columns: int) -> list[str]:
    """A safe line as rows of at most ``columns`` columns, each of which carries its own colours."""
    if line.isascii() and len(line) <= columns and "\x1b" not in line:
        return [line]
    rows: list[str] = []
    row, taken, active = "", 0, ""
    for part in _COLOUR.split(line):
        if part.startswith("\x1b"):
            active = after(active, part)
            row += part
            continue
        for character in part:
            needed = width(character)
            if taken + needed > columns and taken:
                rows.append(row + _RESET * bool(active))
                row, taken = active, 0
            row += character
            taken += needed
    return [*rows, row + _RESET * bool(active)]


def after(active: str, line: str) -> str:
    """The colours that are on behind a line, as the sequences that turn them on, given those before it."""
    for sequence in _COLOUR.findall(line):
        if _RESETS.match(sequence):
            active = ""
        elif sequence == _NO_FOREGROUND:
            active = _FOREGROUND.sub("", active)
        else:
            active = sequence if _STARTS_ANEW.match(sequence) else active + sequence
    sequences = _COLOUR.findall(active)
    return active if len(sequences) <= _MOST_COLOURS else "".join(sequences[-_MOST_COLOURS:])


def closed(active: str, line: str) -> str:
    """A line that begins in the colours on before it, and leaves none on behind it."""
    if not active and "\x1b" not in line:
        return line
    return active + line + _RESET * bool(after(active, line))
