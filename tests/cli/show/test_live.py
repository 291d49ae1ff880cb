"""A run on a terminal."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.screen import Screen
from tests.cli.show.pieces import ERROR, FAILED, LOST, LOST_TEXT, OK, display, listed, out, result
from tests.cli.show.test_pictures import png

from kernelway.cli.show.live import LiveView
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.terminal import PictureProtocol, Terminal
from kernelway.cli.show.view import Beginning
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import Clear, Display, Error, ExecuteReply, Output, Update

DEADLINE = 20


class _Tube(io.StringIO):
    """A stream whose text appears on a screen, and that tells when it does."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen
        self._loop = asyncio.get_running_loop()
        self.wrote = asyncio.Event()

    def write(self, text: str) -> int:
        self.screen.feed(text)
        self._loop.call_soon_threadsafe(self.wrote.set)
        return len(text)


class Showing:
    """A view of one file on a screen."""

    def __init__(self, view: LiveView, writer: Writer, tube: _Tube, pieces: list[Beginning]) -> None:
        self.view = view
        self.screen = tube.screen
        self.pieces = pieces
        self._writer = writer
        self._tube = tube

    async def until(self, holds: Callable[[Screen], object]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not holds(self.screen):
                self._tube.wrote.clear()
                await self._tube.wrote.wait()

    async def until_text(self, text: str) -> None:
        await self.until(lambda screen: text in screen.text)

    async def piece(self, number: int, *outputs: Output, reply: ExecuteReply | None = OK) -> None:
        self.view.begin(self.pieces[number])
        for output in outputs:
            await self.view.receive(output)
        self.view.end(reply)
        await self._writer.flush()

    async def lines(self) -> list[str]:
        await self._writer.flush()
        return self.screen.lines


@asynccontextmanager
async def showing(
    source: str | None,
    *,
    columns: int = 60,
    rows: int = 12,
    pictures: PictureProtocol = PictureProtocol.NONE,
) -> AsyncIterator[Showing]:
    """Show a file, or with None only outputs, on a terminal of this size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    terminal = Terminal(moves=True, colours=True, pictures=pictures, descriptor=theirs)
    listing, pieces = listed(source or "f()")
    tube = _Tube(Screen(columns, rows))
    try:
        async with Writer(tube) as writer:
            view = LiveView(
                terminal, writer, AttachmentFolder("x"), listing=listing if source is not None else None
            )
            yield Showing(view, writer, tube, pieces)
    finally:
        os.close(theirs)
        os.close(ours)


SOURCE = "# Title\nimport x\n\nfor n in x:\n    print(n)\n"


async def test_the_same_text_as_in_a_pipe_is_left_at_the_end() -> None:
    async with showing(SOURCE) as show:
        await show.piece(0)
        await show.piece(1, out("1\n"), out("2\n"))
        assert await show.lines() == [
            "# Title",
            "import x        [✓]",
            "",
            "for n in x:",
            "    print(n)",
            "  │ 1",
            "  │ 2",
        ]


@pytest.mark.parametrize(
    ("outputs", "lines"),
    [
        ([result("1")], ["f()    [1]"]),
        ([out("a")], ["f()    [a]"]),
        ([out("x" * 70)], ["f()", "  │ " + "x" * 56, "  │ " + "x" * 14]),
        ([display("1", "d"), Update("d", {"text/plain": "2"}, {})], ["f()    [2]"]),
        ([out("a\nb\n"), Clear(wait=False), out("c\n")], ["f()    [c]"]),
        ([out("a\nb\n"), Clear(wait=False)], ["f()    [✓]"]),
        ([out("10 %\r"), out("20 %\r"), out("done\n")], ["f()    [done]"]),
        ([ERROR], ["f()    [✗ ValueError: no]", *(f"  │ {line}" for line in ERROR.traceback)]),
        ([Error("", "exit status 1")], ["f()    [✗ exit status 1]"]),
    ],
)
async def test_outputs_are_shown(outputs: list[Output], lines: list[str]) -> None:
    async with showing("f()") as show:
        await show.piece(0, *outputs)
        assert await show.lines() == lines


async def test_a_spinner_turns_beside_the_code_that_runs() -> None:
    async with showing("f()") as show:
        show.view.begin(show.pieces[0])
        await show.until(lambda screen: "f()    [⠋]" in screen.text or "f()    [⠙]" in screen.text)
        await show.until(lambda screen: "f()    [⠼]" in screen.text)
        show.view.end(OK)
        assert await show.lines() == ["f()    [✓]"]


async def test_text_is_shown_below_as_it_comes_and_moves_beside_the_code_in_the_end() -> None:
    async with showing("f()") as show:
        show.view.begin(show.pieces[0])
        await show.view.receive(out("half"))
        await show.until(lambda screen: screen.lines[1:] == ["  │ half"])
        await show.view.receive(out(" done\n"))
        show.view.end(OK)
        assert await show.lines() == ["f()    [half done]"]


async def test_more_than_a_screen_is_left_as_it_is() -> None:
    async with showing("before()\nf()\nafter()", rows=6) as show:
        await show.piece(0)
        show.view.begin(show.pieces[1])
        for number in range(20):
            await show.view.receive(out(f"line {number}\n"))
        await show.until(lambda screen: "line 19" in screen.text)
        await show.until(lambda screen: screen.lines[-1] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
        assert "[" not in "".join(show.screen.lines[1:]), "no spinner is left beside what scrolled away"
        for number in range(20, 40):
            await show.view.receive(out(f"line {number}\n"))
        show.view.end(OK)
        await show.piece(2, result("1"))
        assert await show.lines() == [
            "before()    [✓]",
            "f()",
            *(f"  │ line {number}" for number in range(40)),
            "after()     [1]",
        ]


async def test_a_line_that_has_left_the_screen_is_not_shown_again() -> None:
    async with showing("f()", rows=5) as show:
        show.view.begin(show.pieces[0])
        for number in range(30):
            await show.view.receive(display(f"d{number}\n" * 2))
            await show.view.receive(out(f"s{number}\nt{number}"))
            if number % 7 == 0:
                await show.until_text(f"t{number}")
        show.view.end(OK)
        expected = [f"  │ {text}" for n in range(30) for text in (f"d{n}", f"d{n}", f"s{n}", f"t{n}")]
        assert await show.lines() == ["f()", *expected]


async def test_outputs_that_are_cleared_after_they_left_the_screen() -> None:
    async with showing("f()", rows=5) as show:
        show.view.begin(show.pieces[0])
        await show.view.receive(out("old\n" * 10))
        await show.until(lambda screen: screen.text.count("old") == 10)
        await show.view.receive(Clear(wait=True))
        await show.view.receive(out("new\n"))
        show.view.end(OK)
        lines = await show.lines()
        assert lines[-1] == "  │ new"
        # What scrolled away cannot be taken back; what is on the screen is.
        assert 0 < lines.count("  │ old") <= 8


async def test_an_error_at_the_end_of_much() -> None:
    async with showing("f()", rows=5) as show:
        await show.piece(0, out("text\n" * 10), ERROR, reply=FAILED)
        below = [*["text"] * 10, *ERROR.traceback]
        assert await show.lines() == ["f()    [✗ ValueError: no]", *(f"  │ {line}" for line in below)]


async def test_code_that_nobody_waited_for() -> None:
    async with showing("f()") as show:
        await show.piece(0, out("text\n"), reply=None)
        assert await show.lines() == ["f()    […]", "  │ text"]


async def test_the_person_types_behind_the_prompt() -> None:
    async with showing("f()\ng()") as show:
        show.view.begin(show.pieces[0])
        await show.view.receive(out("Hello.\n"))
        show.view.ask("Name? ")
        assert await show.lines() == ["f()    […]", "  │ Hello.", "  │ Name?"]
        assert show.screen.cursor == (2, 10)
        show.screen.feed("Ada\n")
        show.view.answered("Ada")
        await show.view.receive(out("Hello, Ada.\n"))
        show.view.end(OK)
        await show.piece(1)
        assert await show.lines() == ["f()", "  │ Hello.", "  │ Name? Ada", "  │ Hello, Ada.", "g()    [✓]"]


@pytest.mark.parametrize("length", [10, 43, 44, 45, 100, 120])
async def test_answers_of_any_length(length: int) -> None:
    async with showing("f()\ng()") as show:
        show.view.begin(show.pieces[0])
        show.view.ask("A question: ")
        await show.lines()
        show.screen.feed("x" * length + "\n")
        show.view.answered("x" * length)
        await show.view.receive(result("1"))
        show.view.end(OK)
        await show.piece(1)
        lines = await show.lines()
        assert lines[0] == "f()"
        assert "".join(line.removeprefix("  │ ") for line in lines[1:-2]) == "A question: " + "x" * length
        assert lines[-2:] == ["  │ 1", "g()    [✓]"]


async def test_a_prompt_of_nothing_is_on_a_row_of_its_own() -> None:
    async with showing("f()") as show:
        show.view.begin(show.pieces[0])
        show.view.ask("")
        await show.lines()
        assert show.screen.cursor == (1, 4)
        show.screen.feed("Ada\n")
        show.view.answered("Ada")
        show.view.end(OK)
        assert await show.lines() == ["f()    [Ada]"]


async def test_no_answer() -> None:
    async with showing("f()") as show:
        show.view.begin(show.pieces[0])
        show.view.ask("Name? ")
        await show.lines()
        show.view.answered(None)
        await show.view.receive(Error("EOFError", ""))
        show.view.end(FAILED)
        assert await show.lines() == ["f()    [✗ EOFError]", "  │ Name?", "  │ EOFError"]


async def test_a_sentence_of_our_own_stands_below_until_the_code_ends() -> None:
    async with showing("f()") as show:
        show.view.begin(show.pieces[0])
        await show.view.receive(out("text\n"))
        show.view.note("Interrupting.")
        assert (await show.lines())[1:] == ["  │ text", "Interrupting."]
        show.view.end(OK)
        assert await show.lines() == ["f()    [text]"]


async def test_pictures_stay_where_they_were_drawn() -> None:
    picture = Display({"image/png": base64.b64encode(png(100, 60).data).decode()}, {})
    async with showing("f()\ng()", pictures=PictureProtocol.KITTY) as show:
        await show.piece(0, out("above\n"), picture, out("below\n"), result("1"))
        await show.piece(1)
        assert await show.lines() == ["f()", "  │ above", "", "", "", "  │ below", "  │ 1", "g()    [✓]"]
        assert len(show.screen.strings) == 1


async def test_pictures_elsewhere_are_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with showing("f()", columns=250) as show:
        await show.piece(0, Display({"image/svg+xml": "<svg/>"}, {}))
        (line,) = await show.lines()
        assert line.startswith("f()    [[picture] file:///")
        assert line.endswith("x-1.svg]")


async def test_without_a_listing_only_outputs_are_shown() -> None:
    async with showing(None) as show:
        show.view.begin(show.pieces[0])
        await show.until(lambda screen: screen.lines and screen.lines[-1] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
        await show.view.receive(out("text\n"))
        await show.view.receive(result("1"))
        show.view.end(OK)
        assert await show.lines() == ["text", "1"]


async def test_while_the_person_types_nothing_else_is_drawn() -> None:
    async with showing("f()") as show:
        show.view.begin(show.pieces[0])
        show.view.ask("Name? ")
        await show.lines()
        show.screen.feed("Ad")
        await show.view.receive(out("from a thread\n"))
        show.view.note("A sentence.")
        assert await show.lines() == ["f()    […]", "  │ Name? Ad"]
        show.screen.feed("a\n")
        show.view.answered("Ada")
        show.view.end(OK)
        lines = await show.lines()
        assert lines[0] == "f()"
        assert "from a thread" in "".join(lines)


async def test_a_run_that_is_left_while_the_person_types() -> None:
    async with showing("f()") as show:
        show.view.begin(show.pieces[0])
        show.view.ask("Name? ")
        show.view.end(None)
        assert await show.lines() == ["f()    […]", "  │ Name?"]


async def test_what_is_lost_stands_where_it_was() -> None:
    async with showing("f()", columns=80) as shown:
        await shown.piece(0, out("a\n"), LOST, out("b\n"))
        assert await shown.lines() == ["f()", "  │ a", f"  │ ⋯ {LOST_TEXT}", "  │ b"]


async def test_a_standing_row_stays_below_everything_until_it_is_taken_back() -> None:
    async with showing("f()\ng()") as shown:
        shown.view.stand("Reconnecting.")
        assert await shown.lines() == ["Reconnecting."]
        await shown.piece(0, out("a\nb\n"))
        shown.view.begin(shown.pieces[1])
        await shown.view.receive(out("c\n"))
        await shown.until_text("  │ c")
        assert await shown.lines() == ["f()", "  │ a", "  │ b", "g()", "  │ c", "Reconnecting."]
        shown.view.stand("")
        shown.view.end(OK)
        assert await shown.lines() == ["f()", "  │ a", "  │ b", "g()    [c]"]


async def test_a_long_standing_row_is_broken_between_words() -> None:
    async with showing("f()", columns=20) as shown:
        shown.view.stand("It cannot be reached since 12:31.")
        assert await shown.lines() == ["It cannot be reached", "since 12:31."]


async def test_a_sentence_between_pieces_stays() -> None:
    async with showing("f()\ng()") as shown:
        shown.view.stand("Reconnecting.")
        await shown.piece(0, result("1"))
        shown.view.aside("── It was restarted. ──")
        assert await shown.lines() == ["f()    [1]", "── It was restarted. ──", "Reconnecting."]
        shown.view.stand("")
        await shown.piece(1, result("2"))
        assert await shown.lines() == ["f()    [1]", "── It was restarted. ──", "g()    [2]"]


async def test_what_is_printed_while_nothing_runs_has_no_spinner() -> None:
    async with showing("f()") as shown:
        shown.view.begin(replace(shown.pieces[0], runs=False))
        await shown.view.receive(out("tick\n"))
        await shown.until_text("[tick]")
        await shown.view.receive(out("tock\n"))
        await shown.until_text("  │ tock")
        assert await shown.lines() == ["f()", "  │ tick", "  │ tock"]
        shown.view.end(OK)
        assert await shown.lines() == ["f()", "  │ tick", "  │ tock"]
