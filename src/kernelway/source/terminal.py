"""Text as a terminal shows it: what overwrites what, without colours where they do not belong, and how wide
it is.

Escape sequences are those of ECMA-48 (control sequences, and strings that a BEL may end too, as in xterm).
"""

import re
import unicodedata
from typing import Final

_ESCAPE: Final = re.compile(
    r"(?:\x1b\[|\x9b)(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_](?:[^\x07\x1b]|\x1b(?!\\))*+(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL: Final = re.compile(rf"(?P<move>[\r\b])|(?P<escape>{_ESCAPE.pattern})|[^\r\b\x1b\x9b]+")
_OTHER_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_RESET: Final = "\x1b[0m"
# More colours than this, one on top of the other without a reset, are not told apart.
_STYLES: Final = 8


def plain(text: str) -> str:
    """`text` without escape sequences and control characters, tabs and line ends excepted."""
    return _OTHER_CONTROLS.sub("", _ESCAPE.sub("", text))


def overwritten(text: str) -> str:
    """`text` after its carriage returns, backspaces and, on rows that have those, its erasures and colours.

    A carriage return goes back to the start of the row without erasing it, so that shorter text leaves the
    end of longer text standing. One code point is one column here. The text has to be whole: once a carriage
    return has had its effect, text that comes later cannot overwrite anything.
    """
    if "\r" not in text and "\b" not in text:
        return text
    rows = (row.rstrip("\r") for row in text.split("\n"))
    return "\n".join(_Row().written(row) if "\r" in row or "\b" in row else row for row in rows)


class _Row:
    """One row of a terminal: a character and its style in each column, and where the cursor is."""

    def __init__(self) -> None:
        self._characters: list[str] = []
        self._styles: list[tuple[str, ...]] = []
        self._style: tuple[str, ...] = ()
        self._column = 0

    def written(self, text: str) -> str:
        for token in _CONTROL.finditer(text):
            if token["move"]:
                self._column = 0 if token["move"] == "\r" else max(self._column - 1, 0)
            elif token["escape"]:
                self._escape(token)
            else:
                self._put(token.group())
        return self._text()

    def _put(self, run: str) -> None:
        stop = self._column + len(run)
        self._characters[self._column : stop] = run
        self._styles[self._column : stop] = [self._style] * len(run)
        self._column = stop

    def _escape(self, token: re.Match[str]) -> None:
        parameters = token["parameters"]
        if token["final"] == "m":
            is_reset = parameters.split(";")[0] in ("", "0", "00")
            kept = () if is_reset else self._style
            self._style = () if parameters in ("", "0", "00") else (*kept, token.group())[-_STYLES:]
        elif token["final"] == "K":
            self._erase(from_start=parameters in ("1", "2"), to_end=parameters in ("", "0", "2"))

    def _erase(self, *, from_start: bool, to_end: bool) -> None:
        if to_end:
            del self._characters[self._column :], self._styles[self._column :]
        if from_start:
            self._characters[: self._column] = " " * min(self._column, len(self._characters))
            self._styles[: self._column] = [()] * min(self._column, len(self._styles))

    def _text(self) -> str:
        pieces: list[str] = []
        current: tuple[str, ...] = ()
        for character, style in zip((*self._characters, ""), (*self._styles, self._style), strict=True):
            if style != current:
                pieces += (*[_RESET] * bool(current), *style)
                current = style
            pieces.append(character)
        return "".join(pieces)


def width(text: str) -> int:
    """The columns that `text` takes on a terminal: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def without_tabs(line: str, *, tab: int = 4) -> str:
    """`line` with its tabs as spaces up to the next multiple of `tab` columns."""
    expanded, *pieces = line.split("\t")
    for piece in pieces:
        expanded += " " * (tab - width(expanded) % tab) + piece
    return expanded


def clipped(text: str, room: int) -> str:
    """`text`, cut to at most `room` columns, with an ellipsis for what is missing."""
    if width(text) <= room:
        return text
    columns = 0
    for index, character in enumerate(text):
        columns += _character_width(character)
        if columns > room - 1:
            return text[:index] + "…"
    return text
