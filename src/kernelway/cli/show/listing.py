"""The source that a run shows: each piece of code, and what stands between it and the piece above.

Results stand beside the last row of their piece, all at one column. Between pieces the comments of the file
stay, and one blank row for several. Of what is long only the beginning and the end are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kernelway.cli.show.row import Row, RowKind, shortened
from kernelway.source import Chunk, Document, result_column
from kernelway.source.languages import MARKDOWN
from kernelway.source.terminal import width, without_tabs
from kernelway.source.text import is_blank

_WIDEST: Final = 60
"""The column that no result has to stand behind, however long the lines are."""


class Listing:
    """The pieces of one document that run, in order; ``start`` is the first row that is worth showing."""

    def __init__(self, document: Document, pieces: Sequence[Chunk], *, start: int) -> None:
        self._document = document
        self._pieces = pieces
        self._start = start
        self._columns: dict[int, int] = {}

    def column(self, columns: int) -> int:
        """The column for results where so many columns can be seen."""
        if columns not in self._columns:
            self._columns[columns] = self._column(columns)
        return self._columns[columns]

    def _column(self, columns: int) -> int:
        cap = min(_WIDEST, columns * 3 // 5)
        beside = [self._document.lines[piece.result_row] for piece in self._pieces]
        # A line that is longer has its result behind it, and must not push away those of all others.
        return result_column([line for line in beside if width(without_tabs(line)) <= cap], cap=cap)

    def above(self, index: int) -> list[Row]:
        """What stands between a piece and the one above, or above the first one."""
        start = self._pieces[index - 1].last_row + 1 if index else self._start
        lines = self._document.lines[start : self._pieces[index].first_row]
        if self._document.language == MARKDOWN:
            # The prose between fences is for reading in the file.
            return [Row("", RowKind.BLANK)] if index and lines else []
        rows: list[Row] = []
        for line in lines:
            if not is_blank(line):
                rows.append(Row(line, RowKind.ASIDE))
            elif (rows or index) and not (rows and rows[-1].kind is RowKind.BLANK):
                rows.append(Row("", RowKind.BLANK))
        return shortened(rows)

    def code(self, index: int) -> list[Row]:
        """The rows of a piece up to the one that has the result beside it."""
        piece = self._pieces[index]
        return shortened([Row(line) for line in self._document.lines[piece.first_row : piece.result_row + 1]])
