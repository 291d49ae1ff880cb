"""Telling processes apart, and waiting for their end.

A pid alone names nobody: it is given to another process later. A pid with the process's start time and the
boot it was started in does.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Self

import msgspec

_PROC = Path("/proc")


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process that cannot be mistaken for another; where there is no ``/proc``, the pid has to do."""

    pid: int
    started: str = ""
    """Field 22 of ``/proc/PID/stat``: clock ticks since boot."""
    boot: str = ""

    @classmethod
    def of(cls, pid: int) -> Self:
        """The identity of a running process, anybody's; :class:`ProcessLookupError` where there is none."""
        if _PROC.joinpath("self/stat").exists():
            return cls(pid, _start_time(pid), _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip())
        try:
            os.kill(pid, 0)
        except PermissionError:
            return cls(pid)
        return cls(pid)

    def is_running(self) -> bool:
        """Whether this very process is there (a zombie is not)."""
        try:
            return type(self).of(self.pid) == self
        except ProcessLookupError:
            return False


def _start_time(pid: int) -> str:
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    # The name, in parentheses, may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return fields[19]


async def wait_for_exit(pid: int) -> None:
    """Return once the process has exited, leaving it to be reaped by whoever started it. Linux only."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    exited = loop.create_future()
    loop.add_reader(descriptor, _resolve, exited)
    try:
        await exited
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
