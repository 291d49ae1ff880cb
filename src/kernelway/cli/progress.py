"""What a command waits for, on stderr, once it takes longer than a moment; gone when it is over."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TextIO

from kernelway.cli.show.paint import Paint, Tone
from kernelway.cli.show.spinner import TURN, spinner
from kernelway.cli.show.terminal import Terminal, terminal_of

_AFTER: Final = 1.0
"""Seconds after which it is worth telling."""


class Progress:
    """A row that turns while the context is open; nothing where there is no terminal."""

    def __init__(self, what: str, stream: TextIO, terminal: Terminal, *, after: float = _AFTER) -> None:
        self._what = what
        self._stream = stream
        self._terminal = terminal
        self._paint = Paint(colours=terminal.colours)
        self._after = after
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_shown = False

    @classmethod
    def on_stderr(cls, what: str, environ: Mapping[str, str]) -> Self:
        """On this process's stderr."""
        return cls(what, sys.stderr, terminal_of(sys.stderr, environ))

    def __enter__(self) -> Self:
        if self._terminal.moves:
            loop = asyncio.get_running_loop()
            self._began = loop.time()
            self._timer = loop.call_later(self._after, self._turn)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._is_shown:
            self._put("\r\x1b[K")

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_shown = True
        text = f"{spinner(loop.time() - self._began)} {self._what} …"
        columns = self._terminal.size().columns
        self._put(f"\r\x1b[K{self._paint(text[: columns - 1], Tone.QUIET)}")
        self._timer = loop.call_later(TURN, self._turn)

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
