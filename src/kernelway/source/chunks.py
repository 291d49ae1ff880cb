"""Which code runs: for a cursor, a selection, a cell or a whole file.

Rows and columns outside the document count as the nearest ones inside, so that a cursor which an editor
reports after the text has changed under it still means something. Nothing here raises for any text.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from kernelway.source.cells import Cell, CellKind, prose
from kernelway.source.document import Document
from kernelway.source.languages import MARKDOWN, PYTHON, lexicon_of
from kernelway.source.python_blocks import cell_magic
from kernelway.source.text import Position, Selection, is_blank, leading_space, trimmed

_BACKSLASH: Final = re.compile(r"(?<!\\)(?:\\\\)*\\$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Code to run as one, and where it stands.

    `code` has LF between its rows and none at its end, and begins at the margin. It covers `first_row` to
    `last_row`, both included; its result goes beside `result_row`, the last of them that is not blank.
    `language` is None where neither the file nor a fence tells. Text of Markdown and raw cells comes without
    its comment signs.
    """

    code: str
    first_row: int
    last_row: int
    result_row: int
    language: str | None
    kind: CellKind = CellKind.CODE

    @property
    def runs(self) -> bool:
        """Whether the code is for a kernel. Cell markers and empty cells have none; prose is only shown."""
        return self.kind is CellKind.CODE and not is_blank(self.code)


def code_at(document: Document, row: int) -> Chunk:
    """What runs for a cursor on `row`, with nothing selected.

    The innermost block or statement that the row belongs to, whole; on a blank row the nearest one above it
    in the same cell. On a marker, or where there is nothing above, a chunk that does not run.
    """
    row = document.clamped(row)
    cell = document.cell_at(row)
    if cell is None:
        return _outside_cells(document, row)
    if row not in cell.rows:
        return _nothing(row, cell.language)
    if cell.kind is not CellKind.CODE:
        return _prose(document, cell, range(row, row + 1))
    blocks = document.blocks(cell)
    rows = blocks.at(row)
    if rows is None or rows.stop <= cell.rows.start:
        # The nearest row with something on it is the marker.
        return _nothing(row if cell.marker_row is None else cell.marker_row, cell.language)
    return _chunk(document, rows, cell.language, blocks.in_strings)


def code_in(document: Document, selection: Selection) -> Chunk:
    """What runs for a selection: exactly its text, but nothing from before the cell that holds its end.

    An empty selection is a cursor. One that ends at column 0 ends on the row before. One that begins in the
    space before its first row's code begins with the row, so that the rows below keep their depth.
    """
    start, end = sorted((_clamped(document, selection.start), _clamped(document, selection.end)))
    if start == end:
        return code_at(document, end.row)
    if end.column == 0:
        end = Position(end.row - 1, len(document.lines[end.row - 1]))
    cell = document.cell_at(end.row)
    if cell is None:
        return _outside_cells(document, end.row)
    rows = range(max(start.row, cell.rows.start), min(end.row + 1, cell.rows.stop))
    if not rows:
        return _nothing(end.row, cell.language)
    if cell.kind is not CellKind.CODE:
        return _prose(document, cell, rows)
    lines = list(document.lines)
    if end.row in rows:
        lines[end.row] = lines[end.row][: end.column]
    if start.row in rows and not is_blank(lines[start.row][: start.column]):
        lines[start.row] = lines[start.row][start.column :]
    return _chunk(document, rows, cell.language, document.blocks(cell).in_strings, lines)


def code_of(document: Document, cell: Cell) -> Chunk:
    """What runs for a whole cell of this document, without the blank rows around it."""
    if not (rows := trimmed(document.lines, cell.rows)):
        return _nothing(cell.span.start, cell.language)
    if cell.kind is not CellKind.CODE:
        return _prose(document, cell, rows)
    if cell.language == PYTHON:
        # IPython wants a cell magic before everything else, comments included.
        rows = cell_magic(document.lines, rows) or rows
    return _chunk(document, rows, cell.language, document.blocks(cell).in_strings)


def chunks(document: Document, rows: range | None = None) -> list[Chunk]:
    """The top-level statements of the whole document, or of `rows` as if nothing stood around them, in order.

    Every statement is in exactly one chunk, and comments, blank rows, markers and prose are in none. A
    statement that does not parse is a chunk too: saying what is wrong with it is for the kernel.
    """
    asked = range(len(document.lines)) if rows is None else range(max(rows.start, 0), rows.stop)
    found: list[Chunk] = []
    for cell in document.cells:
        within = range(max(cell.rows.start, asked.start), min(cell.rows.stop, asked.stop))
        if cell.kind is not CellKind.CODE or not within:
            continue
        blocks = document.blocks(cell) if rows is None else document.blocks_within(cell, within)
        first = bisect_left(blocks.top_level, within.start, key=_start)
        stop = bisect_left(blocks.top_level, within.stop, key=_start)
        in_strings = blocks.in_strings
        found += (
            _chunk(document, block, cell.language, in_strings) for block in blocks.top_level[first:stop]
        )
    return found


def next_row(document: Document, row: int) -> int | None:
    """The next row below `row` that is not blank, for run-and-move-down; None when there is none."""
    below = range(max(row + 1, 0), len(document.lines))
    return next((following for following in below if not is_blank(document.lines[following])), None)


def _start(rows: range) -> int:
    return rows.start


def _clamped(document: Document, position: Position) -> Position:
    row = document.clamped(position.row)
    return Position(row, min(max(position.column, 0), len(document.lines[row])))


def _nothing(row: int, language: str | None) -> Chunk:
    return Chunk(code="", first_row=row, last_row=row, result_row=row, language=language)


def _outside_cells(document: Document, row: int) -> Chunk:
    """A row of no cell: prose in a Markdown file, and elsewhere blank."""
    if document.language != MARKDOWN:
        return _nothing(row, document.language)
    return replace(_nothing(row, MARKDOWN), code=document.lines[row], kind=CellKind.MARKDOWN)


def _prose(document: Document, cell: Cell, rows: range) -> Chunk:
    is_markdown_file = document.language == MARKDOWN
    code = "\n".join(document.lines[row] for row in rows)
    return Chunk(
        code=code if is_markdown_file else prose(document.lines, rows, cell.language),
        first_row=rows.start,
        last_row=rows.stop - 1,
        result_row=rows.stop - 1,
        language=cell.language,
        kind=cell.kind,
    )


def _chunk(
    document: Document,
    rows: range,
    language: str | None,
    in_strings: Set[int],
    lines: Sequence[str] | None = None,
) -> Chunk:
    """The chunk of some rows, from `lines` where they are not quite the document's."""
    lines = document.lines if lines is None else lines
    filled = trimmed(lines, rows)
    if not filled:
        return _nothing(rows.stop - 1, language)
    code = _dedented(lines, filled, in_strings, lexicon_of(language).comments)
    if filled.stop < rows.stop and _BACKSLASH.search(code):
        # It went on in a blank row, and at the end of the code it would ask for more.
        code = code[:-1]
    return Chunk(
        code=code,
        first_row=filled.start,
        last_row=rows.stop - 1,
        result_row=filled.stop - 1,
        language=language,
    )


def _dedented(lines: Sequence[str], rows: range, in_strings: Set[int], comments: tuple[str, ...]) -> str:
    """The rows without the indentation of the first that is code; rows inside a string stay as they are."""
    code = (row for row in rows if not is_blank(lines[row]) and not lines[row].lstrip().startswith(comments))
    first = next(code, rows.start)
    margin = "" if first in in_strings else leading_space(lines[first])
    if not margin:
        return "\n".join(lines[rows.start : rows.stop])
    return "\n".join(lines[row] if row in in_strings else _without(margin, lines[row]) for row in rows)


def _without(margin: str, line: str) -> str:
    if line.startswith(margin):
        return line.removeprefix(margin)
    kept = next(
        (at for at, (left, right) in enumerate(zip(line, margin, strict=False)) if left != right), len(line)
    )
    return line[kept:]
