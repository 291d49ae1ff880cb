"""What every front knows of a source file: which code to run, and how a result looks beside its line.

A `Document` is one version of a file's text. Its markers or fences make cells, and its rows make blocks:
statements in Python, which `ast` reads, and indented or bracketed blocks elsewhere. `code_at`, `code_in` and
`code_of` turn a cursor, a selection or a cell into a `Chunk` that can be sent to a kernel as it is; `chunks`
does so for a whole file, statement by statement, so that each result can stand beside its own line. `look`
says what stands there, and `beside` puts it there.

Nothing here reads, writes or waits, and nothing raises for any text: code that is broken, half typed or in an
unknown language still has rows, and a person who asks to run one gets the best guess at what goes with it.
"""

from kernelway.source.cells import Cell, CellKind
from kernelway.source.chunks import Chunk, chunks, code_at, code_in, code_of, next_row
from kernelway.source.document import Document
from kernelway.source.inline import Look, Shown, ShownKind, beside, look, result_column, richest
from kernelway.source.languages import language_named, language_of
from kernelway.source.text import Position, Selection, column_of_utf16, utf16_of_column

__all__ = [
    "Cell",
    "CellKind",
    "Chunk",
    "Document",
    "Look",
    "Position",
    "Selection",
    "Shown",
    "ShownKind",
    "beside",
    "chunks",
    "code_at",
    "code_in",
    "code_of",
    "column_of_utf16",
    "language_named",
    "language_of",
    "look",
    "next_row",
    "result_column",
    "richest",
    "utf16_of_column",
]
