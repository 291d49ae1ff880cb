"""What a stream can show."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest

from kernelway.cli.show.terminal import PictureProtocol, terminal_of


@pytest.fixture
def stream() -> Iterator[io.TextIOWrapper]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as opened:
        yield opened
    os.close(ours)


def test_a_pipe_cannot_be_drawn_on() -> None:
    terminal = terminal_of(io.StringIO(), {"TERM": "xterm"})
    assert not terminal.moves
    assert not terminal.colours
    assert terminal.size().columns == 80


@pytest.mark.parametrize(
    ("environ", "moves", "colours"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_terminals_differ(
    stream: io.TextIOWrapper, environ: dict[str, str], moves: bool, colours: bool
) -> None:
    terminal = terminal_of(stream, environ)
    assert (terminal.moves, terminal.colours) == (moves, colours)


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({"TERM": "xterm-256color"}, PictureProtocol.NONE),
        ({"TERM": "xterm-kitty"}, PictureProtocol.KITTY),
        ({"TERM": "xterm", "KITTY_WINDOW_ID": "1"}, PictureProtocol.KITTY),
        ({"TERM": "xterm-ghostty"}, PictureProtocol.KITTY),
        ({"TERM": "xterm", "TERM_PROGRAM": "iTerm.app"}, PictureProtocol.ITERM),
        ({"TERM": "xterm", "LC_TERMINAL": "iTerm2"}, PictureProtocol.ITERM),
        ({"TERM": "xterm", "TERM_PROGRAM": "WezTerm"}, PictureProtocol.ITERM),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, PictureProtocol.NONE),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app"}, PictureProtocol.NONE),
    ],
)
def test_some_take_pictures(
    stream: io.TextIOWrapper, environ: dict[str, str], protocol: PictureProtocol
) -> None:
    assert terminal_of(stream, environ).pictures is protocol


def test_the_size_is_that_of_the_moment(stream: io.TextIOWrapper) -> None:
    terminal = terminal_of(stream, {"TERM": "xterm"})
    assert terminal.size() == (80, 24), "a new pseudo-terminal has no size of its own"
    fcntl.ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
    assert terminal.size() == (132, 50)
