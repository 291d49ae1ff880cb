"""What of a transcript is still on the screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.cli.show.pieces import display, out

from kernelway.cli.show.remaining import Remaining
from kernelway.cli.show.transcript import Bundle, Entry, StreamText
from kernelway.protocol.execution import Clear, Update


def render(entry: Entry) -> list[str]:
    """Each line as a row, or as two where it begins with a w."""
    if isinstance(entry, StreamText):
        lines = entry.all_lines()
    else:
        assert isinstance(entry, Bundle)
        lines = str(entry.data["text/plain"]).split("\n")
    return [row for line in lines for row in ([line, "…"] if line.startswith("w") else [line])]


def test_rows_go_from_the_top_and_what_is_gone_is_forgotten() -> None:
    remaining = Remaining(render)
    for output in (out("a\nwide\nc\n"), display("d\ne"), out("f\ng")):
        remaining.transcript.receive(output)
    assert remaining.rows() == ["a", "wide", "…", "c", "d", "e", "f", "g"]
    assert remaining.rows(until=1) == ["a", "wide", "…", "c"]
    remaining.let_go(2)
    assert remaining.rows() == ["…", "c", "d", "e", "f", "g"]
    remaining.let_go(3)
    assert remaining.rows() == ["e", "f", "g"]
    assert len(remaining.transcript.entries) == 2, "the first stream has gone"
    remaining.let_go(1)
    assert remaining.rows() == ["f", "g"]
    assert remaining.transcript.was_taken


def test_a_line_that_has_not_ended_goes_on_where_it_is() -> None:
    remaining = Remaining(render)
    remaining.transcript.receive(out("a\nhalf"))
    remaining.let_go(2)
    assert remaining.rows() == []
    remaining.transcript.receive(out(" done\nb\n"))
    assert remaining.rows() == ["b"], "its row has left the screen as it was"


def test_after_a_clear_everything_is_new() -> None:
    remaining = Remaining(render)
    remaining.transcript.receive(out("a\nb\nc\n"))
    remaining.let_go(2)
    remaining.transcript.receive(Clear(wait=True))
    remaining.transcript.receive(out("d\n"))
    assert remaining.rows() == ["d"]


def test_an_update_of_what_is_gone_comes_as_new() -> None:
    remaining = Remaining(render)
    remaining.transcript.receive(display("old", "x"))
    remaining.transcript.receive(out("a\n"))
    remaining.let_go(1)
    remaining.transcript.receive(Update("x", {"text/plain": "new"}, {}))
    assert remaining.rows() == ["a", "new"]


def test_entries_that_were_left_as_they_are() -> None:
    remaining = Remaining(render)
    for output in (out("a\n"), display("picture"), out("b\n")):
        remaining.transcript.receive(output)
    remaining.let_entries_go(2)
    assert remaining.rows() == ["b"]


@given(st.lists(st.tuples(st.sampled_from(["x\n", "w\n", "y", "\n", "D"]), st.integers(0, 3)), max_size=40))
def test_every_row_is_there_once(steps: list[tuple[str, int]]) -> None:
    """Letting go of rows never changes the ones below."""
    whole, remaining, gone = Remaining(render), Remaining(render), 0
    for text, count in steps:
        for each in (whole, remaining):
            each.transcript.receive(display("d") if text == "D" else out(text))
        # The last row is not let go: it may still change.
        let_go = min(count, max(len(remaining.rows()) - 1, 0))
        remaining.let_go(let_go)
        gone += let_go
        assert remaining.rows() == whole.rows()[gone:]
