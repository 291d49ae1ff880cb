"""``kernelway serve`` as a process, and the processes that belong to it."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import psutil
from tests.support.processes import Process, environ_in, free_port, until
from yarl import URL

from kernelway.client import Gateway
from kernelway.client.gateway import MoreOptions

SMALL = Path(__file__).parents[1] / "host" / "small_kernel.py"

TOKEN = "the-token-of-these-tests"

DEADLINE = 60.0

_SHUTDOWN = ("--kernel-shutdown-wait", "2")


def write_small_kernelspec(folder: Path) -> None:
    """Put the small kernel where a server with this folder finds it, under the name ``small``."""
    place = folder / "data" / "kernels" / "small"
    place.mkdir(parents=True)
    argv = [sys.executable, str(SMALL), "{connection_file}"]
    spec = {"argv": argv, "display_name": "small", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec))


@dataclass(frozen=True, slots=True)
class Running:
    """A running host with its gateway."""

    process: Process
    base_url: str
    port: int

    @property
    def host(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def gateways(self) -> list[psutil.Process]:
        """The processes that serve as gateways now: one, none, or two while one takes over."""
        return [each for each in _children(self.host) if "kernelway.gateway" in _command(each)]

    async def gateway(self, *, other_than: psutil.Process | None = None) -> psutil.Process:
        """The gateway's process, waiting until there is one."""
        found: list[psutil.Process] = []

        async def there() -> bool:
            found[:] = [each for each in self.gateways() if each != other_than]
            return bool(found)

        await until(there, deadline=DEADLINE)
        return found[0]

    async def kill_gateway(self) -> psutil.Process:
        """End the gateway by SIGKILL, as soon as there is one; the process that was."""
        gateway = await self.gateway()
        gateway.send_signal(signal.SIGKILL)
        return gateway

    def client(self, port: int | None = None, **options: Unpack[MoreOptions]) -> Gateway:
        """A client of the gateway, or of a relay before it, that listens on a port."""
        url = URL(self.base_url)
        return Gateway(str(url.with_port(port) if port else url), token=TOKEN, **options)


@dataclass(frozen=True, slots=True)
class Serving:
    """How ``kernelway serve`` is run in a folder."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @contextmanager
    def running(
        self,
        *flags: str,
        ip: str = "127.0.0.1",
        port: int | None = None,
        program: Sequence[str | Path] = (sys.executable, "-m", "kernelway"),
    ) -> Iterator[Running]:
        """Run it on a port, by default a free one that is the same for each gateway."""
        port = free_port() if port is None else port
        command = [
            *program,
            *("serve", "--ip", ip, "--port", str(port), "--token", TOKEN),
            *("--state-dir", self.state, *_SHUTDOWN, *flags),
        ]
        process = Process(command, ready=r" serves http", environ=environ_in(self.folder), folder=self.folder)
        with process:
            line = next(line for line in process.lines if " serves http" in line)
            url = URL(line.split()[-1]).with_query(None)
            assert url.port == port
            yield Running(process, str(url), port)


def pss(process: psutil.Process) -> int:
    """Bytes of memory that are this process's own, and its share of what it shares."""
    for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("smaps_rollup tells no Pss.")


async def until_gone(processes: Sequence[psutil.Process], *, deadline: float) -> float:
    """Wait until all of these processes have ended; the seconds that it took."""
    began = time.monotonic()

    async def gone() -> bool:
        return not any(alive(each) for each in processes)

    await until(gone, deadline=deadline)
    return time.monotonic() - began


def alive(process: psutil.Process) -> bool:
    """Whether the process runs; a zombie is somebody else's to reap."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
