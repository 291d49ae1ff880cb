"""What a test may leave behind by mistake: processes, threads, descriptors and the files of sockets."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "TESTS_OF_KERNELWAY_RUN"
"""A variable that everything started by this run of the tests inherits, whoever its parent is by then."""

FORK_SERVER = "fork_server_process.py"

GRACE = 5.0
"""Seconds for what was told to end, and is ending, to be gone."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is there at one moment; subtract an earlier one to see what came since."""

    processes: frozenset[psutil.Process] = frozenset()
    threads: frozenset[threading.Thread] = frozenset()
    descriptors: frozenset[tuple[int, str]] = frozenset()
    """Numbers and what they lead to: a socket's and a pipe's inode tell one from the next of its number."""
    files: frozenset[Path] = frozenset()

    @classmethod
    def now(cls, folder: Path) -> Leftovers:
        """Everything of this process and its children, and the files in the folder."""
        return cls(
            processes=frozenset(_processes()),
            threads=frozenset(threading.enumerate()),
            descriptors=frozenset(_descriptors()),
            files=frozenset(folder.rglob("*")),
        )

    def __or__(self, other: Leftovers) -> Leftovers:
        return Leftovers(
            processes=self.processes | other.processes,
            threads=self.threads | other.threads,
            descriptors=self.descriptors | other.descriptors,
            files=self.files | other.files,
        )

    def __sub__(self, other: Leftovers) -> Leftovers:
        return Leftovers(
            processes=self.processes - other.processes,
            threads=self.threads - other.threads,
            descriptors=self.descriptors - other.descriptors,
            files=self.files - other.files,
        )

    def wait(self) -> None:
        """Wait for the processes and threads to end, within the grace: what was killed is soon gone."""
        deadline = time.monotonic() + GRACE
        psutil.wait_procs(self.processes, timeout=GRACE)
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def complaints(self) -> list[str]:
        """One line for each thing, for people to read."""
        return [
            *(f"process {process.pid}: {_command(process)}" for process in self.processes),
            *(f"thread {thread.name}" for thread in self.threads),
            *(f"descriptor {number}: {target}" for number, target in sorted(self.descriptors)),
            *(f"file {path}" for path in sorted(self.files)),
        ]


def _processes() -> Iterator[psutil.Process]:
    """All below this process, and those of this run of the tests that have lost their parents."""
    own = os.getpid()
    mark = f"{MARK}={os.environ.get(MARK)}".encode()
    there = {pid: (parent, began) for pid, parent, began in _all()}
    below = {own}
    # A parent's number may be the greater one, where the numbers have begun anew: until nothing is added.
    while found := {pid for pid, (parent, _) in there.items() if parent in below and pid not in below}:
        below |= found
    since = there[own][1]
    for pid, (_, began) in there.items():
        if pid != own and (pid in below or (began >= since and _is_marked(pid, mark))):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if not _is_kept_by_a_host(process):
                    yield process


def _all() -> Iterator[tuple[int, int, int]]:
    """Every process that there is, its parent, and when it began (in ticks)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_bytes()
        except OSError:
            # It ended meanwhile.
            continue
        # Its name may have spaces and brackets in it. The next field is the third of proc(5).
        fields = stat.rpartition(b")")[2].split()
        yield int(folder.name), int(fields[1]), int(fields[19])


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        # It ended meanwhile, or it is somebody else's.
        return False


def _is_kept_by_a_host(process: psutil.Process) -> bool:
    """Whether it is a fork server whose host runs elsewhere: a shared gateway has one from some test on."""
    try:
        return any(word.endswith(FORK_SERVER) for word in process.cmdline()[1:3]) and process.ppid() not in (
            1,
            os.getpid(),
        )
    except psutil.Error:
        return False


def _descriptors() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc/self/fd").iterdir():
        try:
            yield int(entry.name), str(entry.readlink())
        except FileNotFoundError:
            # It is the one that listing the folder itself took.
            continue


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "(gone meanwhile)"
