"""Text made safe for a terminal, and cut into rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.cli.show.wrapping import after, closed, folded, safe
from kernelway.source.terminal import plain, width

RED, RESET = "\x1b[31m", "\x1b[0m"


@pytest.mark.parametrize(
    ("line", "with_colours", "without"),
    [
        ("plain", "plain", "plain"),
        ("ünï 中", "ünï 中", "ünï 中"),
        ("a\tb", "a       b", "a       b"),
        (f"{RED}red{RESET}", f"{RED}red{RESET}", "red"),
        ("up\x1b[2Aand over\x1b[5;5H", "upand over", "upand over"),
        ("\x1b]0;title\x07text", "text", "text"),
        ("\x1b]52;c;c2VjcmV0\x1b\\text", "text", "text"),
        ("bell\x07 null\x00", "bell null", "bell null"),
        (f"\x1b[2J{RED}red", f"{RED}red", "red"),
    ],
)
def test_only_colours_reach_the_terminal(line: str, with_colours: str, without: str) -> None:
    assert safe(line, colours=True) == with_colours
    assert safe(line, colours=False) == without


@pytest.mark.parametrize(
    ("line", "columns", "rows"),
    [
        ("", 4, [""]),
        ("abcd", 4, ["abcd"]),
        ("abcdef", 4, ["abcd", "ef"]),
        ("中中中", 4, ["中中", "中"]),
        ("a中中", 4, ["a中", "中"]),
        (f"{RED}abcdef{RESET}", 4, [f"{RED}abcd{RESET}", f"{RED}ef{RESET}"]),
        (f"ab{RED}cdef", 4, [f"ab{RED}cd{RESET}", f"{RED}ef{RESET}"]),
        ("中", 1, ["中"]),
    ],
)
def test_rows_carry_their_own_colours(line: str, columns: int, rows: list[str]) -> None:
    assert folded(line, columns) == rows


@given(st.text(st.sampled_from("ab 中é\x1b[31m0;"), max_size=60), st.integers(2, 20))
def test_rows_fit_and_lose_nothing(text: str, columns: int) -> None:
    line = safe(text, colours=True)
    rows = folded(line, columns)
    assert all(width(plain(row)) <= columns for row in rows)
    assert "".join(plain(row) for row in rows) == plain(line)


@pytest.mark.parametrize(
    ("active", "line", "left"),
    [
        ("", "text", ""),
        ("", f"{RED}text", RED),
        (RED, "text", RED),
        (RED, f"text{RESET}", ""),
        (RED, "text\x1b[m", ""),
        (RED, "text\x1b[39m", ""),
        (RED, "\x1b[1mtext\x1b[39m", "\x1b[1m"),
        ("", "\x1b[38;5;28;01mdef\x1b[39;00m", ""),
        ("", "\x1b[38;5;0mblack", "\x1b[38;5;0m"),
        (RED, "\x1b[0;32mtext", "\x1b[0;32m"),
    ],
)
def test_colours_go_on_until_they_end(active: str, line: str, left: str) -> None:
    assert after(active, line) == left


def test_colours_on_top_of_one_another_are_bounded() -> None:
    assert len(after("", "".join(f"\x1b[{number % 7 + 41}m" for number in range(1000)))) < 100


def test_a_line_begins_and_ends_its_colours() -> None:
    assert closed(RED, "text") == f"{RED}text{RESET}"
    assert closed("", "text") == "text"
    assert closed("", f"{RED}a{RESET}b") == f"{RED}a{RESET}b"
