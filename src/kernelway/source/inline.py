"""How a result looks beside its line.

    import markdown     [✓]
    markdown.version    ['2.6.6']

One short line of plain text stands there itself. Everything longer or richer goes below, and only what it is
can be said in a few words. An error stands in both places.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Final

from kernelway.source.terminal import clipped, overwritten, plain, width, without_tabs

PLAIN: Final = "text/plain"
_HTML: Final = "text/html"
_GAP: Final = 4
_TIMES: Final = "\N{MULTIPLICATION SIGN}"

# Richest first. Vega and Plotly put a version into the type.
_RICHNESS: Final = (
    re.compile(r"application/vnd\.vega(?:lite)?\.v\d+(?:\.\d+)*\+json"),
    re.compile(r"application/vnd\.plotly\.v\d+\+json"),
    re.compile(r"text/html"),
    re.compile(r"text/markdown"),
    re.compile(r"text/latex"),
    re.compile(r"image/svg\+xml"),
    re.compile(r"image/jpeg"),
    re.compile(r"image/png"),
    re.compile(r"application/json"),
    re.compile(r"text/plain"),
)
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/vnd.vega": "plot",
        "application/vnd.plotly": "plot",
        "application/vnd.jupyter.widget": "widget",
        _HTML: "html",
        "text/markdown": "markdown",
        "text/latex": "latex",
        "image/": "image",
        "application/json": "json",
    }
)
# What pandas, polars and R write under or above a table, in plain text and in HTML.
_SHAPE: Final = re.compile(
    r"(?:\[|<p>)(\d+) rows [x\u00d7] (\d+) columns"
    r"|^(?:<small>)?shape: \(([\d_,]+), ([\d_,]+)\)"
    r"|\bA [\w.]+: (\d+) [x\u00d7] (\d+)",
    re.MULTILINE,
)


class ShownKind(StrEnum):
    """What a kernel sent: text on stdout or stderr, a display, the value of the code, or an error."""

    STREAM = "stream"
    DISPLAY = "display"
    RESULT = "result"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Shown:
    """One output: the richest of its types, and its text in that type or, where it is no text, in plain.

    The text of an error is its name and value, as in `NameError: name 'x' is not defined`.
    """

    kind: ShownKind
    text: str
    mime: str = PLAIN


@dataclass(frozen=True, slots=True)
class Look:
    """What stands beside a line, with its brackets, and the outputs that go below it.

    `mark` is None where the outputs say more than fits beside the line, and `summary` names them in brief.
    """

    mark: str | None
    below: tuple[Shown, ...] = ()
    summary: str = ""


def look(outputs: Iterable[Shown], *, running: bool = False, room: int = 80) -> Look:
    """How the outputs of one chunk, in their order, look in `room` columns, brackets included."""
    shown = tuple(_joined(outputs))
    errors = [output for output in shown if output.kind is ShownKind.ERROR]
    if running:
        return Look("[…]", shown, summary(shown))
    if errors:
        message = next(iter(_lines(errors[0].text.strip())), "")
        return Look(f"[{clipped(f'✗ {message}'.rstrip(), room - 2)}]", shown, summary(shown))
    if not shown:
        return Look("[✓]")
    lines = _lines(shown[0].text) if len(shown) == 1 and shown[0].mime == PLAIN else ()
    if len(lines) == 1 and width(lines[0]) + 2 <= room:
        return Look(f"[{lines[0]}]")
    return Look(None, shown, summary(shown))


def summary(outputs: Iterable[Shown]) -> str:
    """What the outputs are, in a few words, as in `3 lines` or `1 line, image`."""
    names = ((name, len(list(same))) for name, same in groupby(_name(output) for output in outputs))
    return ", ".join(name if count == 1 else f"{count} {_TIMES} {name}" for name, count in names)


def richest(mime_types: Iterable[str]) -> str | None:
    """The richest of a bundle's types, its first where none has a place in the order, None for no types."""
    types = list(mime_types)
    for form in _RICHNESS:
        if matching := [mime for mime in types if form.fullmatch(mime)]:
            return max(matching)
    return types[0] if types else None


def result_column(lines: Iterable[str], *, cap: int = 60, tab: int = 4) -> int:
    """The column for results beside these lines: a gap behind the longest, or behind `cap`."""
    longest = max((width(without_tabs(line, tab=tab)) for line in lines), default=0)
    return min(longest, cap) + _GAP


def beside(line: str, mark: str, column: int, *, tab: int = 4) -> str:
    """`line` with its tabs expanded and `mark` at `column`, or a gap behind a line that reaches further."""
    line = without_tabs(line.rstrip(), tab=tab)
    return line + " " * max(column - width(line), _GAP) + mark


def _joined(outputs: Iterable[Shown]) -> Iterator[Shown]:
    """The outputs that show anything: neighbouring streams as one, plain text as a terminal shows it."""
    for is_stream, group in groupby(outputs, key=lambda output: output.kind is ShownKind.STREAM):
        members = list(group)
        if is_stream:
            members = [Shown(ShownKind.STREAM, "".join(output.text for output in members))]
        for output in members:
            if output.mime != PLAIN or output.kind is ShownKind.ERROR:
                yield output
            elif text := overwritten(output.text).rstrip("\n"):
                yield replace(output, text=text)


def _lines(text: str) -> Sequence[str]:
    return [without_tabs(line) for line in plain(text).splitlines()]


def _name(output: Shown) -> str:
    if output.kind is ShownKind.ERROR:
        return "error"
    is_text = output.kind is ShownKind.STREAM
    if not is_text and output.mime in (PLAIN, _HTML) and (shape := _shape(output.text)):
        return f"table {shape[0]}{_TIMES}{shape[1]}"
    if output.mime == PLAIN:
        count = len(_lines(output.text))
        return "1 line" if count == 1 else f"{count} lines"
    return next((name for prefix, name in _NAMES.items() if output.mime.startswith(prefix)), output.mime)


def _shape(text: str) -> tuple[str, str] | None:
    """Rows and columns of a table, from what its writer says of it or from its HTML."""
    if said := _SHAPE.search(text):
        rows, columns = (number for number in said.groups() if number)
        return rows, columns
    _, _, body = text.partition("<tbody")
    if not body:
        return None
    rows = body.count("<tr")
    first = body.partition("</tr>")[0]
    return str(rows), str(first.count("<td"))
