"""Asking the person at the terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelway.cli.asking import Keyboard, keyboard_of

DEADLINE = 20


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The person's end and the program's."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("typed", "line"),
    [("Ada\n", "Ada"), ("\n", ""), ("Ädä 中\n", "Ädä 中"), ("Abx\x7f\x7fda\n", "Ada"), ("\x04", None)],
)
async def test_a_line(terminal: tuple[int, int], typed: str, line: str | None) -> None:
    ours, theirs = terminal
    os.write(ours, typed.encode())
    async with asyncio.timeout(DEADLINE):
        assert await Keyboard(theirs).line() == line


async def test_lines_that_were_typed_ahead_come_one_by_one(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    os.write(ours, b"one\ntwo\n")
    async with asyncio.timeout(DEADLINE):
        assert [await Keyboard(theirs).line() for _ in range(2)] == ["one", "two"]


async def test_cancelling_leaves_the_line_to_the_next(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    keyboard = Keyboard(theirs)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await keyboard.line()
    os.write(ours, b"late\n")
    async with asyncio.timeout(DEADLINE):
        assert await keyboard.line() == "late"


def _echoes(descriptor: int) -> bool:
    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


def test_a_secret_is_not_shown(terminal: tuple[int, int]) -> None:
    _, theirs = terminal
    keyboard = Keyboard(theirs)
    with keyboard.hidden():
        assert not _echoes(theirs)
    assert _echoes(theirs)
    with pytest.raises(ValueError, match="inside"), keyboard.hidden():
        raise ValueError("inside")
    assert _echoes(theirs)
    with keyboard.hidden(hide=False):
        assert _echoes(theirs)


async def test_a_terminal_that_is_gone_is_the_end_of_input() -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    async with asyncio.timeout(DEADLINE):
        assert await Keyboard(theirs).line() is None
    os.close(theirs)


def test_only_a_terminal_can_be_asked_at(terminal: tuple[int, int]) -> None:
    with os.fdopen(os.dup(terminal[1]), "r") as stream:
        assert keyboard_of(stream) is not None
    assert keyboard_of(stream) is None, "it is closed"
    assert keyboard_of(None) is None
    with Path(os.devnull).open() as nobody:
        assert keyboard_of(nobody) is None
