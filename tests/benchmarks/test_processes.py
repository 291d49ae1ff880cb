"""What processes use, looked at from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.processes import (
    descendants,
    forget_peaks,
    peak_megabytes,
    processes_of,
    processor_seconds,
    proportional_megabytes,
    resident_megabytes,
)

WITH_A_CHILD = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
    "print(child.pid, flush=True)\n"
    "input()\n"
    "child.communicate()"
)

HUNGRY = (
    "input()\n"
    "data = bytearray(50_000_000)\n"
    "del data\n"
    "sum(range(3_000_000))\n"
    "print('done', flush=True)\n"
    "input()"
)


@contextmanager
def python(code: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.communicate("\n", timeout=30)


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_what_a_server_has_started_is_found_below_it() -> None:
    with python(WITH_A_CHILD) as process:
        child = int(answer(process))
        assert list(descendants(process.pid)) == [child]
        found = processes_of(process.pid)
        assert (found.own, found.kernels) == ((process.pid,), (child,))
        assert process.pid in descendants(os.getpid())


def test_memory_and_processor_time_are_those_of_the_processes() -> None:
    with python(HUNGRY) as process:
        pids = [process.pid]
        assert proportional_megabytes(pids) > 0
        before, resident = processor_seconds(pids), resident_megabytes(pids)
        assert resident < 50
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert answer(process) == "done"
        assert peak_megabytes(pids) > 50
        assert processor_seconds(pids) > before
        forget_peaks(pids)
        assert peak_megabytes(pids) < 50


def test_a_process_that_has_ended_uses_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait(30)
    pids = [process.pid]
    forget_peaks(pids)
    assert proportional_megabytes(pids) == peak_megabytes(pids) == processor_seconds(pids) == 0
    assert list(descendants(process.pid)) == []
