"""The rows at the end of a terminal that can still change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.cli.screen import Screen

from kernelway.cli.show.region import Region


def test_rows_are_replaced() -> None:
    screen, region = Screen(), Region()
    screen.feed("above\n")
    for rows in (["a", "b"], ["a", "longer", "c"], ["x"], []):
        screen.feed(region.draw(rows))
        assert screen.lines == ["above", *rows]
        assert screen.cursor == (1 + len(rows), 0)


def test_nothing_is_written_where_nothing_changes() -> None:
    region = Region()
    region.draw(["a", "b"])
    assert region.draw(["a", "b"]) == ""


def test_only_the_row_that_changes_is_written() -> None:
    region = Region()
    region.draw(["first", "second", "third"])
    text = region.draw(["first", "2nd", "third"])
    assert "2nd" in text
    assert "first" not in text
    assert "third" not in text


def test_what_the_person_types_meanwhile_goes() -> None:
    screen, region = Screen(), Region()
    screen.feed(region.draw(["a", "b"]))
    screen.feed("^Cls")
    screen.feed(region.draw(["a", "c"]))
    assert screen.lines == ["a", "c"]


def test_released_rows_stay() -> None:
    screen, region = Screen(), Region()
    screen.feed(region.draw(["a", "b", "c"]))
    region.release(2)
    screen.feed(region.draw(["C", "d"]))
    assert screen.lines == ["a", "b", "C", "d"]
    region.release()
    screen.feed(region.draw(["e"]))
    assert screen.lines == ["a", "b", "C", "d", "e"]


def test_rows_of_the_whole_width_take_one_row_each() -> None:
    screen, region = Screen(columns=4), Region()
    screen.feed(region.draw(["abcd", "efgh"]))
    screen.feed(region.draw(["abcd", "EFGH"]))
    assert screen.lines == ["abcd", "EFGH"]


def test_the_cursor_goes_behind_the_last_row_and_back() -> None:
    screen, region = Screen(), Region()
    screen.feed(region.draw(["code", "Name? "]))
    screen.feed(region.into_last_row(6))
    assert screen.cursor == (1, 6)
    screen.feed("Ada\n")
    region.typed(["Name? Ada"])
    screen.feed(region.draw(["code [1]"]))
    assert screen.lines == ["code [1]"]


@given(st.lists(st.lists(st.text("abc", max_size=8), max_size=8), max_size=8))
def test_any_rows_after_any_others(frames: list[list[str]]) -> None:
    screen, region = Screen(), Region()
    screen.feed("above\n")
    for rows in frames:
        screen.feed(region.draw(rows))
        assert screen.text == "\n".join(["above", *rows]).rstrip("\n")
