"""Colours: a few tones with a meaning each, in the palette that the person gave their terminal."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rich.color import ColorSystem
from rich.style import Style


class Tone(StrEnum):
    """What a piece of text is, rather than how it looks."""

    VALUE = "cyan"
    GOOD = "green"
    BAD = "red"
    WARNING = "yellow"
    QUIET = "dim"
    STRONG = "bold"


_STYLES: Final = {tone: Style.parse(tone.value) for tone in Tone}


class Paint:
    """Puts a tone on text, or leaves the text alone where there are no colours."""

    def __init__(self, *, colours: bool) -> None:
        self.colours = colours

    def __call__(self, text: str, tone: Tone) -> str:
        """The text in the tone."""
        if not self.colours or not text:
            return text
        return _STYLES[tone].render(text, color_system=ColorSystem.STANDARD)
