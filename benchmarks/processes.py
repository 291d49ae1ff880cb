"""What processes use, proportional memory, peaks, processor time. Linux only."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")

_OWN = (b"kernelway.gateway", b"guard_process.py")
"""What the commands of a Kernelway server's own children have in them; its other children are for kernels."""

_GONE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class Processes:
    """A server's processes by id: its own, and all below it that are there for kernels.

    A fork server is one of the latter. A process that ends while it is asked counts as nothing.
    """

    own: tuple[int, ...]
    kernels: tuple[int, ...]


def processes_of(root: int) -> Processes:
    """The server that is ``root``, and all its descendants as they are now."""
    own, kernels = [root], list[int]()
    for pid in descendants(root):
        (own if any(mark in _command(pid) for mark in _OWN) else kernels).append(pid)
    return Processes(tuple(own), tuple(kernels))


def descendants(root: int) -> Iterator[int]:
    """All children, and theirs, parents first."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    waiting = [root]
    while waiting:
        found = children.get(waiting.pop(0), [])
        yield from found
        waiting += found


def ipykernels(pids: Iterable[int]) -> list[int]:
    """Those that run, or say they run, ipykernel: no fork server and no synthetic kernel."""
    return [pid for pid in pids if b"ipykernel_launcher" in _command(pid)]


def proportional_megabytes(pids: Iterable[int]) -> float:
    """The sum of PSS: pages that several processes share count once in all."""
    return _megabytes(_kilobytes(pid, "smaps_rollup", "Pss") for pid in pids)


def resident_megabytes(pids: Iterable[int]) -> float:
    """The sum of what each has in memory now."""
    return _megabytes(_kilobytes(pid, "status", "VmRSS") for pid in pids)


def forget_peaks(pids: Iterable[int]) -> None:
    """Let :func:`peak_megabytes` count from here."""
    for pid in pids:
        with suppress(*_GONE):
            (_PROC / str(pid) / "clear_refs").write_text("5", encoding="ascii")


def peak_megabytes(pids: Iterable[int]) -> float:
    """The sum of what each had in memory at most, which need not have been at the same moment."""
    return _megabytes(_kilobytes(pid, "status", "VmHWM") for pid in pids)


def processor_seconds(pids: Iterable[int]) -> float:
    """What all threads of these processes have used so far, those that have ended included."""
    seconds = 0.0
    for pid in pids:
        with suppress(OSError):
            # What clock_getcpuclockid(3) makes of a process; /proc counts in ticks of 10 ms.
            seconds += time.clock_gettime(~pid << 3 | 2)
    return seconds


def _megabytes(kilobytes: Iterable[int]) -> float:
    return sum(kilobytes) * 1024 / 1e6


def _kilobytes(pid: int, file: str, key: str) -> int:
    with suppress(*_GONE):
        for line in (_PROC / str(pid) / file).read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
    return 0


def _parents() -> Iterator[tuple[int, int]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), int(fields[1])


def _stat(pid: int) -> list[str]:
    """The fields after the name, from the state on; none where the process is gone."""
    with suppress(*_GONE):
        return (
            (_PROC / str(pid) / "stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()
        )
    return []


def _command(pid: int) -> bytes:
    with suppress(*_GONE):
        return (_PROC / str(pid) / "cmdline").read_bytes()
    return b""
