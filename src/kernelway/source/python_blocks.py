"""Blocks of rows in Python: its own statements, as `ast` sees them.

A cursor runs the innermost statement that its row belongs to, whole. Rows of a compound statement that are
not a statement themselves (the header and its decorators, `else:`, `except ...:`, `case ...:`, comments
between clauses) run the compound statement. Statements that share a row run together.

Rows that do not parse as one are cut at statements that begin at the margin, around the row that Python
complains about, until the broken statement stands alone. That one is read by its indentation; all others run
as ever.
"""

import ast
import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from kernelway.source import lexicons
from kernelway.source.blocks import IndentedBlocks
from kernelway.source.lexer import Scan, scan
from kernelway.source.text import is_blank, leading_space, trimmed

# How often a text is cut around an error. What is left then is hardly Python, and is read by its indentation.
_PARSES: Final = 64
# A row at the margin that begins no statement: blank, indented, a comment, a closing bracket, a clause.
_NO_STATEMENT: Final = re.compile(r"\s|$|[#)\]}]|(?:else|elif|except|finally)\b")
_COMMENT_OR_BLANK: Final = re.compile(r"\s*(?:#|$)")
_ELIF: Final = re.compile(r"\s*elif\b")
_CELL_MAGIC: Final = re.compile(r"\s*%%\w")


@dataclass(frozen=True, slots=True)
class _Group:
    """Statements that share rows, nearly always one; no nodes for rows that do not parse and cell magics."""

    rows: range
    nodes: tuple[ast.stmt, ...] = ()
    is_magic: bool = False


class DoesNotParse(Exception):
    """The text is not Python. `row` is where the parser noticed, None where it does not say."""

    def __init__(self, message: str, row: int | None) -> None:
        super().__init__(message)
        self.row = row


class PythonBlocks:
    """The statements of some rows of a document. Raises DoesNotParse unless `tolerant`, which copes with all.

    `cells` are the rows of the code cells among them. Other rows hold no code, whatever they look like, and a
    cell that begins with a cell magic (`%%bash`) is one statement from there to its end. `broken_row` is
    where an earlier reading failed, if there was one; it saves time and nothing else.
    """

    # Rows are the document's in all that is public. Inside they count from the first that was given, so that
    # a file of many cells is read in time proportional to its length.

    def __init__(
        self,
        lines: Sequence[str],
        rows: range,
        *,
        cells: Sequence[range],
        tolerant: bool = False,
        broken_row: int | None = None,
    ) -> None:
        self._start = rows.start
        lines = lines[rows.start : rows.stop]
        cells = [_shifted(cell, -rows.start) for cell in cells]
        magics = [magic for cell in cells if (magic := cell_magic(lines, cell))]
        self._lines = _only(lines, cells, magics)
        everything = range(len(lines))
        self._scan: Scan = scan(self._lines, everything, lexicons.PYTHON)
        self._code = self._without_magics()
        if tolerant:
            broken_row = None if broken_row is None else broken_row - rows.start
            groups = list(self._recovered(everything, broken_row))
        else:
            groups = self._parsed(everything)
        groups += [_Group(magic, is_magic=True) for magic in magics]
        self._groups = sorted(groups, key=lambda group: group.rows.start)
        self._firsts = [group.rows.start for group in self._groups]

    @cached_property
    def in_strings(self) -> frozenset[int]:
        """The rows that begin inside a string, where leading space is content."""
        return frozenset(row + self._start for row in self._scan.in_strings)

    @cached_property
    def top_level(self) -> Sequence[range]:
        """The top-level statements, in order. Blank rows and comments between them are in none."""
        return [_shifted(group.rows, self._start) for group in self._groups]

    def at(self, row: int) -> range | None:
        """The rows that run for a cursor on `row`: None when it is blank and nothing stands above it."""
        rows = self._at(row - self._start)
        return None if rows is None else _shifted(rows, self._start)

    def cuts(self, rows: range) -> bool:
        """Whether `rows` begin or end in the middle of a top-level statement."""
        return any(self._holds_before(edge - self._start) for edge in (rows.start, rows.stop))

    def _holds_before(self, edge: int) -> bool:
        index = bisect_left(self._firsts, edge) - 1
        return index >= 0 and edge < self._groups[index].rows.stop

    def _at(self, row: int) -> range | None:
        groups, firsts = self._groups, self._firsts
        while True:
            index = bisect_right(firsts, row) - 1
            group = groups[index] if index >= 0 else None
            if group is None or row >= group.rows.stop:
                if not is_blank(self._lines[row]):
                    return range(row, row + 1)
                return None if group is None else group.rows
            if not group.nodes:
                return group.rows if group.is_magic else self._by_indentation(group.rows).at(row)
            suite = self._suite_at(group, row)
            if suite is None:
                return range(row, row + 1) if self._is_inner_comment(group, row) else group.rows
            groups, firsts = suite, [inner.rows.start for inner in suite]

    def _by_indentation(self, rows: range) -> IndentedBlocks:
        return IndentedBlocks(self._lines, rows, lexicons.PYTHON)

    def _suite_at(self, group: _Group, row: int) -> list[_Group] | None:
        """The statements of the indented suite around `row`, None when the row is one of the group's own."""
        for body in _suites(group.nodes[0], self._code):
            if self._first_row(body[0]) <= row <= self._last_row(body[-1]):
                # A suite on its header's row (`if a: b`) runs with the header.
                line = self._code[_row(body[0].lineno)]
                return self._grouped(body) if body[0].col_offset == len(leading_space(line)) else None
        return None

    def _is_inner_comment(self, group: _Group, row: int) -> bool:
        """Whether the row is a comment in an indented suite, rather than among the statement's own rows."""
        line = self._lines[row]
        if not line.lstrip().startswith("#") or row in self._scan.in_brackets or row in self._scan.in_strings:
            return False
        return len(leading_space(line)) > len(leading_space(self._lines[group.rows.start]))

    def _without_magics(self) -> list[str]:
        """The rows as `ast` can read them, with a constant for each of IPython's own."""
        code = list(self._lines)
        for magic in self._scan.magics:
            first, last = magic.start, magic.stop - 1
            code[first : last + 1] = [""] * len(magic)
            code[last] = "0)"
            code[first] = leading_space(self._lines[first]) + ("(" if last > first else "0")
        return code

    def _parsed(self, rows: range) -> list[_Group]:
        return self._grouped(_parse(self._code, rows))

    def _recovered(self, rows: range, broken_row: int | None) -> Iterator[_Group]:
        """The statements of rows with errors, each broken one as a group without nodes."""
        starts = self._statement_rows(rows)
        parts, parses = [rows], 0
        if broken_row is not None and broken_row in rows:
            parts = _parts(rows, _around(starts, broken_row, rows))
        while parts:
            part = trimmed(self._lines, parts.pop())
            parses += 1
            try:
                yield from self._parsed(part)
            except DoesNotParse as error:
                if error.row is None or parses > _PARSES:
                    yield from (_Group(piece) for piece in self._by_indentation(part).top_level)
                    continue
                broken = _around(starts, min(max(error.row, part.start), part.stop - 1), part)
                if broken == part:
                    yield _Group(part)
                else:
                    parts += _parts(part, broken)

    def _statement_rows(self, rows: range) -> list[int]:
        """Rows that seem to begin a top-level statement, which may be a decorator."""
        starts: list[int] = []
        is_decorated = False
        for row in rows:
            if row in self._scan.in_strings or _NO_STATEMENT.match(self._lines[row]):
                continue
            if not is_decorated:
                starts.append(row)
            is_decorated = self._lines[row].startswith("@")
        return starts

    def _grouped(self, body: Sequence[ast.stmt]) -> list[_Group]:
        groups: list[_Group] = []
        for node in body:
            rows = range(self._first_row(node), self._last_row(node) + 1)
            if groups and rows.start < groups[-1].rows.stop:
                before = groups.pop()
                groups.append(_Group(range(before.rows.start, rows.stop), (*before.nodes, node)))
            else:
                groups.append(_Group(rows, (node,)))
        return groups

    def _first_row(self, node: ast.stmt) -> int:
        decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
        if not decorators:
            return _row(node.lineno)
        # The position of a decorator is that of its expression, which brackets may put below the `@`.
        row = _row(decorators[0].lineno)
        while not self._code[row].lstrip().startswith("@"):
            row -= 1
        return row

    def _last_row(self, node: ast.stmt) -> int:
        row = _row(node.end_lineno or node.lineno)
        line = self._code[row]
        # A backslash takes the next row along, be it blank, and `ast` does not count that row.
        if line.endswith("\\") and b"#" not in line.encode("utf-8", "replace")[node.end_col_offset :]:
            while self._code[row].endswith("\\") and row + 1 < len(self._code):
                row += 1
        return row


def _parse(code: Sequence[str], rows: range) -> list[ast.stmt]:
    """The statements of `rows`, at line numbers that `_row` takes. Raises DoesNotParse.

    Rows that are indented as a whole count as the suite of a `with`, a statement that takes no clauses.
    """
    text = "\n".join(code[rows.start : rows.stop]).replace("\0", " ").encode("utf-8", "replace").decode()
    first = next((line for line in code[rows.start : rows.stop] if not _COMMENT_OR_BLANK.match(line)), "")
    above = "with 0:\n" if first[:1].isspace() else "\n"
    try:
        with warnings.catch_warnings():
            # The kernel will say what there is to say about a doubtful escape sequence.
            warnings.simplefilter("ignore")
            body = ast.parse("\n" * rows.start + above + text).body
    except SyntaxError as error:
        raise DoesNotParse(str(error), _row(error.lineno) if error.lineno else None) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise DoesNotParse(str(error), None) from error
    if first[:1].isspace() and isinstance(body[0], ast.With):
        return [*body[0].body, *body[1:]]
    return body


def _row(line_number: int) -> int:
    # Line numbers begin at 1, and there is one line above the first row.
    return line_number - 2


def _shifted(rows: range, by: int) -> range:
    return range(rows.start + by, rows.stop + by)


def _around(starts: Sequence[int], row: int, part: range) -> range:
    """The rows of `part` from the last of `starts` up to `row` to the next one."""
    index = bisect_right(starts, row)
    first = starts[index - 1] if index else part.start
    stop = starts[index] if index < len(starts) else part.stop
    return range(max(first, part.start), min(stop, part.stop))


def _parts(rows: range, cut: range) -> list[range]:
    """What `cut` makes of `rows`, the last part first; some of them may be empty."""
    return [range(cut.stop, rows.stop), cut, range(rows.start, cut.start)]


def _suites(node: ast.stmt, code: Sequence[str]) -> Iterator[list[ast.stmt]]:
    """The suites of a compound statement, those of its `elif`s included."""
    while True:
        clauses = [node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())]
        yield from (clause.body for clause in clauses if getattr(clause, "body", None))
        orelse: list[ast.stmt] = getattr(node, "orelse", [])
        is_elif = (
            len(orelse) == 1 and _ELIF.match(code[_row(orelse[0].lineno)]) and isinstance(orelse[0], ast.If)
        )
        if orelse and not is_elif:
            yield orelse
        if finalbody := getattr(node, "finalbody", None):
            yield finalbody
        if not is_elif:
            return
        node = orelse[0]


def cell_magic(lines: Sequence[str], cell: range) -> range:
    """The rows of a cell from its cell magic on; empty when its first code is something else."""
    for row in trimmed(lines, cell):
        if _CELL_MAGIC.match(lines[row]):
            return trimmed(lines, range(row, cell.stop))
        if not _COMMENT_OR_BLANK.match(lines[row]):
            break
    return range(0)


def _only(lines: Sequence[str], cells: Sequence[range], magics: Sequence[range]) -> list[str]:
    """`lines` with every row blank that is in no cell or in a cell magic's."""
    kept = [""] * len(lines)
    for cell in cells:
        kept[cell.start : cell.stop] = lines[cell.start : cell.stop]
    for magic in magics:
        kept[magic.start : magic.stop] = [""] * len(magic)
    return kept
