"""Tables on the terminal, and the words in them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernelway.cli.show.paint import Tone
from kernelway.cli.show.terminal import terminal_of
from kernelway.source.terminal import clipped, width

_PIPE_WIDTH: Final = 10_000
"""Columns of what is not read on a screen: no cell is cut there."""
_LEAST_WIDTH: Final = 8
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of one tone."""

    text: str
    tone: Tone | None = None


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    environ: Mapping[str, str],
    wraps: str = "",
    shrinks: str = "",
    remarks: Sequence[tuple[str, Cell]] = (),
) -> None:
    """Print rows under headings, and below them remarks on what is not in a row, by the first column.

    On a narrow screen the column ``wraps`` goes on in the next row, and ``shrinks`` is cut.
    """
    terminal = terminal_of(sys.stdout, environ)
    total = terminal.size().columns if terminal.moves else _PIPE_WIDTH
    console = Console(
        file=sys.stdout,
        force_terminal=terminal.moves,
        no_color=not terminal.colours,
        width=total,
        highlight=False,
    )
    widths = [
        max([width(column), *(width(row[number].text) for row in rows)])
        for number, column in enumerate(columns)
    ]
    widths[0] = max([widths[0] if rows else 0, *(width(name) for name, _ in remarks)])
    table = _table(columns, show_header=True)
    for number, column in enumerate(columns):
        if column in (wraps, shrinks):
            others = sum(widths) - widths[number] + _GAP * (len(columns) - 1)
            widths[number] = min(widths[number], max(total - others, _LEAST_WIDTH))
        table.columns[number].width = widths[number]
    for row in rows:
        cells = (
            _cut(cell, room) if column == shrinks else cell
            for cell, column, room in zip(row, columns, widths, strict=True)
        )
        table.add_row(*(_text(cell) for cell in cells))
    below = _table(("", ""), show_header=False)
    below.columns[0].width = widths[0]
    for name, remark in remarks:
        below.add_row(Text(name, style=Tone.QUIET), _text(remark))
    with console.capture() as captured:
        for part in [table] * bool(rows) + [below] * bool(remarks):
            console.print(part)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _table(columns: Sequence[str], *, show_header: bool) -> Table:
    padding = (0, _GAP, 0, 0)
    return Table(
        *columns, box=None, pad_edge=False, padding=padding, header_style="dim", show_header=show_header
    )


def _text(cell: Cell) -> Text:
    return Text(cell.text, style=cell.tone or "")


def _cut(cell: Cell, room: int) -> Cell:
    """The cell's text in so many columns; of a path the end says most."""
    if width(cell.text) <= room:
        return cell
    text = clipped(cell.text[::-1], room)[::-1] if "/" in cell.text else clipped(cell.text, room)
    return Cell(text, cell.tone)


def print_json(value: object) -> None:
    """Print a value for machines."""
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def ago(timestamp: str, now: datetime) -> str:
    """How long ago a moment was, as people say it; nothing where the server does not tell."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (now - moment).total_seconds()
    if seconds < 10:
        return "just now"
    for unit, length, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 36), ("days", 86400, float("inf"))):
        if seconds / length < most:
            return f"{int(seconds / length)} {unit} ago"
    return ""


def size(count: int) -> str:
    """So many bytes, as people say it."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def short_ids(ids: Sequence[str], *, least: int = 8) -> dict[str, str]:
    """The beginning of each id that tells it from the others."""
    distinct = set(ids)
    short = {}
    for each in distinct:
        length = least
        while length < len(each) and sum(other.startswith(each[:length]) for other in distinct) > 1:
            length += 1
        short[each] = each[:length]
    return short
