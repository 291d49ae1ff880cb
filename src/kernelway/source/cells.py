"""Cells: the parts of a document that its markers or, in Markdown, its fences set apart.

The markers are those of jupytext's percent format and of the tools around it (`# %%`, `# %% Title [type]
key="value"`, `#%%`, `# <codecell>`, `# In[3]:`), behind whatever begins a comment in the language. The
grammar of the percent header is jupytext's: https://jupytext.readthedocs.io/en/latest/formats-scripts.html
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernelway.source.languages import PYTHON, lexicon_of
from kernelway.source.lexer import scan
from kernelway.source.lexicons import Lexicon
from kernelway.source.text import is_blank, trimmed


class CellKind(StrEnum):
    """What a cell holds. Only code is ever sent to a kernel."""

    CODE = "code"
    MARKDOWN = "markdown"
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: `rows` hold what is in it, without its marker or fences, and may be empty.

    `span` is `rows` with the marker or fences, `marker_row` the first of these, None for what stands before
    the first marker. `language` is None when neither the document nor the fence names one. Values of
    `metadata` are as in JSON.
    """

    rows: range
    span: range
    marker_row: int | None = None
    kind: CellKind = CellKind.CODE
    language: str | None = None
    title: str = ""
    metadata: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}), hash=False)


_KINDS: Final[Mapping[str, CellKind]] = MappingProxyType(
    {
        "markdown": CellKind.MARKDOWN,
        "md": CellKind.MARKDOWN,
        "raw": CellKind.RAW,
        "code": CellKind.CODE,
        "codecell": CellKind.CODE,
        "markdowncell": CellKind.MARKDOWN,
        "rawcell": CellKind.RAW,
    }
)
_KIND: Final = re.compile(r"\[(markdown|md|raw|code)\]", re.IGNORECASE)
_KEY: Final = re.compile(r"(?:^|\s)([A-Za-z_][\w.-]*)=")
# After the percent signs of a marker comes a space, the type, or nothing. Without a space in front of them a
# title may follow at once (`#%%Title`); with one it may not, because `# %%time` is how jupytext keeps a magic
# out of a script.
_MARKER: Final = (
    r"[ \t]*+(?:{comments})(?:"
    r"[ \t]*%%+(?P<percent>(?=[ \t\[]|$).*)"
    r"|%%(?P<title>[^%\s].*)"
    r"|[ \t]*<(?P<tag>codecell|markdowncell|rawcell|markdown|md)>[ \t]*"
    r"|[ \t]*In ?\[[ \d*]*\]:?[ \t]*)"
)
_MATLAB_MARKER: Final = r"[ \t]*+%%(?P<section>(?=[ \t]|$).*)"
_QUOTED: Final = re.compile(r"""[rR]?(?P<quotes>\"{3}|'{3})(?P<text>.*)(?P=quotes)""", re.DOTALL)


def percent_cells(lines: Sequence[str], language: str | None) -> list[Cell]:
    """The cells of a script, one where it has no markers. Blank rows above the first marker are in none."""
    lexicon = lexicon_of(language)
    marker = _marker_pattern(language, lexicon)
    found = [(row, match) for row, line in enumerate(lines) if (match := marker.fullmatch(line))]
    if found and language == PYTHON:
        in_strings = scan(lines, range(len(lines)), lexicon).in_strings
        found = [(row, match) for row, match in found if row not in in_strings]
    stops = [row for row, _ in found] + [len(lines)]
    before = range(stops[0])
    cells = [Cell(rows=before, span=before, language=language)] if trimmed(lines, before) else []
    for (row, match), stop in zip(found, stops[1:], strict=True):
        cells.append(_marked_cell(match, row, stop, language))
    return cells


def prose(lines: Sequence[str], rows: range, language: str | None) -> str:
    """The text of a Markdown or raw cell of a script: its rows without comment signs.

    Text in a Python string instead of comments, as jupytext can write it, comes out of its quotes.
    """
    text = [lines[row] for row in trimmed(lines, rows)]
    if language == PYTHON and (quoted := _QUOTED.fullmatch("\n".join(text))):
        return quoted["text"].strip("\n")
    # Only Lisp doubles its sign; elsewhere a second one is the text's, a heading's perhaps.
    signs = "|".join(";+" if sign == ";" else re.escape(sign) for sign in lexicon_of(language).comments)
    comment = re.compile(rf"[ \t]*(?:{signs})[ \t]?")
    return "\n".join(comment.sub("", line, count=1) for line in text)


def _comments(lexicon: Lexicon) -> str:
    return "|".join(rf"(?:{re.escape(prefix)})+" for prefix in lexicon.comments)


def _marker_pattern(language: str | None, lexicon: Lexicon) -> re.Pattern[str]:
    # Where the comment sign is a percent sign it needs a space behind it, to be told from those of the
    # marker. MATLAB needs no comment sign at all.
    comments = _comments(lexicon).replace("(?:%)+", "%(?=[ \\t])")
    pattern = _MARKER.format(comments=comments)
    return re.compile(f"(?:{pattern}|{_MATLAB_MARKER})" if language in ("matlab", "octave") else pattern)


def _marked_cell(match: re.Match[str], row: int, stop: int, language: str | None) -> Cell:
    groups = match.groupdict()
    header = groups["percent"] or groups["title"] or groups.get("section") or ""
    title, kind, metadata = _header(header)
    if tag := groups["tag"]:
        kind = _KINDS[tag]
    return Cell(
        rows=range(row + 1, stop),
        span=range(row, stop),
        marker_row=row,
        kind=kind,
        language=language,
        title=title,
        metadata=MappingProxyType(metadata),
    )


def _header(text: str) -> tuple[str, CellKind, dict[str, object]]:
    """Title, type and metadata of a percent marker, from the text behind the percent signs."""
    title, metadata = _without_metadata(text)
    bracketed = _KIND.search(title)
    words = " ".join(_KIND.sub("", title, count=1).split())
    if bracketed:
        return words, _KINDS[bracketed[1].lower()], metadata
    # The type of a Markdown cell may also stand alone, without its brackets.
    if words in ("md", "markdown"):
        return "", CellKind.MARKDOWN, metadata
    return words, CellKind.CODE, metadata


def _without_metadata(text: str) -> tuple[str, dict[str, object]]:
    """What stands before the pairs of `key=value`, whose values are JSON, and the pairs.

    They are pairs only if nothing else follows up to the end: a title may have an equals sign too.
    """
    key = _KEY.search(text)
    title = text[: key.start()] if key else text
    pairs: dict[str, object] = {}
    while key:
        try:
            pairs[key[1]], position = json.JSONDecoder().raw_decode(text, key.end())
        except (ValueError, RecursionError):
            return text, {}
        key = _KEY.match(text, position)
        if key is None and not is_blank(text[position:]):
            return text, {}
    return title, pairs
