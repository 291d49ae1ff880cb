"""The host's end of its guard process: see :mod:`kernelway.host.guard_process`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from kernelway.host import guard_process
from kernelway.host.restart_policy import RestartPolicy
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_END_WITHIN = 10.0
"""Seconds that the guard has to clean up after a host that ended in the ordinary way."""


class Guard:
    """Keeps one guard process running while the host runs; ``async with`` bounds its life.

    Leaving the context ends the guard in the ordinary way: it sees the pipe's end, ends what is still
    marked and removes the folder. A guard that is killed is started again, with the groups it must know.
    """

    def __init__(self, *, marker: str, folder: Path, environ: Mapping[str, str]) -> None:
        self._arguments = [sys.executable, "-I", "-S", guard_process.__file__, marker, str(folder)]
        self._environ = environ
        self._groups: set[int] = set()
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await self._start()
        self._keeper = asyncio.create_task(self._keep(self._process), name="guard")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        if self._process is not None:
            await self._end(self._process)

    @property
    def pid(self) -> int | None:
        """The guard process's, None where there is none now."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def note(self, pgid: int) -> None:
        """From now on this process group ends with the host."""
        self._groups.add(pgid)
        self._write(f"+{pgid}\n")

    def forget(self, pgid: int) -> None:
        """This process group has ended; its number may be somebody else's soon."""
        self._groups.discard(pgid)
        self._write(f"-{pgid}\n")

    def _write(self, line: str) -> None:
        # To a guard that was killed nothing can be written; the next one is told all groups at its start.
        pipe = None if self._process is None else self._process.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(line.encode())

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=self._environ,
            cwd=os.sep,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write("".join(f"+{pgid}\n" for pgid in sorted(self._groups)).encode())
        return process

    async def _keep(self, process: Process) -> None:
        loop, policy = asyncio.get_running_loop(), RestartPolicy()
        began = loop.time()
        while policy.restart_after(await _lifetime(process, began)):
            log.warning("The guard process ended with status %s and is started again.", process.returncode)
            began = loop.time()
            try:
                process = self._process = await self._start()
            except OSError as error:
                log.error("The guard process cannot be started again: %s", error)
                break
        log.error("The guard process does not stay: a kill -9 of this gateway may leave kernels behind.")

    async def _end(self, process: Process) -> None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with deadlines.timeout(_END_WITHIN):
                await process.wait()
        except TimeoutError:
            log.error("The guard process does not end by itself and is killed.")
            process.kill()
            await process.wait()


async def _lifetime(process: Process, began: float) -> float:
    """Wait for the process to end; how long it ran, in seconds."""
    await process.wait()
    ended = asyncio.get_running_loop().time()
    assert process.stdin is not None
    process.stdin.close()
    # What was on its way to it is told all groups anew; nobody else asks what became of that.
    with contextlib.suppress(OSError):
        await process.stdin.wait_closed()
    return ended - began
