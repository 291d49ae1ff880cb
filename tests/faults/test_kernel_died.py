"""A kernel that dies, or is restarted, while its client cannot be told."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from tests.faults.conftest import Note
from tests.faults.load import run, text_of
from tests.faults.serving import Running, Serving
from tests.support.processes import until
from tests.support.relay import Relay

from kernelway.client import Execution, Kernel
from kernelway.protocol.errors import KernelRestarted
from kernelway.protocol.models import ExecutionState

_WAIT = """
import pathlib, signal, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
pathlib.Path({ran!r}).open("a").write("ran\\n")
while True:
    threading.Event().wait(1)
"""


async def restarted_by_death(running: Running, kernel: Kernel, pid: int) -> None:
    """Kill the kernel, and wait until the host has started it anew."""
    os.kill(pid, signal.SIGKILL)
    async with running.client() as gateway:
        other = await gateway.connect(kernel.id)

        async def is_new() -> bool:
            model = await other.model()
            return "SIGKILL" in str(model.reason) or model.execution_state is ExecutionState.IDLE

        await until(is_new)


async def restarted_by_somebody(running: Running, kernel: Kernel, pid: int) -> None:
    """Have another client restart the kernel."""
    async with running.client() as gateway:
        await (await gateway.connect(kernel.id)).restart()


Change = Callable[[Running, Kernel, int], Awaitable[None]]


async def ending(execution: Execution) -> BaseException | None:
    """The error that an execution ends with."""
    try:
        async for _ in execution:
            pass
        await execution.reply
    except KernelRestarted as error:
        return error
    return None


@pytest.mark.parametrize("change", [restarted_by_death, restarted_by_somebody])
async def test_what_a_kernel_left_unanswered_fails_once_and_is_not_run_again(
    serving: Serving, note: Note, change: Change
) -> None:
    ran = serving.folder / "ran"
    with serving.running() as running:
        async with Relay(running.port) as relay, running.client(relay.port) as gateway, asyncio.timeout(60):
            kernel = await gateway.start_kernel("small")
            pid = int(await text_of(kernel, "import os; show(os.getpid())"))
            asked = [
                kernel.execute(_WAIT.format(ran=str(ran))),
                *(kernel.execute("show(1)") for _ in range(4)),
            ]

            async def begun() -> bool:
                return ran.exists()

            await until(begun)
            relay.cut()
            async with relay.refusing():
                await change(running, kernel, pid)
            ends = [await ending(execution) for execution in asked]
            assert (await run(kernel, "show('it goes on')")).status == "ok"
            assert int(await text_of(kernel, "import os; show(os.getpid())")) != pid
            await kernel.shutdown()
    assert [type(end) for end in ends] == [KernelRestarted] * len(asked)
    assert ran.read_text() == "ran\n"
    note("requests that failed, each once", len(ends))
    note("what they were told", ends[0])
