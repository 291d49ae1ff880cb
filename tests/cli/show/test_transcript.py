"""What one piece of code has shown so far."""

from __future__ import annotations

import pytest

from kernelway.cli.show.transcript import Bundle, StreamText, Transcript
from kernelway.protocol.execution import Clear, Display, Error, Output, Result, Stream, Update


def display(text: str, display_id: str | None = None) -> Display:
    return Display({"text/plain": text}, {}, display_id)


def update(text: str, display_id: str) -> Update:
    return Update(display_id, {"text/plain": text}, {})


def out(text: str) -> Stream:
    return Stream("stdout", text)


def shown(outputs: list[Output]) -> list[object]:
    """The entries in short: lists of lines, texts, and the names of errors."""
    transcript = Transcript()
    for output in outputs:
        transcript.receive(output)
    short: list[object] = []
    for entry in transcript.entries:
        if isinstance(entry, StreamText):
            short.append(entry.all_lines())
        elif isinstance(entry, Bundle):
            short.append(entry.data["text/plain"])
        else:
            short.append(entry.name)
    return short


@pytest.mark.parametrize(
    ("outputs", "entries"),
    [
        ([], []),
        ([out("a\nb\n")], [["a", "b"]]),
        ([out("a"), out("b\n"), out("c")], [["ab", "c"]]),
        ([out("a\n"), Stream("stderr", "b\n")], [["a", "b"]]),
        ([out("a"), display("d"), out("b")], [["a"], "d", ["b"]]),
        ([out("a"), Error("E", "v")], [["a"], "E"]),
        ([Result({"text/plain": "1"}, {}, 1)], ["1"]),
        ([out("10 %\r"), out("20 %\r"), out("100 %\n")], [["100 %"]]),
        ([out("long line\rshort\n")], [["shortline"]]),
        ([out("10 %"), out("\r20 %"), out("\r30 %")], [["30 %"]]),
        ([out("ab\b"), out("c\n")], [["ac"]]),
        ([out("\n\n")], [["", ""]]),
        ([out("a"), Clear(wait=False), out("b")], [["b"]]),
        ([out("a"), Clear(wait=False)], []),
        ([out("a"), Clear(wait=True)], [["a"]]),
        ([out("a"), Clear(wait=True), out("b")], [["b"]]),
        ([display("1", "x"), update("2", "x")], ["2"]),
        ([display("1", "x"), out("a"), display("1", "x"), update("2", "x")], ["2", ["a"], "2"]),
        ([update("2", "shown before")], ["2"]),
        ([display("1", "x"), update("2", "y")], ["1", "2"]),
        ([Clear(wait=True), update("2", "x")], ["2"]),
    ],
)
def test_outputs_become_entries(outputs: list[Output], entries: list[object]) -> None:
    assert shown(outputs) == entries


def test_colours_go_on_in_the_next_line() -> None:
    stream = StreamText()
    stream.write("\x1b[31mred\nstill red\x1b[0m\nplain\n")
    assert stream.lines == ["\x1b[31mred\x1b[0m", "\x1b[31mstill red\x1b[0m", "plain"]


def test_a_progress_bar_takes_no_more_room_the_longer_it_runs() -> None:
    stream = StreamText()
    for number in range(10_000):
        stream.write(f"\rstep {number}")
    assert stream.last == "step 9999"
    assert len(stream.tail) < 100


def test_a_line_that_never_ends_is_cut() -> None:
    stream = StreamText()
    for _ in range(3):
        stream.write("x" * 1_000_000)
    assert len(stream.tail) < 1_100_000
    assert sum(map(len, stream.all_lines())) == 3_000_000


def test_an_update_is_worked_out_anew() -> None:
    transcript = Transcript()
    transcript.receive(display("1", "x"))
    entry = transcript.entries[0]
    assert isinstance(entry, Bundle)
    entry.text = "worked out"
    transcript.receive(update("2", "x"))
    assert entry.text is None


def test_clears_are_counted() -> None:
    transcript = Transcript()
    for output in (out("a"), Clear(wait=False), Clear(wait=True), out("b")):
        transcript.receive(output)
    assert transcript.clears == 2
