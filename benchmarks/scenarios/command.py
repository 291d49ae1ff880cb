"""``kernelway run`` as a person meets it: the whole process, from its start to its end."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks import sides
from benchmarks.exchange import Shortfall, Side
from benchmarks.scenarios.pool import pooled_kernels
from benchmarks.scenarios.scenario import Measure, Scenario, Unit
from benchmarks.servers import ServerSide

_DEADLINE = 60.0


def command_scenarios() -> list[Scenario]:
    """In the file's session, which is there, and in a new one."""
    return [
        Scenario(
            "run",
            "kernelway run of one line in the file's session on a gateway that runs, the whole process",
            Unit.SECONDS,
            7,
            (sides.INTERPRETER, sides.KERNELWAY),
            lambda side: _run(side, new=False),
        ),
        Scenario(
            "run_new",
            "kernelway run --new of one line: a kernel for itself on a gateway that runs, the whole process",
            Unit.SECONDS,
            5,
            (sides.INTERPRETER, sides.KERNELWAY, sides.WARM, sides.PLAIN),
            lambda side: _run(side, new=True),
        ),
    ]


@asynccontextmanager
async def _run(side: Side, *, new: bool) -> AsyncIterator[Measure]:
    if not isinstance(side, ServerSide):
        yield _interpreter
        return
    program, file = sides.kernelway_program(), side.workspace.folder / side.name / "line.py"
    file.write_text("print(6 * 7)\n", encoding="utf-8")
    server = side.server
    await _output(side, program, "gateways", "add", side.name, server.url, "--token", server.token, "--force")
    command = (program, "run", str(file), "--on", side.name, *(("--new",) if new else ()))

    async def measure() -> float:
        if new and side.name == sides.WARM:
            await pooled_kernels(side)
        began = time.perf_counter()
        output = await _output(side, *command)
        seconds = time.perf_counter() - began
        if "42" not in output:
            raise Shortfall(f"the output is {output[:60]!r}")
        if new:
            await _end_sessions(side)
        return seconds

    try:
        yield measure
    finally:
        await _end_sessions(side)


async def _interpreter() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await process.wait()
    return time.perf_counter() - began


async def _output(side: ServerSide, *command: str) -> str:
    """What a command writes to its standard output, when it has ended well."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=Path(side.workspace.folder),
        env=side.workspace.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_DEADLINE):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Shortfall(f"{command[1]} does not end within {_DEADLINE:g} s") from None
    if process.returncode != 0:
        raise Shortfall(f"{command[1]} ends with {process.returncode}: {errors.decode()[-100:].strip()}")
    return output.decode()


async def _end_sessions(side: ServerSide) -> None:
    """End all sessions of the server, and their kernels with them."""
    http = side.server.http
    async with http.get("api/sessions") as answer:
        sessions = await answer.json()
    for session in sessions:
        async with http.delete(f"api/sessions/{session['id']}") as answer:
            if answer.status != 204:
                raise Shortfall(f"DELETE of a session was answered {answer.status}")
