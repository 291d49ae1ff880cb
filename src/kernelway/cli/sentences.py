"""Sentences for people, broken between words where a terminal would break within them."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import Final, TextIO

_LEAST_COLUMNS: Final = 20


def wrapped(text: str, columns: int) -> str:
    """The text in rows of so many columns; lines that begin with a blank are lists, and stay as they are."""
    rows: list[str] = []
    for line in text.split("\n"):
        if len(line) <= columns or line.startswith(" "):
            rows.append(line)
        else:
            rows += textwrap.wrap(line, columns, break_long_words=False, break_on_hyphens=False)
    return "\n".join(rows)


def say(text: str, *, stream: TextIO | None = None) -> None:
    """Write sentences for a person, on stderr unless told otherwise."""
    stream = sys.stderr if stream is None else stream
    print(fitted(text, stream), file=stream, flush=True)


def fitted(text: str, stream: TextIO) -> str:
    """The text as it fits on the stream's terminal, or as it is where there is none."""
    if not stream.isatty():
        return text
    columns = os.get_terminal_size(stream.fileno()).columns
    return wrapped(text, columns) if columns >= _LEAST_COLUMNS else text
