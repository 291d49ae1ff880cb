"""Text as a terminal shows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.source.terminal import clipped, overwritten, plain, width, without_tabs

TERMINAL_TEXT = st.text(
    st.sampled_from(["\r", "\n", "\b", "\x1b", "[", "m", "K", "0", "1", "2", ";", "a", "b", "é", "世", " "])
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a\nb", "a\nb"),
        ("10%\r50%\r100%", "100%"),
        ("100%\r50%", "50%%"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\r\r\nb", "a\nb"),
        ("50%\r", "50%"),
        ("\rab", "ab"),
        ("abc\rx\ndef\ry", "xbc\nyef"),
        ("abc\b\bX", "aXc"),
        ("\b\bab", "ab"),
        ("a\n\bb", "a\nb"),
        ("ab\b\n", "ab\n"),
        ("loading...\r\x1b[Kdone", "done"),
        ("loading...\r\x1b[2Kdone", "done"),
        ("loading\rdo\x1b[0K", "do"),
        ("abc\b\x1b[1K", "  c"),
        ("\x1b[31mred\x1b[0m\rb", "b\x1b[31med\x1b[0m"),
        ("\x1b[31mred\rblue", "\x1b[31mblue"),
        ("\x1b[1m\x1b[31mx\x1b[0;32my\rz\x1b[m", "\x1b[0;32mzy\x1b[0m"),
        ("世界\ra", "a界"),
    ],
)
def test_overwritten(text: str, expected: str) -> None:
    assert overwritten(text) == expected


@given(TERMINAL_TEXT)
def test_overwriting_twice_changes_nothing(text: str) -> None:
    once = overwritten(text)

    assert overwritten(once) == once
    assert "\r" not in once
    assert "\b" not in once


@given(TERMINAL_TEXT)
def test_overwriting_keeps_every_row(text: str) -> None:
    assert overwritten(text).count("\n") == text.count("\n")


@given(st.lists(st.text(st.characters(categories=["L", "N"])), min_size=1))
def test_the_last_text_in_a_row_is_the_one_on_top(texts: list[str]) -> None:
    shown = overwritten("\r".join(texts))

    assert shown.startswith(texts[-1])
    assert len(shown) == max(len(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never closed", ""),
        ("\x1b(Bx\x1b", "x"),
        ("a\x07\x00b\tc\nd", "ab\tc\nd"),
        ("no [31m escape", "no [31m escape"),
    ],
)
def test_plain_text_has_no_escapes(text: str, expected: str) -> None:
    assert plain(text) == expected


@given(TERMINAL_TEXT)
def test_plain_text_is_plain(text: str) -> None:
    assert "\x1b" not in plain(text)
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("世界", 4),
        ("e\u0301", 1),
        ("é", 1),
        ("\N{FULLWIDTH LATIN SMALL LETTER F}", 2),
        ("a\u200bb", 2),
    ],
)
def test_width_counts_columns(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\ta", "    a"),
        ("a\tb", "a   b"),
        ("abcd\tb", "abcd    b"),
        ("世\tb", "世  b"),
        ("\t\té", "        é"),
    ],
)
def test_tabs_reach_to_the_next_stop(line: str, expected: str) -> None:
    assert without_tabs(line) == expected


@given(st.text(), st.integers(min_value=1, max_value=30))
def test_clipped_text_fits(text: str, room: int) -> None:
    shown = clipped(text, room)

    assert width(shown) <= room
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))
