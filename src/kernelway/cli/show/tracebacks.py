"""Tracebacks of Python kernels, with the user's file and line in the place of ``Cell In[3], line 2``.

IPython numbers the lines of what was sent from 1, and names it by its execution count. What was sent from
which row of the file is known here, so the numbers can be put right, also in the frames of functions that
earlier pieces defined. Frames of other files, and of what other clients sent, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kernelway.protocol.execution import Error
from kernelway.source.terminal import plain

# The headings of a frame in IPython 8 and 9, in the first ones of 8, and in 7.
_HEADINGS: Final = (
    re.compile(r"(?P<indent>\s*)(?:Cell|Input) In ?\[(?P<count>\d+)\](?:, line (?P<line>\d+))?(?P<rest>.*)"),
    re.compile(r"(?P<indent>\s*)<ipython-input-(?P<count>\d+)-[0-9a-f]+>(?P<line>(?!))?(?P<rest> in .*)"),
)
_OTHER_FRAME: Final = re.compile(r"\s*(?:File |\S+\.py in |<)")
_NUMBERED: Final = re.compile(
    r"(?P<lead>(?:\x1b\[[\d;]*m|[-> ])*)(?P<number>\d+)(?=(?:\x1b\[[\d;]*m)*(?:\s|$))"
)
_RULE: Final = re.compile(r"-{10,}")
_TITLE: Final = re.compile(r"\S+\s{2,}(Traceback \(most recent call last\))")
_SYNTAX_PLACE: Final = re.compile(r" \([^()]*, line (\d+)\)$")
_CYAN: Final = "\x1b[36m"
_RESET: Final = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece of code came from: a file as the person named it, and its first row, from 0."""

    file: str
    first_row: int


def located(error: Error, origins: Mapping[int, Origin], *, last: Origin | None) -> Error:
    """The error with the user's own files and lines; ``origins`` are by execution count.

    ``last`` is where the code came from that failed: a syntax error's value names a file of the kernel's own.
    The rule and the second naming of the error above IPython's tracebacks are left out.
    """
    lines: list[str] = []
    origin: Origin | None = None
    for line in (line for part in error.traceback for line in part.rstrip("\n").split("\n")):
        bare = plain(line)
        if _RULE.fullmatch(bare.strip()):
            continue
        heading = next((found for form in _HEADINGS if (found := form.fullmatch(bare))), None)
        if heading is not None:
            origin = origins.get(int(heading["count"]))
            lines.append(line if origin is None else _heading(heading, origin))
        elif _OTHER_FRAME.match(bare):
            origin = None
            lines.append(line)
        else:
            lines.append(_TITLE.sub(r"\1", bare) if _TITLE.match(bare) else _renumbered(line, origin))
    return replace(error, value=_value(error, last), traceback=lines)


def _heading(heading: re.Match[str], origin: Origin) -> str:
    place = origin.file
    if heading["line"]:
        place += f":{int(heading['line']) + origin.first_row}"
    return f"{heading['indent']}{_CYAN}{place}{_RESET}{heading['rest']}"


def _renumbered(line: str, origin: Origin | None) -> str:
    match = _NUMBERED.match(line)
    if origin is None or match is None:
        return line
    number = str(int(match["number"]) + origin.first_row)
    lead = plain(match["lead"])
    room = len(lead) + len(match["number"])
    if ">" in lead:
        number = "-" * max(room - len(number) - 2, 1) + "> " + number
    return f"{number:>{room}}{line[match.end() :]}"


def _value(error: Error, last: Origin | None) -> str:
    place = _SYNTAX_PLACE.search(error.value)
    if (
        place is None
        or last is None
        or not error.name.endswith(("SyntaxError", "IndentationError", "TabError"))
    ):
        return error.value
    return f"{error.value[: place.start()]} ({last.file}, line {int(place[1]) + last.first_row})"


def text_of(error: Error) -> str:
    """The error in one line."""
    return ": ".join(part for part in (error.name, error.value) if part) or "error"


def lines_of(error: Error) -> Sequence[str]:
    """The traceback's lines, or the one line that there is without one."""
    lines = [line for part in error.traceback for line in part.rstrip("\n").split("\n")]
    return lines if any(lines) else [text_of(error)]
