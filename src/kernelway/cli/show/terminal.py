"""What the stream that a command writes to can show."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TextIO

PIPE_COLUMNS: Final = 80
"""The width that is laid out for where nobody looks at a screen."""

_FALLBACK: Final = os.terminal_size((80, 24))


class PictureProtocol(StrEnum):
    """How a terminal takes pictures; most take none."""

    NONE = "none"
    KITTY = "kitty"
    """The graphics protocol of kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/"""
    ITERM = "iterm"
    """The inline images of iTerm2: https://iterm2.com/documentation-images.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One output stream: whether its cursor can be moved, and what can be put on it."""

    moves: bool
    """Whether it is a terminal on which text can be replaced; a pipe, a file and a dumb terminal are none."""
    colours: bool = False
    pictures: PictureProtocol = PictureProtocol.NONE
    descriptor: int | None = None

    def size(self) -> os.terminal_size:
        """Columns and lines as they are now; a person may change the window meanwhile."""
        if self.descriptor is None:
            return os.terminal_size((PIPE_COLUMNS, _FALLBACK.lines))
        try:
            size = os.get_terminal_size(self.descriptor)
        except OSError:
            return _FALLBACK
        # Pseudo-terminals that nobody gave a size have none.
        return size if size.columns > 0 and size.lines > 0 else _FALLBACK


def terminal_of(stream: TextIO, environ: Mapping[str, str]) -> Terminal:
    """What a stream of this process can show; https://no-color.org is kept to."""
    if not stream.isatty() or environ.get("TERM") in (None, "", "dumb"):
        return Terminal(moves=False)
    return Terminal(
        moves=True,
        colours=not environ.get("NO_COLOR"),
        pictures=_pictures(environ),
        descriptor=stream.fileno(),
    )


def _pictures(environ: Mapping[str, str]) -> PictureProtocol:
    if "TMUX" in environ or environ.get("TERM", "").startswith(("screen", "tmux")):
        # A multiplexer would have to pass them on, and does not unless it is told to.
        return PictureProtocol.NONE
    program = environ.get("TERM_PROGRAM", "")
    if "KITTY_WINDOW_ID" in environ or re.search("kitty|ghostty", environ.get("TERM", "") + program):
        return PictureProtocol.KITTY
    if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
        return PictureProtocol.ITERM
    return PictureProtocol.NONE
