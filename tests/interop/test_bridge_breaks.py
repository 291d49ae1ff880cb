"""Connections that break, and clients and bridges that are killed, while a notebook is executed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.interop.bridged import DEADLINE, KERNEL, SHUT_DOWN, Machine, machine, notebook  # noqa: F401
from tests.support.processes import until
from tests.support.relay import Direction, Relay
from yarl import URL

_NBCLIENT = Path(__file__).with_name("nbclient_program.py")

_LEASE = 1.5

_LINES = 2000


@dataclass(frozen=True, slots=True)
class _Running:
    """A program that runs, and where it complains."""

    process: asyncio.subprocess.Process
    log: Path

    async def succeeds(self) -> None:
        assert await self.process.wait() == 0, self.log.read_text()


@asynccontextmanager
async def _nbclient(machine: Machine, path: Path, kernel: str) -> AsyncIterator[_Running]:  # noqa: F811
    """Nbclient, which executes a notebook in place; what is left of it at the end is killed."""
    log = path.with_suffix(".log")
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, _NBCLIENT, path, kernel),
            env=machine.environ,
            cwd=machine.work,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        yield _Running(process, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_there(path: Path) -> None:
    async def there() -> bool:
        return path.exists()

    await until(there, deadline=DEADLINE)


def _printed(path: Path) -> list[str]:
    """The lines that the first cell of a notebook has printed."""
    outputs = json.loads(path.read_text())["cells"][0]["outputs"]
    return "".join(line for each in outputs for line in each["text"]).splitlines()


async def test_a_cell_has_all_its_output_though_the_connection_breaks_in_it(machine: Machine) -> None:  # noqa: F811
    begun, broken, printed = (machine.work / name for name in ("begun", "broken", "printed"))
    cell = f"""
import pathlib, time
def wait_for(path):
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
print("begins", flush=True)
pathlib.Path({str(begun)!r}).touch()
wait_for({str(broken)!r})
for number in range({_LINES}):
    print(number, "." * 100, flush=True)
pathlib.Path({str(printed)!r}).touch()
"""
    path = machine.write("cut.ipynb", notebook(cell, "'the next cell runs'"))
    url = URL(machine.server.url)
    assert url.port is not None
    machine.save("far", url)
    machine.install("--on", "far")
    async with asyncio.timeout(2 * DEADLINE), Relay(url.port) as relay:
        machine.save("far", url.with_port(relay.port))
        async with _nbclient(machine, path, "python3.far") as program:
            await _until_there(begun)
            relay.cut()
            async with relay.refusing():
                broken.touch()
                await _until_there(printed)
            # What was kept meanwhile comes now, and breaks off in the middle.
            await relay.cut_within(Direction.TO_CLIENT, 100_000)
            await program.succeeds()
    printed_there = ["begins", *(f"{number} {'.' * 100}" for number in range(_LINES))]
    assert _printed(path) == printed_there, program.log.read_text()
    assert [each.reason for each in await machine.all_ended()] == [SHUT_DOWN]


@pytest.mark.parametrize("victim", ["client", "bridge"])
async def test_the_kernel_of_what_is_killed_ends_after_its_lease(machine: Machine, victim: str) -> None:  # noqa: F811
    before = {each.id for each in await machine.all_ended()}
    begun = machine.work / f"{victim}-begun"
    cell = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(1000)"
    path = machine.write(f"{victim}.ipynb", notebook(cell))
    machine.install("--on", "gpu-box", "--lease", str(_LEASE), "--name", "leased")
    async with asyncio.timeout(2 * DEADLINE), _nbclient(machine, path, "leased") as program:
        await _until_there(begun)
        [bridge] = psutil.Process(program.process.pid).children()
        os.kill(program.process.pid if victim == "client" else bridge.pid, signal.SIGKILL)
        await program.process.wait()
        [end] = [each for each in await machine.all_ended() if each.id not in before]
    assert end.reason == f"Its lease of {_LEASE} s ran out: nobody was connected to it for so long."
    psutil.wait_procs([bridge], timeout=DEADLINE)
    assert not bridge.is_running()
