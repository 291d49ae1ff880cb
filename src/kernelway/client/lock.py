"""A lock between processes, held by an open file and let go by the operating system if its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kernelway.protocol.errors import ConfigError

if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> None:
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.1


@contextmanager
def exclusive(path: Path, *, deadline: float = 10.0) -> Iterator[None]:
    """Hold the lock at ``path``, a file of its own that stays; wait ``deadline`` seconds for it at most.

    It blocks the thread. Threads of one process exclude one another as processes do.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        _wait(file, path, time.monotonic() + deadline)
        yield
    finally:
        os.close(file)


def _wait(file: int, path: Path, until: float) -> None:
    """No operating system waits for a file's lock with a deadline, so this asks again and again."""
    pause = _FIRST_PAUSE
    while True:
        try:
            _take(file)
        except OSError as error:
            if time.monotonic() >= until:
                raise ConfigError(
                    f"Another process holds {path}: try again when it is done, or end it."
                ) from error
        else:
            return
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
