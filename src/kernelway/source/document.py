"""A source document: its rows, its cells, and the blocks that its rows make."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from kernelway.source.blocks import IndentedBlocks
from kernelway.source.cells import Cell, CellKind, percent_cells
from kernelway.source.fences import fenced_cells
from kernelway.source.languages import MARKDOWN, PYTHON, language_named, language_of, lexicon_of
from kernelway.source.python_blocks import DoesNotParse, PythonBlocks
from kernelway.source.text import normalised

Blocks = IndentedBlocks | PythonBlocks


class Document:
    """One version of a file's text, as an editor holds it. It never changes: an edit makes another document.

    `text` may have any line ends and need not end with one; here they are LF. There is always at least one
    row, and behind a final line end an empty one. `language` may be spelt as in kernelspecs or as editors
    spell it; None means that nobody knows. What a document works out (cells, syntax trees) it keeps until it
    is dropped.
    """

    def __init__(self, text: str, language: str | None) -> None:
        self.text = normalised(text)
        self.language = None if language is None else language_named(language)
        self.lines: Sequence[str] = self.text.split("\n")
        self._blocks_of_cells: dict[int, Blocks] = {}
        self._broken_row: int | None = None

    @classmethod
    def of_file(cls, name: str, text: str) -> "Document":
        """A document in the language that the file's name tells; the file itself is not read."""
        return cls(text, language_of(name))

    @cached_property
    def cells(self) -> Sequence[Cell]:
        """All cells in order. Rows of prose between the fences of a Markdown file are in none."""
        return (
            fenced_cells(self.lines)
            if self.language == MARKDOWN
            else percent_cells(self.lines, self.language)
        )

    def cell_at(self, row: int) -> Cell | None:
        """The cell whose rows, marker or fences hold `row`, which counts as `clamped`."""
        row = self.clamped(row)
        index = bisect_right(self.cells, row, key=lambda cell: cell.span.start) - 1
        return self.cells[index] if index >= 0 and row in self.cells[index].span else None

    def clamped(self, row: int) -> int:
        """`row`, or the nearest row where the document has none of that number."""
        return min(max(row, 0), len(self.lines) - 1)

    def blocks(self, cell: Cell) -> Blocks:
        """The blocks around `cell`: the whole file's where Python can parse it, or else its own."""
        if self._whole_python is not None:
            return self._whole_python
        if cell.span.start not in self._blocks_of_cells:
            self._blocks_of_cells[cell.span.start] = self._read(cell, cell.rows)
        return self._blocks_of_cells[cell.span.start]

    def blocks_within(self, cell: Cell, rows: range) -> Blocks:
        """The blocks of some rows of `cell`, as if nothing stood around them."""
        if self._whole_python is not None:
            return self._read(cell, rows) if self._whole_python.cuts(rows) else self._whole_python
        return self.blocks(cell) if rows == cell.rows else self._read(cell, rows)

    def _read(self, cell: Cell, rows: range) -> Blocks:
        if cell.language == PYTHON:
            return PythonBlocks(self.lines, rows, cells=[rows], tolerant=True, broken_row=self._broken_row)
        return IndentedBlocks(self.lines, rows, lexicon_of(cell.language))

    @cached_property
    def _whole_python(self) -> PythonBlocks | None:
        """The blocks of the whole file, None when it does not parse or is in another language."""
        if self.language != PYTHON:
            return None
        code = [cell.rows for cell in self.cells if cell.kind is CellKind.CODE]
        try:
            return PythonBlocks(self.lines, range(len(self.lines)), cells=code)
        except DoesNotParse as error:
            self._broken_row = error.row
            return None
