"""From entries to rows of text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.show.pieces import ERROR, display, out, result

from kernelway.cli.show.layout import Entries, Layout
from kernelway.cli.show.paint import Paint, Tone
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.row import Row, RowKind
from kernelway.cli.show.transcript import Bundle, Transcript
from kernelway.protocol.execution import Error, Output
from kernelway.source.terminal import plain

PLAIN = Layout(paint=Paint(colours=False), columns=None)
NARROW = Layout(paint=Paint(colours=False), columns=40)
COLOURED = Layout(paint=Paint(colours=True), columns=40)


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (["a", "b"], ["  │ a", "  │ b"]),
        ([""], ["  │"]),
        (["x" * 40], ["  │ " + "x" * 36, "  │ xxxx"]),
        (["\x1b[31mred"], ["  │ red"]),
        ([], []),
    ],
)
def test_output_stands_off_from_code(lines: list[str], rows: list[str]) -> None:
    assert NARROW.output(lines) == rows
    assert [plain(row) for row in COLOURED.output(lines)] == rows


def test_in_a_pipe_rows_are_never_cut() -> None:
    assert PLAIN.output(["x" * 500]) == ["  │ " + "x" * 500]
    assert PLAIN.source(Row("x" * 500)) == "x" * 500


def test_code_is_cut_where_it_would_leave_no_room_for_a_result() -> None:
    assert NARROW.source(Row("x" * 50)) == "x" * 39 + "…"
    assert NARROW.beside(Row("x" * 33), "[1]", Tone.VALUE, 10) == "x" * 33 + "    [1]"
    assert NARROW.beside(Row("x" * 50), "[1]", Tone.VALUE, 10) == "x" * 32 + "…    [1]"
    assert (
        NARROW.beside(Row("x" * 50), "[" + "1" * 14 + "]", Tone.VALUE, 10)
        == "x" * 19 + "…    [" + "1" * 14 + "]"
    )


def test_results_stand_at_their_column() -> None:
    assert NARROW.beside(Row("x = 1"), "[✓]", Tone.GOOD, 12) == "x = 1       [✓]"
    assert NARROW.beside(Row("\tx = 1 "), "[✓]", Tone.GOOD, 12) == "    x = 1    [✓]"


def test_comments_are_quiet() -> None:
    assert COLOURED.source(Row("# why", RowKind.ASIDE)) == "\x1b[2m# why\x1b[0m"
    assert COLOURED.source(Row("why()")) == "why()"


def test_what_stands_in_a_file_cannot_move_the_cursor() -> None:
    assert COLOURED.source(Row("x\x1b[2J = 1")) == "x = 1"


@pytest.mark.parametrize(
    ("outputs", "mark", "below"),
    [
        ([], "[✓]", False),
        ([out("\n")], "[✓]", False),
        ([result("1")], "[1]", False),
        ([result("'text'")], "['text']", False),
        ([out("hello\n")], "[hello]", False),
        ([out("a\nb\n")], None, True),
        ([result("a\nb")], None, True),
        ([out("a\n"), result("1")], None, True),
        ([display("shown")], "[shown]", False),
        ([result("x" * 60)], None, True),
        ([ERROR], "[✗ ValueError: no]", True),
        ([out("a\n"), ERROR], "[✗ ValueError: no]", True),
        ([Error("", "exit status 1")], "[✗ exit status 1]", False),
        ([out("a\n"), Error("", "exit status 1")], "[✗ exit status 1]", True),
        ([Error("", "x" * 60)], "[✗ " + "x" * 25 + "…]", True),
    ],
)
def test_one_short_result_stands_beside_the_code(
    outputs: list[Output], mark: str | None, below: bool
) -> None:
    transcript = Transcript()
    for output in outputs:
        transcript.receive(output)
    seen = Entries(AttachmentFolder("x"), PLAIN).look(transcript, 30)
    assert (seen.mark, bool(seen.below)) == (mark, below)


def test_what_is_no_text_goes_to_a_file_once() -> None:
    entry = Bundle({"image/svg+xml": "<svg/>"}, {}, None)
    entries = Entries(AttachmentFolder("plot"), PLAIN)
    (line,) = entries.lines(entry)
    assert entries.lines(entry) == [line]
    path = Path(line.removeprefix("[picture] "))
    assert path.read_text() == "<svg/>"
    path.unlink()
    path.parent.rmdir()
