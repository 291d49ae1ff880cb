"""Tables, and the words in them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.screen import Screen

from kernelway.cli.show.paint import Tone
from kernelway.cli.tables import Cell, ago, print_json, print_table, short_ids

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_columns_stand_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[Cell("a"), Cell("longer", Tone.GOOD)], [Cell("bcd"), Cell("x")]]
    print_table(("one", "two"), rows, environ={}, remarks=[("efghi", Cell("✗ gone", Tone.BAD))])
    assert capsys.readouterr().out == "one    two\na      longer\nbcd    x\nefghi  ✗ gone\n"


def test_remarks_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("one", "two"), [], environ={}, remarks=[("a", Cell("gone"))])
    assert capsys.readouterr().out == "a  gone\n"


def test_in_a_pipe_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [[Cell("x" * 300), Cell("y" * 300)]], environ={}, shrinks="b")
    assert "x" * 300 + "  " + "y" * 300 in capsys.readouterr().out


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a",), [[Cell("[bold]x[/]")]], environ={})
    assert "[bold]x[/]" in capsys.readouterr().out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"name": "ü", "more": None}])
    assert json.loads(capsys.readouterr().out) == [{"name": "ü", "more": None}]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=45), "45 s ago"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(minutes=89), "89 min ago"),
        (timedelta(minutes=120), "2 h ago"),
        (timedelta(hours=30), "30 h ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=400), "400 days ago"),
    ],
)
def test_how_long_ago(before: timedelta, words: str) -> None:
    assert ago((NOW - before).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), NOW) == words


@pytest.mark.parametrize("timestamp", ["", "yesterday"])
def test_a_server_that_does_not_tell_when(timestamp: str) -> None:
    assert ago(timestamp, NOW) == ""


def test_a_time_without_a_zone_is_utc() -> None:
    assert ago("2026-11-20T11:00:00", NOW) == "60 min ago"


@given(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), max_size=20))
def test_short_ids_mean_one_thing_each(ids: list[str]) -> None:
    short = short_ids(ids, least=2)
    for each in ids:
        assert each.startswith(short[each])
        assert [other for other in set(ids) if other.startswith(short[each])] == [each]


@contextmanager
def screen_of(columns: int) -> Iterator[Screen]:
    """The screen of a terminal that stands in for stdout."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    screen = Screen(columns)
    with os.fdopen(theirs, "w") as stream, redirect_stdout(stream):
        yield screen
        stream.flush()
        screen.feed(os.read(ours, 1 << 16).decode().replace("\r\n", "\n"))
    os.close(ours)


ROWS = [[Cell("gpu"), Cell("~/project/deep/analysis.py"), Cell("a sentence that is rather long")]]
TERM = {"TERM": "xterm"}


@pytest.mark.parametrize(
    ("columns", "options", "lines"),
    [
        (80, {"shrinks": "path"}, ["gpu   ~/project/deep/analysis.py  a sentence that is rather long"]),
        (50, {"shrinks": "path"}, ["gpu   …analysis.py  a sentence that is rather long"]),
        (50, {"shrinks": "words"}, ["gpu   ~/project/deep/analysis.py  a sentence that…"]),
        (
            50,
            {"wraps": "words"},
            ["gpu   ~/project/deep/analysis.py  a sentence that", f"{'':34}is rather long"],
        ),
    ],
)
def test_on_a_narrow_screen_one_column_gives_way(
    columns: int, options: dict[str, str], lines: list[str]
) -> None:
    with screen_of(columns) as screen:
        print_table(("name", "path", "words"), ROWS, environ=TERM, **options)
    assert screen.lines[1:] == lines
