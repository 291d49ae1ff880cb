"""From the entries of a journal to what was run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.cli.journals import START, Journal

from kernelway.cli.history import Began, Event, Finished, History, Showed, Told
from kernelway.client import LogEntry
from kernelway.protocol.execution import Error, Lost, Stream


def told(entries: Iterable[LogEntry], history: History | None = None) -> list[str]:
    """The events of these entries, in short."""
    history = history or History()
    return [short(event) for entry in entries for event in history.take(entry)]


def short(event: Event) -> str:
    match event:
        case Began(asked):
            return f"late {asked.code}" if asked.is_late else f"begin {asked.code}"
        case Showed(Stream(text=text)):
            return text
        case Showed(Error() as error):
            return f"! {error.name or error.value}"
        case Showed(Lost(messages=messages)):
            return f"lost {messages}"
        case Finished(known):
            return "end" if known else "left"
        case Told(text):
            return f"— {text}"
    raise AssertionError(event)


def test_code_that_was_asked_at_once_is_shown_one_after_the_other() -> None:
    journal = Journal()
    entries = [
        journal.request("a", "print(1)"),
        journal.request("b", "print(2)", row=1),
        journal.status("busy", "a"),
        journal.input("a", "print(1)"),
        journal.out("a", "1"),
        journal.idle("a"),
        journal.input("b", "print(2)", 2),
        journal.out("b", "2"),
        journal.idle("b"),
    ]
    assert told(entries) == ["begin print(1)", "1", "end", "begin print(2)", "2", "end"]


def test_a_request_tells_where_its_code_is_from() -> None:
    journal, history = Journal(), History()
    history.take(journal.request("a", "x\ny", row=4))
    (began,) = history.take(journal.input("a", "x\ny"))
    assert isinstance(began, Began)
    assert began.asked.mark is not None
    assert (began.asked.mark.path, began.asked.mark.first, began.asked.mark.last) == ("ada@laptop/a.py", 5, 6)


def test_code_whose_request_is_no_longer_kept() -> None:
    journal = Journal()
    assert told([journal.hole(), journal.input("a", "x"), journal.idle("a")]) == [
        "— 1,234 messages are no longer kept: The disk was full.",
        "begin x",
        "end",
    ]


def test_a_hole_in_the_middle_of_code() -> None:
    journal = Journal()
    entries = [journal.input("a", "x"), journal.hole(None), journal.idle("a")]
    assert told(entries) == ["begin x", "lost None", "end"]


def test_what_comes_after_an_error_was_not_run() -> None:
    journal = Journal()
    entries = [
        journal.request("a", "1/0"),
        journal.request("b", "2"),
        journal.input("a", "1/0"),
        journal.error("a", "ZeroDivisionError"),
        journal.idle("a"),
        journal.status("busy", "b"),
        journal.idle("b"),
    ]
    assert told(entries) == ["begin 1/0", "! ZeroDivisionError", "end", "begin 2", "! not run", "end"]


def test_silent_code_is_not_shown() -> None:
    journal = Journal()
    entries = [
        journal.input("z", "0"),
        journal.idle("z"),
        journal.request("a", "1", silent=True),
        journal.status("busy", "a"),
        journal.idle("a"),
    ]
    assert told(entries) == ["begin 0", "end"]


def test_a_kernel_that_tells_no_inputs() -> None:
    journal = Journal()
    entries = [
        journal.request("a", "echo 1"),
        journal.request("b", "true"),
        journal.out("a", "1"),
        journal.idle("a"),
        journal.idle("b"),
    ]
    assert told(entries) == ["begin echo 1", "1", "end"]


def test_a_thread_that_prints_on() -> None:
    journal = Journal()
    entries = [
        journal.input("a", "start()"),
        journal.idle("a"),
        journal.out("a", "tick"),
        journal.out("a", "tock"),
        journal.input("b", "other()", 2),
        journal.out("a", "tick"),
        journal.idle("b"),
    ]
    assert told(entries) == [
        *("begin start()", "end"),
        *("late start()", "tick", "tock", "end"),
        *("begin other()", "tick", "end"),
    ]


def test_what_a_kernel_prints_before_any_code() -> None:
    journal = Journal()
    assert told([journal.out("", "hello")]) == ["late ", "hello"]


def test_a_kernel_that_ends_in_the_middle() -> None:
    journal, history = Journal(), History()
    entries = [
        journal.request("a", "work()"),
        journal.request("b", "more()"),
        journal.input("a", "work()"),
        journal.aborted("a", "It was killed."),
        journal.aborted("b", "It was killed."),
        journal.status("restarting"),
        journal.status("starting"),
    ]
    assert told(entries, history) == [
        *("begin work()", "! It was killed.", "end"),
        *("begin more()", "! not run", "end"),
        "— The kernel ended, and was started anew.",
    ]
    assert history.was_cut_off
    assert told([journal.input("c", "again()")], history) == ["begin again()"]
    assert not history.was_cut_off


def test_the_code_that_ended_a_kernel_may_never_have_been_announced() -> None:
    journal = Journal()
    entries = [journal.request("a", "exit"), journal.request("b", "1")]
    entries += [journal.aborted("a", "It exited."), journal.aborted("b", "It exited.")]
    assert told(entries) == ["begin exit", "! It exited.", "end", "begin 1", "! not run", "end"]


def test_a_restart_that_was_asked_for_and_the_end() -> None:
    journal, history = Journal(), History()
    entries = [
        journal.status("starting"),
        journal.idle("k"),
        journal.status("starting"),
        journal.idle("k"),
        journal.status("dead"),
    ]
    assert told(entries, history) == ["— The kernel was restarted.", "— The kernel ended."]
    assert history.is_dead


def test_code_that_runs_at_the_end_is_left() -> None:
    journal, history = Journal(), History()
    assert told([journal.input("a", "x")], history) == ["begin x"]
    assert [short(event) for event in history.end()] == ["left"]
    assert history.end() == []


def test_only_what_came_after_a_moment() -> None:
    journal = Journal()
    entries = [
        journal.request("a", "long()"),
        journal.input("a", "long()"),
        journal.hole(1),
        journal.out("a", "old"),
        journal.hole(2),
        journal.out("a", "new"),
        journal.idle("a"),
    ]
    assert told(entries, History(START + timedelta(seconds=6))) == [
        "— 2 messages are no longer kept: The disk was full.",
        *("begin long()", "new", "end"),
    ]
    assert told(entries, History(START + timedelta(hours=1))) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["request", "input", "out", "error", "idle", "busy", "aborted", "hole", "ends"]),
            st.sampled_from("abc"),
        )
    ),
    st.integers(0, 20),
)
def test_pieces_never_overlap_whatever_comes(steps: list[tuple[str, str]], since: int) -> None:
    journal, history = Journal(), History(START + timedelta(seconds=since) if since else None)
    is_open = False
    made = {
        "request": lambda key: journal.request(key, "x"),
        "input": lambda key: journal.input(key, "x"),
        "out": lambda key: journal.out(key, "1"),
        "error": journal.error,
        "idle": journal.idle,
        "busy": lambda key: journal.status("busy", key),
        "aborted": lambda key: journal.aborted(key, "It ended."),
        "hole": lambda _: journal.hole(),
        "ends": lambda _: journal.status("restarting"),
    }
    for kind, key in steps:
        for event in history.take(made[kind](key)):
            match event:
                case Began():
                    assert not is_open
                    is_open = True
                case Showed():
                    assert is_open
                case Finished():
                    assert is_open
                    is_open = False
                case Told():
                    assert not is_open
    assert bool(history.end()) is is_open or history.end() == []
