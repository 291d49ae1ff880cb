"""Cells of Markdown files: fenced code blocks, each in the language that its info string names.

Fences follow CommonMark 0.31, section 4.5, except that any indentation may stand before one, because in a
list an opening fence is indented as deeply as its item. Info strings are those of GitHub (`python`,
`rust,ignore`), Quarto and R Markdown (`{python}`, `{r setup, echo=FALSE}`), pandoc (`{#id .python}`) and MyST
(`{code-cell} python`).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from kernelway.source.cells import Cell, CellKind
from kernelway.source.languages import MARKDOWN, language_named
from kernelway.source.text import indentation

_OPENING: Final = re.compile(r"[ \t]*+(?P<fence>`{3,}(?=[^`]*$)|~{3,})[ \t]*(?P<info>.*?)[ \t]*")
_MYST: Final = re.compile(r"\{code-cell\}\s*(?P<word>\S*)")
_BRACED: Final = re.compile(r"\{\s*(?:[^.\s{}=]*#[^\s{}]*\s+)?\.?(?P<word>[^\s{},=.]+)(?=[\s,}.])[^{}]*\}$")
_PLAIN: Final = re.compile(r"(?P<word>[^\s{,`]+)")
_MYST_OPTION: Final = re.compile(r":[\w-]+:")


def fenced_cells(lines: Sequence[str]) -> list[Cell]:
    """The fenced code blocks of a Markdown file, in order; one that nobody closed reaches to the end.

    A fence that names no language is raw, and so is one whose braces say that it is not run (`{{python}}`,
    `{=html}`, `{figure} plot.png`). Whether there are kernels for the languages of the others (`text`,
    `json`) is not known here.
    """
    return list(_cells(lines))


def _cells(lines: Sequence[str]) -> Iterator[Cell]:
    row = 0
    while row < len(lines):
        opening = _OPENING.fullmatch(lines[row])
        if opening is None:
            row += 1
            continue
        closing = _closing_row(lines, row, opening["fence"])
        language = _language(opening["info"])
        is_code = language is not None or _MYST.match(opening["info"])
        yield Cell(
            rows=range(_first_row(lines, row, opening["info"]), closing),
            span=range(row, min(closing + 1, len(lines))),
            marker_row=row,
            kind=CellKind.MARKDOWN if language == MARKDOWN else CellKind.CODE if is_code else CellKind.RAW,
            language=language,
        )
        row = closing + 1


def _closing_row(lines: Sequence[str], row: int, fence: str) -> int:
    """The row that closes the fence opened at `row`, or the number of rows."""
    closing = re.compile(rf"[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*")
    deepest = indentation(lines[row]) + 3
    for below in range(row + 1, len(lines)):
        if closing.fullmatch(lines[below]) and indentation(lines[below]) <= deepest:
            return below
    return len(lines)


def _first_row(lines: Sequence[str], row: int, info: str) -> int:
    """The first row of content: MyST's cells may have options above it."""
    first = row + 1
    if _MYST.match(info):
        while first < len(lines) and _MYST_OPTION.match(lines[first].strip()):
            first += 1
    return first


def _language(info: str) -> str | None:
    for form in (_MYST, _BRACED, _PLAIN):
        if found := form.match(info):
            return language_named(found["word"]) if found["word"] else None
    return None
