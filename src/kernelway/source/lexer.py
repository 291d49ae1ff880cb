"""A rough reading of rows: which of them begin inside a string, a comment or a bracket.

It works on text that does not parse, in any language that has a lexicon, in one pass and linear time. Python
files are read by it too, for what `ast` cannot tell: where strings are in a file that is broken somewhere,
and which rows are IPython's own (`%magic`, `!command`, `help?`) and would keep the rest from parsing.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from kernelway.source import lexicons
from kernelway.source.lexicons import Lexicon

# A row of IPython's: an escape character in front, a question mark behind, or either kind assigned to a name.
# None of them can begin a Python statement. A backslash at its end takes the next row along.
_MAGIC: Final = re.compile(
    r"""[ \t]*+(?:[%!?]|[,;/](?=[^\W\d])|(?=[^\n#'"?]++\?{1,2}[ \t]*$)|(?=[^\n=#'"]++=[ \t]*[%!](?!=)))"""
    r"(?:\\\n|[^\n])*+",
    re.MULTILINE,
)

# Words that begin a Python statement and cannot stand inside brackets: where one begins a row, a bracket that
# is still open was never closed.
_PYTHON_STATEMENT: Final = re.compile(
    r"[ \t]*+(?:(?:async[ \t]+)?(?:def|with)|class|import|return|raise|while|assert|del|pass|break|continue|"
    r"global|nonlocal)\b|[ \t]*+try[ \t]*:|@\w"
)


@dataclass(frozen=True, slots=True)
class Scan:
    """What the lexer saw. Rows count from 0 in the document; a row in no set begins as ordinary code."""

    rows: range
    bare: tuple[str, ...]
    """Each row's code: comments gone, a string's text too (its row keeps a pair of quotes)."""
    braces: tuple[int, ...]
    """For each row the number of open braces of blocks at its start."""
    in_strings: frozenset[int]
    """Rows that begin inside a string, where leading space is content."""
    in_comments: frozenset[int]
    """Rows that begin inside a comment."""
    in_brackets: frozenset[int]
    """Rows whose innermost open bracket joins them to the row before."""
    magics: tuple[range, ...]
    """IPython's own rows, one range for each with its continuations. Only Python has them."""

    def bare_row(self, row: int) -> str:
        """The code of a row of the document."""
        return self.bare[row - self.rows.start]

    def braces_at(self, row: int) -> int:
        """The number of open braces at the start of a row of the document."""
        return self.braces[row - self.rows.start]


# Open brackets go by what closes them, except for braces that do not join their rows but hold a block.
_CLOSING: Final[Mapping[str, str]] = MappingProxyType({"(": ")", "[": "]", "{": "}"})
_BLOCK: Final = "block"


@dataclass(slots=True)
class _Reading:
    """A scan under way, with the open brackets in order and their number by kind."""

    row: int
    stack: list[str] = field(default_factory=list)
    open: Counter[str] = field(default_factory=Counter)
    pieces: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    braces: list[int] = field(default_factory=lambda: [0])
    in_strings: set[int] = field(default_factory=set)
    in_comments: set[int] = field(default_factory=set)
    in_brackets: set[int] = field(default_factory=set)
    magics: list[range] = field(default_factory=list)
    here_documents: list[str] = field(default_factory=list)

    def end_row(self) -> None:
        self.bare.append("".join(self.pieces))
        self.pieces.clear()
        self.row += 1
        self.braces.append(self.open[_BLOCK])
        if self.stack and self.stack[-1] != _BLOCK:
            self.in_brackets.add(self.row)

    def pass_text(self, text: str, inside: set[int]) -> None:
        """Go over a string or a comment, with the rows that begin in it into `inside`."""
        for _ in range(text.count("\n")):
            self.end_row()
            inside.add(self.row)

    def pass_magic(self, text: str) -> None:
        first = self.row
        for _ in range(text.count("\n")):
            self.end_row()
        self.pieces.append("0")
        self.magics.append(range(first, self.row + 1))

    def pass_code(self, kind: str, token: re.Match[str]) -> None:
        """Go over a bracket, or over what announces a here-document."""
        if kind == "here":
            self.here_documents.append(token["tag"])
        elif kind == "close":
            self.close(token.group())
        else:
            # A brace behind a colon is part of the literal that it stands in, or else it opens a block.
            joins = kind == "join" or (kind == "nested" and self.stack and self.stack[-1] != _BLOCK)
            bracket = _CLOSING[token.group()[-1]] if joins else _BLOCK
            self.stack.append(bracket)
            self.open[bracket] += 1

    def close(self, closing: str) -> None:
        """Close a bracket and those above it; none where none fits, as at the `)` in a shell's `case`."""
        fitting = (closing, _BLOCK) if closing == "}" else (closing,)
        if not any(self.open[bracket] for bracket in fitting):
            return
        closed = ""
        while closed not in fitting:
            closed = self.stack.pop()
            self.open[closed] -= 1

    def give_up_brackets(self) -> None:
        self.stack.clear()
        self.open.clear()
        self.in_brackets.discard(self.row)

    def is_continued(self) -> bool:
        """Whether the row before ends in a backslash."""
        return bool(self.bare) and self.bare[-1].endswith("\\")


def _pattern(lexicon: Lexicon) -> re.Pattern[str]:
    line_comments = "|".join(re.escape(prefix) for prefix in lexicon.comments)
    remarks = [*lexicon.block_comments, rf"{lexicon.comment_after}(?:{line_comments})[^\n]*+"]
    alternatives = (
        ("newline", r"\n"),
        ("remark", "|".join(remarks)),
        ("string", "|".join(lexicon.strings)),
        ("here", lexicon.here_document),
        ("join", lexicon.joining),
        ("nested", r"(?<=:)[ \t]*\{"),
        ("brace", r"\{"),
        ("close", r"[)\]}]"),
    )
    named = "|".join(f"(?P<{name}>{fragment})" for name, fragment in alternatives)
    return re.compile(named, re.DOTALL | re.MULTILINE)


def scan(lines: Sequence[str], rows: range, lexicon: Lexicon) -> Scan:
    """Read the rows of `rows` as written by `lexicon`, as if nothing stood before them."""
    text = "\n".join(lines[rows.start : rows.stop])
    reading = _Reading(rows.start)
    is_python = lexicon is lexicons.PYTHON
    search = _pattern(lexicon).search
    position = _pass_row_start(text, 0, reading, is_python=is_python)
    while token := search(text, position):
        reading.pieces.append(text[position : token.start()])
        position = token.end()
        kind = token.lastgroup
        if kind == "newline":
            reading.end_row()
            position = _pass_row_start(text, position, reading, is_python=is_python)
        elif kind == "remark":
            reading.pass_text(token.group(), reading.in_comments)
        elif kind == "string":
            reading.pieces.append('""')
            reading.pass_text(token.group(), reading.in_strings)
        else:
            reading.pieces.append(token.group())
            reading.pass_code(str(kind), token)
    reading.pieces.append(text[position:])
    reading.end_row()
    return Scan(
        rows=rows,
        bare=tuple(reading.bare),
        braces=tuple(reading.braces),
        in_strings=frozenset(reading.in_strings),
        in_comments=frozenset(reading.in_comments),
        in_brackets=frozenset(reading.in_brackets),
        magics=tuple(reading.magics),
    )


def _pass_row_start(text: str, position: int, reading: _Reading, *, is_python: bool) -> int:
    """Go over what is decided at the start of a row, and return where to read on.

    That is the text of here-documents and, in Python, lost brackets and IPython's rows.
    """
    while reading.here_documents:
        tag = re.escape(reading.here_documents.pop(0))
        end = re.compile(rf"^[ \t]*{tag}$", re.MULTILINE).search(text, position)
        stop = end.end() if end else len(text)
        reading.in_strings.add(reading.row)
        reading.pass_text(text[position:stop], reading.in_strings)
        position = stop
    if not is_python or reading.is_continued():
        return position
    if reading.stack:
        if _PYTHON_STATEMENT.match(text, position):
            reading.give_up_brackets()
    elif magic := _MAGIC.match(text, position):
        reading.pass_magic(magic.group())
        return magic.end()
    return position
