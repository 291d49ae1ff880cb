"""What a command waits for."""

from __future__ import annotations

import asyncio
import io
import os
import pty
from collections.abc import Iterator

import pytest
from tests.cli.screen import Screen

from kernelway.cli.progress import Progress
from kernelway.cli.show.terminal import Terminal

DEADLINE = 20


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    yield Terminal(moves=True, colours=True, descriptor=theirs)
    os.close(ours)
    os.close(theirs)


class _Stream(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.screen = Screen()
        self.wrote = asyncio.Event()

    def write(self, text: str) -> int:
        self.screen.feed(text)
        self.wrote.set()
        return len(text)


async def test_it_is_shown_while_it_lasts_and_gone_then(terminal: Terminal) -> None:
    stream = _Stream()
    async with asyncio.timeout(DEADLINE):
        with Progress("Connecting to gpu", stream, terminal, after=0):
            await stream.wrote.wait()
            assert stream.screen.text.endswith(" Connecting to gpu …")
    assert stream.screen.text == ""


async def test_it_fits_on_its_row(terminal: Terminal) -> None:
    stream = _Stream()
    async with asyncio.timeout(DEADLINE):
        with Progress("x" * 200, stream, terminal, after=0):
            await stream.wrote.wait()
            assert len(stream.screen.lines) == 1
    assert stream.screen.text == ""


async def test_what_is_quick_is_not_told(terminal: Terminal) -> None:
    stream = _Stream()
    with Progress("Connecting", stream, terminal):
        pass
    assert not stream.wrote.is_set()


async def test_in_a_pipe_nothing_is_told() -> None:
    stream = _Stream()
    with Progress("Connecting", stream, Terminal(moves=False), after=0):
        await asyncio.to_thread(lambda: None)
    assert not stream.wrote.is_set()
