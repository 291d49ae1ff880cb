"""Sentences that fit on a terminal."""

from __future__ import annotations

import io

import pytest

from kernelway.cli.sentences import say, wrapped


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("short", "short"),
        ("one two three four five", "one two three\nfour five"),
        ("a list:\n  an-item-that-is-longer-than-that", "a list:\n  an-item-that-is-longer-than-that"),
        ("see http://a.very.long.address", "see\nhttp://a.very.long.address"),
        ("first\n\nsecond", "first\n\nsecond"),
    ],
)
def test_rows_end_between_words(text: str, rows: str) -> None:
    assert wrapped(text, 15) == rows


def test_in_a_pipe_lines_are_as_long_as_they_are() -> None:
    stream = io.StringIO()
    say("word " * 100, stream=stream)
    assert stream.getvalue() == "word " * 100 + "\n"
