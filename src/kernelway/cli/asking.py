"""Asking the person at the terminal, without holding up the event loop."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

END_OF_INPUT: Final = "\x04"
"""What stands for the end of input (Ctrl-D) in the answer to a kernel; ipykernel raises EOFError then."""

_ECHO_FLAGS: Final = 3
_MOST: Final = 1 << 16


class Keyboard:
    """The terminal that a person types at; the terminal itself lets them edit the line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @contextmanager
    def hidden(self, *, hide: bool = True) -> Iterator[None]:
        """While the context is open what is typed is not shown, but for the end of the line."""
        if not hide:
            yield
            return
        before = termios.tcgetattr(self._descriptor)
        quiet = termios.tcgetattr(self._descriptor)
        quiet[_ECHO_FLAGS] = (quiet[_ECHO_FLAGS] & ~termios.ECHO) | termios.ECHONL
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

    async def line(self) -> str | None:
        """The next line without its end; None for the end of input. Cancelling leaves it to be read later."""
        loop = asyncio.get_running_loop()
        typed = bytearray()
        while not typed.endswith(b"\n"):
            readable = asyncio.Event()
            loop.add_reader(self._descriptor, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(self._descriptor)
            data = self._read()
            if not data:
                return typed.decode(errors="replace") if typed else None
            typed += data
        return typed[:-1].decode(errors="replace")

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _MOST)
        except OSError:
            # The terminal is gone, which is the end of input too.
            return b""


def keyboard_of(stdin: TextIO | None) -> Keyboard | None:
    """The person's keyboard, or None where stdin is a pipe or a file, or closed."""
    if stdin is None or stdin.closed or not stdin.isatty():
        return None
    return Keyboard(stdin.fileno())
