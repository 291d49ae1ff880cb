"""The process that ends a host's kernels when the host itself can no longer do so.

Run by path on any Python 3.9 or later, with the standard library only: ``python -I -S guard_process.py
MARKER FOLDER``. Its standard input is a pipe whose other end only the host holds, so the pipe's end is the
host's end, kill -9 included. The host writes ``+PGID`` and ``-PGID`` lines for the process groups of its
kernels. At the end of the pipe, every group still noted, every process whose environment holds MARKER
(``NAME=value``) and what those started get SIGKILL, and FOLDER (the kernels' sockets and connection files) is
removed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator

ROUNDS = 50
"""A process that forks faster than this many looks at ``/proc`` is left to the operating system's limits."""


def noted_groups(lines: Iterable[str]) -> set[int]:
    """The process groups noted when the lines end."""
    groups: set[int] = set()
    for line in lines:
        sign, number = line[:1], line[1:].strip()
        if number.isdigit():
            (groups.add if sign == "+" else groups.discard)(int(number))
    return groups


def all_processes() -> Iterator[int]:
    """Pids; none where there is no ``/proc``."""
    return map(int, filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()))


def read(pid: int, name: str) -> bytes:
    """A process's file in ``/proc``; nothing where it ended meanwhile, or is somebody else's."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def marked_processes(marker: str) -> set[int]:
    """Pids of the processes whose initial environment holds the marker."""
    wanted = marker.encode()
    return {pid for pid in all_processes() if wanted in read(pid, "environ").split(b"\0")}


def with_descendants(pids: set[int]) -> set[int]:
    """These, what they started, and what is in sessions that they lead, whatever its environment is."""
    origins = {}
    for pid in all_processes() if pids else ():
        fields = read(pid, "stat").rpartition(b")")[2].split()
        # Behind the name: the state, the parent, the group and the session.
        origins[pid] = {int(field) for field in (*fields[1:2], *fields[3:4])}
    found = set(pids)
    while True:
        more = {pid for pid, origin in origins.items() if pid not in found and origin & found}
        if not more:
            return found
        found |= more


def kill(send_signal: Callable[[int, int], None], number: int) -> bool:
    """SIGKILL a process (``os.kill``) or group (``os.killpg``); whether there was one."""
    try:
        send_signal(number, signal.SIGKILL)
    except OSError:
        return False
    return True


def kill_marked(marker: str) -> None:
    """SIGKILL every process that carries the marker, and those that they start while this goes on."""
    for _ in range(ROUNDS):
        killed = [pid for pid in with_descendants(marked_processes(marker)) if kill(os.kill, pid)]
        if not killed:
            return


def remove(folder: str) -> None:
    """Remove a folder and what is in it, as far as that goes.

    shutil does that too, but would make this process, which does nothing but wait, a fifth larger.
    """
    for place, folders, files in os.walk(folder, topdown=False):
        for path in (os.path.join(place, name) for name in (*files, *folders)):
            is_folder = os.path.isdir(path) and not os.path.islink(path)
            attempt(os.rmdir if is_folder else os.unlink, path)
    attempt(os.rmdir, folder)


def attempt(step: Callable[[str], None], path: str) -> None:
    """Do what may fail, because somebody else was quicker or has forbidden it."""
    try:
        step(path)
    except OSError:
        return


def main(marker: str, folder: str) -> None:
    """Wait for the host's end, then clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups = noted_groups(sys.stdin)
    # Before the groups: who started what is known only while both are there.
    kill_marked(marker)
    for group in groups:
        kill(os.killpg, group)
    remove(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
