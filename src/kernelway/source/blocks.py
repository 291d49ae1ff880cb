"""Blocks of rows in languages that nobody parses here: by indentation, brackets and the words that close.

Rows that belong to one statement (an open bracket, a string, a trailing operator) make one line. A line whose
next one stands deeper, or inside a brace that it opened, begins a block; the block goes on over rows that
close or continue it at the same depth (`}`, `end`, `fi`, `else`). Where the indentation says nothing, because
a closing word stands under rows that never went deeper, whole blocks are joined: too much code runs where
half a block would fail.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from kernelway.source import lexicons
from kernelway.source.lexer import Scan, scan
from kernelway.source.lexicons import Lexicon
from kernelway.source.text import indentation, is_blank

# A word that closes, somewhere in a row: the row may close what it opens.
_CLOSING_WORD: Final = re.compile(r"\b(?:end|fi|done|esac)\b")


@dataclass(frozen=True, slots=True)
class _Line:
    """A logical line: the rows of one statement, how deep it stands, and its first and last row of code."""

    first: int
    last: int
    indent: int
    braces: int
    bare: str
    tail: str


class IndentedBlocks:
    """The blocks of some rows of a document, none of which reaches beyond these rows."""

    def __init__(self, lines: Sequence[str], rows: range, lexicon: Lexicon) -> None:
        self._scan: Scan = scan(lines, rows, lexicon)
        self._source = lines
        self._lexicon = lexicon
        self._unfinished = re.compile(rf"(?:{lexicon.unfinished})$")
        self._going_on = re.compile(rf"\s*+(?:{lexicon.going_on})")
        self._opens = re.compile(rf"\s*+(?:{lexicon.openers})")
        self._closing_word = re.compile(rf"\s*+(?:{lexicon.closers})")
        self._closes = re.compile(rf"\s*+(?:[)\]}}]|{lexicon.closers})")
        self._inner = re.compile(rf"\s*+(?:[)\]}}]|{lexicon.closers}|{lexicon.clauses})")
        self._lines = self._logical_lines()
        self._firsts = [line.first for line in self._lines]

    @property
    def in_strings(self) -> frozenset[int]:
        """The rows that begin inside a string, where leading space is content."""
        return self._scan.in_strings

    @cached_property
    def top_level(self) -> Sequence[range]:
        """The blocks that stand in no other, in order. Blank rows and comments between them are in none."""
        return [self._rows(first, last) for first, last in self._top]

    def at(self, row: int) -> range | None:
        """The rows that run for a cursor on `row`: None when it is blank and nothing stands above it."""
        index = bisect_right(self._firsts, row) - 1
        if index < 0 or self._lines[index].last < row:
            return self._above(row, index) if is_blank(self._source[row]) else self._comment(row)
        return self._block(index)

    def _comment(self, row: int) -> range:
        first, stop = row, row + 1
        while first in self._scan.in_comments:
            first -= 1
        while stop in self._scan.in_comments:
            stop += 1
        return range(first, stop)

    def _block(self, index: int) -> range:
        """The block that line `index` begins or, if it closes or continues one, belongs to."""
        top = self._top_of(index)
        if index == top[0]:
            return self._rows(*top)
        line = self._lines[index]
        if not self._is_inner(index):
            end = self._end(index)
            # An opening word that no deeper row follows: where its block ends is not to be seen.
            is_lost = end == index and self._lexicon.has_closing_words and self._is_open(index, end)
            return self._rows(*top) if is_lost else self._rows(index, end)
        for above in range(index - 1, top[0], -1):
            opener = self._lines[above]
            if opener.indent == line.indent and not self._is_inner(above) and self._end(above) >= index:
                return self._rows(above, self._end(above))
        return self._rows(*top)

    def _above(self, row: int, index: int) -> range | None:
        """The nearest block above a blank row, at the row's depth; `index` is the line above."""
        if index < 0:
            return None
        top = self._top_of(index)
        if top[1] == index:
            return self._rows(*top)
        depth = self._lines[index + 1].indent
        nearest = (above for above in range(index, top[0], -1) if self._lines[above].indent <= depth)
        return self._block(next(nearest, top[0]))

    def _rows(self, first: int, last: int) -> range:
        return range(self._lines[first].first, self._lines[last].last + 1)

    def _is_inner(self, index: int) -> bool:
        """Whether a line closes or continues a block that began above it."""
        return bool(self._inner.match(self._lines[index].bare)) or self._is_body(index)

    def _is_body(self, index: int) -> bool:
        """Whether a line is the brace, in a row of its own, of what the line above begins."""
        if not index or not self._lexicon.has_braced_blocks:
            return False
        line, above = self._lines[index], self._lines[index - 1]
        is_begun = line.indent == above.indent and not above.tail.rstrip().endswith((";", "}"))
        return is_begun and line.bare.lstrip().startswith("{")

    def _end(self, index: int) -> int:
        """The last line of the block that line `index` begins; `index` itself when it begins none."""
        begin, end = self._lines[index], index
        opened = bool(self._opens.match(begin.bare))
        for following in range(index + 1, len(self._lines)):
            line = self._lines[following]
            if line.indent > begin.indent or line.braces > begin.braces:
                opened = True
            elif line.indent < begin.indent or not self._joins(begin, following, opened=opened):
                break
            end = following
        return end

    def _joins(self, begin: _Line, index: int, *, opened: bool) -> bool:
        """Whether line `index`, at the depth of the block's first, closes the block or goes on with it."""
        if self._is_body(index):
            return True
        line, above = self._lines[index], self._lines[index - 1]
        if not (opened and self._is_inner(index)):
            return False
        if self._closing_word.match(line.bare) and self._lexicon.names_all_openers:
            is_outer = not self._opens.match(begin.bare)
        else:
            # Where braces are counted, one at this depth closes something around the block.
            is_outer = begin.braces > 0 and line.bare.lstrip()[:1] == "}"
        return not is_outer and not self._is_closed_by(begin, above)

    def _is_closed_by(self, begin: _Line, line: _Line) -> bool:
        return line.indent == begin.indent and bool(self._closing_word.match(line.bare))

    def _is_open(self, first: int, last: int) -> bool:
        """Whether the block of these lines begins with an opening word that none of them closes."""
        begin, end = self._lines[first], self._lines[last]
        closes = end.indent == begin.indent and self._closes.match(end.bare)
        return bool(self._opens.match(begin.bare)) and not closes and not _CLOSING_WORD.search(begin.bare)

    @cached_property
    def _top(self) -> list[tuple[int, int]]:
        """First and last line of each top-level block."""
        blocks: list[tuple[int, int]] = []
        unclosed: list[int] = []
        index = 0
        while index < len(self._lines):
            line, first, last = self._lines[index], index, self._end(index)
            is_open = self._is_open(index, last)
            if blocks and self._is_inner(index):
                # A closing word that no deeper row led to: everything back to an opening one goes together.
                joined = unclosed.pop() if unclosed else len(blocks) - 1
                first = blocks[joined][0]
                del blocks[joined:]
                is_open = not self._closes.match(line.bare)
            if is_open:
                unclosed.append(len(blocks))
            blocks.append((first, last))
            index = last + 1
        return blocks

    def _top_of(self, index: int) -> tuple[int, int]:
        return self._top[bisect_right(self._top, (index, len(self._lines))) - 1]

    def _logical_lines(self) -> list[_Line]:
        lines: list[_Line] = []
        for row in self._scan.rows:
            bare = self._scan.bare_row(row)
            inside = row in self._scan.in_strings or row in self._scan.in_brackets
            if lines and (inside or (not is_blank(bare) and self._goes_on(lines[-1], row))):
                last = lines[-1]
                lines[-1] = replace(last, last=row, tail=last.tail if is_blank(bare) else bare)
            elif not is_blank(bare):
                indent, braces = indentation(self._source[row]), self._scan.braces_at(row)
                lines.append(_Line(row, row, indent, braces, bare, bare))
        return lines

    def _goes_on(self, line: _Line, row: int) -> bool:
        """Whether a row of code belongs to the line above it."""
        bare = self._scan.bare_row(row)
        before = line.tail.rstrip()
        if self._lexicon.terminator and not before.endswith(self._lexicon.terminator):
            return True
        if self._unfinished.search(before) and not self._closes.match(bare):
            # Rows in braces that end in a comma are a list's members, such as the arms of a match.
            return not (before.endswith(",") and self._scan.braces_at(row))
        if self._lexicon is lexicons.PYTHON and line.bare.lstrip().startswith("@"):
            return before.lstrip().startswith(("@", ")"))
        return bool(self._going_on.match(bare))
