"""The text in HTML, for what a kernel shows in no other form: its tables as columns, its blocks as lines."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

from kernelway.source.terminal import width

_BLOCKS: Final = frozenset(
    (
        *(
            "address",
            "article",
            "blockquote",
            "br",
            "dd",
            "div",
            "dl",
            "dt",
            "figcaption",
            "figure",
            "footer",
        ),
        *(
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "li",
            "main",
            "nav",
            "ol",
            "p",
            "pre",
            "section",
        ),
        *("table", "tr", "ul"),
    )
)
_UNSEEN: Final = frozenset(("script", "style", "template", "head"))
_CELLS: Final = frozenset(("td", "th"))
_GAP: Final = "  "


def text_of_html(html: str) -> str:
    """The text that a person would read; empty where there is only what a browser has to run or draw."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    """Gathers words into lines, and the cells of a table until its end; blanks are as in a browser."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line = ""
        self._rows: list[list[str]] = []
        self._in_cell = False
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a cell, a row or a line."""
        del attrs
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "tr":
            self._rows.append([])
        elif tag in _CELLS and self._rows:
            self._rows[-1].append("")
            self._in_cell = True
        elif tag in _BLOCKS:
            self._break()
            if tag == "li":
                self._add("- ")

    def handle_endtag(self, tag: str) -> None:
        """End what began."""
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        elif tag in _CELLS:
            self._in_cell = False
        elif tag == "table":
            self._end_table()
        elif tag in _BLOCKS:
            self._break()

    def handle_data(self, data: str) -> None:
        """Add words; what stands between the rows of a table is nothing."""
        if not self._unseen and (self._in_cell or not self._rows):
            self._add(data)

    def text(self) -> str:
        """Everything read."""
        self._end_table()
        self._break()
        return "\n".join(self._lines)

    def _add(self, text: str) -> None:
        if self._in_cell:
            self._rows[-1][-1] += text
        else:
            self._line += text

    def _break(self) -> None:
        if self._in_cell:
            self._add(" ")
        elif words := self._line.split():
            self._lines.append(" ".join(words))
            self._line = ""

    def _end_table(self) -> None:
        rows = [[" ".join(cell.split()) for cell in row] for row in self._rows if row]
        self._rows, self._in_cell = [], False
        self._break()
        self._lines += _aligned(rows)


def _aligned(rows: list[list[str]]) -> list[str]:
    """A table's rows as lines whose cells stand below one another."""
    count = max((len(row) for row in rows), default=0)
    filled = [row + [""] * (count - len(row)) for row in rows]
    widths = [max(width(row[column]) for row in filled) for column in range(count)]
    return [
        _GAP.join(cell + " " * (room - width(cell)) for cell, room in zip(row, widths, strict=True)).rstrip()
        for row in filled
    ]
