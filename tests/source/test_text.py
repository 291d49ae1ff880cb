"""Rows and columns as editors count them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.source.text import (
    column_of_utf16,
    indentation,
    normalised,
    trimmed,
    utf16_of_column,
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a", ""]),
        ("a\r\nb\rc\nd", ["a", "b", "c", "d"]),
        ("a\r\n\r\nb", ["a", "", "b"]),
        ("a\n\rb", ["a", "", "b"]),
        ("\ufeffa", ["a"]),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f", ["a\x0bb\x0cc\x1cd\x85e\u2028f"]),
        ("a\0b\r\n\0", ["a\0b", "\0"]),
    ],
)
def test_rows_end_at_line_feeds_and_carriage_returns_alone(text: str, rows: list[str]) -> None:
    assert normalised(text).split("\n") == rows


@pytest.mark.parametrize(
    ("line", "units", "column"),
    [
        ("abc", 2, 2),
        ("abc", 9, 3),
        ("abc", -1, 0),
        ("é", 1, 1),
        ("a😀b", 1, 1),
        ("a😀b", 3, 2),
        ("a😀b", 4, 3),
        ("a😀b", 9, 3),
        ("a😀b", -4, 0),
        # In the middle of a surrogate pair the character itself is still to come.
        ("a😀b", 2, 1),
        # A lone surrogate is one unit and one code point.
        ("\ud800b", 1, 1),
    ],
)
def test_utf16_columns_become_code_points(line: str, units: int, column: int) -> None:
    assert column_of_utf16(line, units) == column


@given(st.text(), st.integers(min_value=-2, max_value=40))
def test_columns_survive_the_way_to_utf16_and_back(line: str, column: int) -> None:
    units = utf16_of_column(line, column)

    assert units == len(line[: max(column, 0)].encode("utf-16-le", "surrogatepass")) // 2
    assert column_of_utf16(line, units) == min(max(column, 0), len(line))


@pytest.mark.parametrize(
    ("line", "depth"), [("x", 0), ("  x", 2), ("\tx", 8), ("  \tx", 8), ("\t  x", 10), ("   ", 3)]
)
def test_indentation_counts_tabs_up_to_their_stop(line: str, depth: int) -> None:
    assert indentation(line) == depth


@pytest.mark.parametrize(
    ("lines", "rows", "expected"),
    [
        (["", "a", " "], range(3), range(1, 2)),
        (["a", "", "b"], range(3), range(3)),
        (["", "\t", ""], range(1, 3), range(1, 1)),
        (["a"], range(1, 1), range(1, 1)),
    ],
)
def test_trimmed_rows_begin_and_end_with_something(lines: list[str], rows: range, expected: range) -> None:
    assert trimmed(lines, rows) == expected
