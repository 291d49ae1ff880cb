"""Which code of a file runs: ``FILE``, ``FILE:LINE``, ``FILE:FROM-TO``, or one cell of it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kernelway.protocol.errors import ConfigError, InvalidRequest, NotFound
from kernelway.source import (
    CellKind,
    Chunk,
    Document,
    Position,
    Selection,
    chunks,
    code_at,
    code_in,
    language_of,
)
from kernelway.source.languages import MARKDOWN, PYTHON

_RANGE = re.compile(r"(?P<file>.+):(?P<first>\d+)(?:-(?P<last>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked to run. Lines and cells count from 1; ``last`` is given with a range."""

    file: Path
    first: int | None = None
    last: int | None = None
    cell: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the whole file was asked for."""
        return self.first is None and self.cell is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """The pieces of a document to run, in order, all in one language, and the row its listing begins with."""

    document: Document
    pieces: Sequence[Chunk]
    language: str | None
    start: int = 0


def wanted(text: str, *, cell: int | None) -> Wanted:
    """Read ``FILE[:LINE | :FROM-TO]``; a file that has such a name itself is that file."""
    match = _RANGE.fullmatch(text)
    if match is None or Path(text).exists():
        return Wanted(file=Path(text), cell=cell)
    if cell is not None:
        raise InvalidRequest("A line and --cell exclude each other: give one.")
    first = int(match["first"])
    last = None if match["last"] is None else int(match["last"])
    if first < 1 or (last is not None and last < first):
        raise InvalidRequest(f"{text}: lines count from 1, and a range ends no earlier than it begins.")
    return Wanted(file=Path(match["file"]), first=first, last=last)


def read(path: Path) -> Document:
    """The document in a file, in the encoding that Python would read it in, or in UTF-8."""
    if path.suffix == ".ipynb":
        raise InvalidRequest(
            f"{path} is a notebook, which `kernelway run` does not take yet: export it as a script first "
            "(`jupyter nbconvert --to script` does)."
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return Document.of_file(path.name, data.decode(_encoding(path, data)))
    except (UnicodeDecodeError, SyntaxError, LookupError) as error:
        raise InvalidRequest(f"{path} is not text in UTF-8: {error}.") from error


def _encoding(path: Path, data: bytes) -> str:
    if language_of(path.name) != PYTHON:
        return "utf-8-sig"
    return tokenize.detect_encoding(io.BytesIO(data).readline)[0]


def pick(document: Document, want: Wanted, *, runnable: Sequence[str], kernel_language: str | None) -> Picked:
    """The code that was asked for.

    ``runnable`` are the languages that there are kernels for, ``kernel_language`` that of the kernel where
    one was named: in a Markdown file they decide which blocks run. Errors say what is there instead.
    """
    if document.language is None and kernel_language is not None:
        document = Document(document.text, kernel_language)
    if want.first is not None and want.last is None:
        return _line(document, want, want.first)
    if want.first is not None and want.last is not None:
        return _selection(document, want, want.first, want.last)
    if want.cell is not None:
        return _cell(document, want, want.cell)
    return _whole(document, want, runnable, kernel_language)


def _line(document: Document, want: Wanted, line: int) -> Picked:
    _check_line(document, want, line)
    piece = code_at(document, line - 1)
    return _picked(document, [piece] if piece.runs else [], start=piece.first_row)


def _selection(document: Document, want: Wanted, first: int, last: int) -> Picked:
    _check_line(document, want, first)
    last = min(last, len(document.lines))
    end = Position(last - 1, len(document.lines[last - 1]))
    selected = code_in(document, Selection(Position(first - 1, 0), end))
    rows = range(selected.first_row, selected.last_row + 1)
    return _picked(document, chunks(document, rows) if selected.runs else [], start=rows.start)


def _cell(document: Document, want: Wanted, number: int) -> Picked:
    cells = document.cells
    if not 1 <= number <= len(cells):
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        raise NotFound(f"{want.file} has {count}, and no cell {number}.")
    cell = cells[number - 1]
    if cell.kind is not CellKind.CODE:
        raise InvalidRequest(f"Cell {number} of {want.file} is {cell.kind}, which does not run.")
    return _picked(document, chunks(document, cell.rows), start=cell.span.start)


def _whole(document: Document, want: Wanted, runnable: Sequence[str], kernel_language: str | None) -> Picked:
    pieces = chunks(document)
    if document.language == MARKDOWN:
        return _blocks(document, want, pieces, runnable, kernel_language)
    if document.language == PYTHON and pieces and _is_docstring(pieces[0]):
        pieces = pieces[1:]
    return _picked(document, pieces)


def _blocks(
    document: Document,
    want: Wanted,
    pieces: Sequence[Chunk],
    runnable: Sequence[str],
    kernel_language: str | None,
) -> Picked:
    """The fenced blocks of a Markdown file in the one language that can be meant."""
    found = list(dict.fromkeys(piece.language for piece in pieces if piece.language is not None))
    if kernel_language is not None:
        meant = [kernel_language]
    else:
        meant = [language for language in found if language in runnable] or found[:1]
    if len(meant) > 1:
        raise InvalidRequest(
            f"{want.file} has blocks of {' and '.join(meant)}: --kernel says which to run, or a line does."
        )
    picked = _picked(document, [piece for piece in pieces if piece.language in meant])
    return replace(picked, language=meant[0] if meant else None)


def _picked(document: Document, pieces: Sequence[Chunk], *, start: int = 0) -> Picked:
    language = pieces[0].language if pieces else document.language
    return Picked(document=document, pieces=pieces, language=language, start=start)


def _check_line(document: Document, want: Wanted, line: int) -> None:
    count = len(document.lines) - (not document.lines[-1] and len(document.lines) > 1)
    if line > count:
        raise NotFound(f"{want.file} has {count} {'line' if count == 1 else 'lines'}, and no line {line}.")


def _is_docstring(piece: Chunk) -> bool:
    """Whether a piece is a text and nothing else: what a file says of itself at its top."""
    try:
        body = ast.parse(piece.code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return len(body) == 1 and isinstance(body[0], ast.Expr) and _is_text(body[0].value)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
