"""The same code in a kernel that was started by command and in one that was forked, for comparison."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from tests.host.talk import Talk, hosting, talk_to

from kernelway.host.host import Host
from kernelway.protocol.execution import Error, Output, Result, Stream
from kernelway.protocol.models import StartKernel

WAYS = {"plain": False, "forked": True}

ENV = {"MINE": "1 = 2, é", "EMPTY": ""}


def server_of(host: Host) -> int:
    """The pid of a host's one fork server."""
    assert host._forks is not None
    (server,) = host._forks._servers
    return server.pid


def assert_started(host: Host, way: str, *, kernels: int = 1) -> None:
    """Make sure that the kernels are what the test takes them for."""
    if way == "forked":
        assert host._forks is not None
        forked = sum(len(server._children) for server in host._forks._servers)
        assert forked == kernels, "The kernels were not forked."


@dataclass(slots=True)
class Started:
    """A kernel, its host, and a client."""

    host: Host
    id: Any
    talk: Talk

    async def another(self) -> Started:
        """One more kernel of the same host."""
        model = await self.host.start_kernel(StartKernel(name="python3"))
        return Started(self.host, model.id, await talk_to(self.host, model.id))

    async def tell(self, code: str) -> str:
        """What a piece of code shows: what it prints, its value, its error."""
        ran = await self.talk.run(code)
        return "".join(map(_shown, ran.outputs))


def _shown(output: Output) -> str:
    match output:
        case Stream():
            return output.text
        case Result():
            return str(output.data["text/plain"])
        case Error():
            return "\n".join(output.traceback)
        case _:
            return str(output)


@asynccontextmanager
async def started(
    way: str, env: Mapping[str, str] | None = None, folder: Path | None = None, **options: Any
) -> AsyncIterator[Started]:
    """A kernel on this environment's ipykernel."""
    async with hosting(fork=WAYS[way], **options) as host:
        request = StartKernel(
            name="python3", env=dict(env or {}), path=None if folder is None else str(folder)
        )
        model = await host.start_kernel(request)
        assert_started(host, way)
        yield Started(host, model.id, await talk_to(host, model.id))


def told_by_both(codes: Mapping[str, str], folder: Path, **options: Any) -> dict[str, dict[str, str]]:
    """What each piece of code shows, by its name, and then by the way in which its kernel was started."""

    async def tell(way: str) -> dict[str, str]:
        async with started(way, ENV, folder, **options) as kernel:
            return {name: await kernel.tell(code) for name, code in codes.items()}

    async def tell_all() -> dict[str, dict[str, str]]:
        told = {way: await tell(way) for way in WAYS}
        return {name: {way: told[way][name] for way in WAYS} for name in codes}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(tell_all())


def environ_of(pid: int) -> dict[bytes, bytes]:
    """What ``/proc`` shows of a process's variables."""
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(word.split(b"=", 1) for word in words if word)


def descriptors_of(pid: int) -> set[str]:
    """Pipes, sockets and the like that a process has open, by what tells them from all others."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return {target for target in found if "anon_inode" not in target}
