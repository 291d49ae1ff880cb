"""The command as a person runs it: in a pipe, or at a terminal whose screen can be read and typed at."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cli.screen import Screen

KERNELWAY = (sys.executable, "-m", "kernelway")
DEADLINE = 60.0

# A session has no terminal of its own until its leader asks for it; without one there is no Ctrl-C.
_AT_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def kernelway(
    *arguments: str | Path, environ: Mapping[str, str], cwd: Path | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in pipes, away from any terminal."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(
        [*KERNELWAY, *map(str, arguments)],
        env=dict(environ),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        start_new_session=True,
        **given,
    )


class Console:
    """A command that runs at a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int, screen: Screen) -> None:
        self.process = process
        self.screen = screen
        self.raw = ""
        """Every character that was written to the terminal."""
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, keys: str) -> None:
        """Type at the keyboard."""
        os.write(self._descriptor, keys.encode())

    def until(self, holds: Callable[[Screen], object], *, deadline: float = DEADLINE) -> None:
        """Wait until the screen is as wanted; fails with the screen where that does not come."""
        with self._changed:
            came = self._changed.wait_for(lambda: self._ended or holds(self.screen), deadline)
            assert came, f"It never came to that:\n{self.screen.text}"
            assert holds(self.screen), f"It ended before:\n{self.screen.text}"

    def until_text(self, text: str) -> None:
        self.until(lambda screen: text in screen.text)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._descriptor)[3] & termios.ECHO)

    def wait(self) -> int:
        """The exit status, once everything written has been read."""
        status = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return status

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except OSError:
                # So Linux tells that the last program at the terminal is gone.
                data = b""
            text = decoder.decode(data)
            with self._changed:
                self.raw += text
                self.screen.feed(text)
                self._ended = not data
                self._changed.notify_all()
            if not data:
                return


@contextmanager
def console(
    *arguments: str | Path,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    columns: int = 80,
    rows: int = 24,
    program: Sequence[str] = KERNELWAY,
) -> Iterator[Console]:
    """Run the command at a terminal of this size; what is left of it at the end is killed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", _AT_TERMINAL, *program, *map(str, arguments)],
        env={**environ, "TERM": "xterm-256color"},
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    running = Console(process, ours, Screen(columns, rows))
    try:
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(DEADLINE)
        running._reader.join(DEADLINE)
        os.close(ours)


def pid_in(text: str) -> int:
    """The process of a kernel, from the line that asked for it."""
    found = re.search(r"os\.getpid\(\) +\[(\d+)\]", text)
    assert found is not None, text
    return int(found[1])


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has asked for its status has, too."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
