"""Colours with a meaning."""

from __future__ import annotations

import pytest

from kernelway.cli.show.paint import Paint, Tone
from kernelway.source.terminal import plain


@pytest.mark.parametrize("tone", Tone)
def test_every_tone_leaves_the_text_as_it_is(tone: Tone) -> None:
    painted = Paint(colours=True)("text", tone)
    assert painted != "text"
    assert plain(painted) == "text"
    assert painted.endswith("\x1b[0m")


def test_tones_are_codes_of_the_terminals_own_palette() -> None:
    paint = Paint(colours=True)
    assert paint("text", Tone.BAD) == "\x1b[31mtext\x1b[0m"
    assert paint("text", Tone.QUIET) == "\x1b[2mtext\x1b[0m"


def test_without_colours_there_are_none() -> None:
    assert Paint(colours=False)("text", Tone.BAD) == "text"


def test_nothing_has_no_colour() -> None:
    assert Paint(colours=True)("", Tone.BAD) == ""
