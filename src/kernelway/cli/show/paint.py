"""Colours: a few tones with a meaning each, in the palette that the person gave their terminal."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Tone(StrEnum):
    """What a piece of text is, rather than how it looks."""

    VALUE = "cyan"
    GOOD = "green"
    BAD = "red"
    WARNING = "yellow"
    QUIET = "dim"
    STRONG = "bold"


_CODES: Final = {
    # Of ECMA-48's "select graphic rendition", by hand: six numbers are not worth loading a library for.
    Tone.VALUE: "36",
    Tone.GOOD: "32",
    Tone.BAD: "31",
    Tone.WARNING: "33",
    Tone.QUIET: "2",
    Tone.STRONG: "1",
}


class Paint:
    """Puts a tone on text, or leaves the text alone where there are no colours."""

    def __init__(self, *, colours: bool) -> None:
        self.colours = colours

    def __call__(self, text: str, tone: Tone) -> str:
        """The text in the tone."""
        if not self.colours or not text:
            return text
        return f"\x1b[{_CODES[tone]}m{text}\x1b[0m"
