"""Kernels from their start to their shutdown, with clients that stay through all of it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.host.runs import DEADLINE, Lives, attach, process_of
from tests.host.specs import IPC, SMALL, Specs
from tests.host.talk import LIMITS, turn, until_gone
from tests.support.processes import until

from kernelway.host.kernel import Kernel
from kernelway.host.lifeline import own_message
from kernelway.host.restart_policy import RESTART_LIMIT
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import KernelDied, KernelError, KernelStartFailed, NotFound
from kernelway.protocol.message import Channel, Message, SessionId
from kernelway.protocol.models import ExecutionState

SLEEPS = "import time\ntime.sleep(600)"


def add_fickle(specs: Specs, flag: Path) -> None:
    """A kernelspec ``fickle``: the small kernel while the flag is there, else it exits with a reason."""
    script = (
        f"import os, sys\nif not os.path.exists({str(flag)!r}): sys.exit('no licence')\n"
        f"os.execv(sys.executable, [sys.executable, {str(SMALL)!r}, sys.argv[1]])"
    )
    specs.add("fickle", [sys.executable, "-c", script, "{connection_file}"], metadata=IPC)


async def kill(kernel: Kernel) -> None:
    """Kill a kernel's process, and wait until the kernel has noticed."""
    run = kernel._run
    process_of(kernel).kill()
    async with asyncio.timeout(DEADLINE):
        while kernel._run is run:
            await turn()


# States


async def test_a_kernel_is_starting_then_idle(lives: Lives) -> None:
    kernel = lives.new()
    assert kernel.model().execution_state is ExecutionState.STARTING
    await kernel.start()
    model = kernel.model()
    assert (model.id, model.name, model.connections) == (kernel.id, "small", 0)
    assert model.execution_state is ExecutionState.IDLE
    assert model.reason is msgspec.UNSET
    assert datetime.now(UTC) - kernel.last_activity < timedelta(seconds=DEADLINE)


async def test_the_state_is_busy_while_code_runs(lives: Lives, tmp_path: Path) -> None:
    kernel = await lives.started()
    talk = attach(kernel)
    go = tmp_path / "go"
    os.mkfifo(go)
    request = await talk.execute(f"show('runs')\nopen({str(go)!r}).read()")
    assert await talk.hear_text() == "runs"
    assert kernel.model().execution_state is ExecutionState.BUSY
    assert kernel.model().connections == 1
    await asyncio.to_thread(go.write_text, "")
    await talk.result(request)
    assert kernel.model().execution_state is ExecutionState.IDLE


def status(state: str, parent: str, msg_type: str = "status") -> Message:
    message = own_message(Channel.IOPUB, msg_type, {"execution_state": state}, SessionId("kernel"))
    asked = own_message(Channel.SHELL, parent, {}, SessionId("client"))
    return msgspec.structs.replace(message, parent_header=asked.header)


@pytest.mark.parametrize(
    ("message", "state"),
    [
        (status("busy", "execute_request"), "busy"),
        (status("busy", "kernel_info_request"), "busy"),
        (status("starting", ""), "starting"),
        (status("busy", "debug_request"), "idle"),
        (status("busy", "interrupt_request"), "idle"),
        (status("busy", "shutdown_request"), "idle"),
        (status("busy", "usage_request"), "idle"),
        (status("napping", "execute_request"), "idle"),
        (status("dead", "execute_request"), "idle"),
        (status("busy", "execute_request", msg_type="stream"), "idle"),
    ],
)
async def test_only_what_the_main_thread_does_is_the_state(
    lives: Lives, message: Message, state: str
) -> None:
    kernel = await lives.started()
    kernel._publish(message)
    assert kernel.state == state


async def test_what_a_run_says_while_it_ends_is_not_the_state(lives: Lives) -> None:
    kernel = await lives.started()
    talk = attach(kernel)
    await kernel.shutdown()
    kernel._publish(status("idle", "execute_request"))
    assert kernel.state is ExecutionState.DEAD
    await talk.hear_status("dead")


# Starts that fail


async def test_a_start_that_fails_says_why_at_once(lives: Lives, specs: Specs) -> None:
    specs.add_script("ending", "import sys; sys.exit('no licence')")
    kernel = lives.new("ending")
    talk = attach(kernel)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(KernelStartFailed, match="no licence"):
        await kernel.start()
    assert loop.time() - began < 5
    assert kernel.state is ExecutionState.DEAD
    assert "no licence" in str(kernel.model().reason)
    await talk.hear_status("dead")


async def test_a_start_that_hangs_is_given_up_with_its_last_words(lives: Lives, specs: Specs) -> None:
    specs.add_script("hanging", "print('looking for a licence', flush=True)\n" + SLEEPS)
    kernel = lives.new("hanging", limits=replace(LIMITS, start_timeout=0.5))
    expected = r"did not answer within 0.5 s of its start\. .*\nlooking for a licence"
    with pytest.raises(KernelStartFailed, match=expected):
        await kernel.start()
    assert kernel.state is ExecutionState.DEAD


async def test_a_provisioner_that_hangs_is_given_up(lives: Lives, foreign: Callable[[str], str]) -> None:
    kernel = lives.new(foreign("launch"), limits=replace(LIMITS, start_timeout=0.3))
    with pytest.raises(KernelStartFailed, match=r"within 0\.3 s"):
        await kernel.start()


async def test_a_kernelspec_that_is_gone_fails_the_restart_with_a_reason(lives: Lives, specs: Specs) -> None:
    kernel = await lives.started()
    (specs.folder / "small" / "kernel.json").unlink()
    with pytest.raises(NotFound, match="no kernelspec 'small'"):
        await kernel.restart()
    assert kernel.state is ExecutionState.DEAD


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[int], None]]:
    """Leaves this process only so many more descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    fillers: list[int] = []

    def leave(more: int) -> None:
        highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
        while not fillers or fillers[-1] <= highest:
            fillers.append(os.open(os.devnull, os.O_RDONLY))
        os.close(fillers.pop())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + more, hard))

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for filler in fillers:
        os.close(filler)


@pytest.mark.parametrize("more", [0, 1, 2, 4, 6, 8])
async def test_without_descriptors_a_start_fails_with_that_reason_and_leaves_nothing(
    lives: Lives, few_descriptors: Callable[[int], None], more: int
) -> None:
    kernel = lives.new()
    talk = attach(kernel)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few_descriptors(more)
    [error] = await asyncio.gather(kernel.start(), return_exceptions=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(error, KernelError)
    assert "Too many open files" in str(error)
    assert kernel.state is ExecutionState.DEAD
    await kernel.restart()
    assert (await talk.run("show('works')")).text == "works"


# Restarts that somebody asked for


async def test_a_restart_keeps_clients_and_forgets_variables(lives: Lives) -> None:
    kernel = await lives.started()
    talk, idle = attach(kernel), attach(kernel)
    await talk.run("x = 1")
    before = process_of(kernel)
    await kernel.restart()
    assert not before.is_running()
    assert kernel.state is ExecutionState.IDLE
    assert len(kernel.attachments) == 2
    assert (await talk.run("x")).error == "NameError"
    assert (await talk.run("show('again')")).text == "again"
    await idle.hear_status("starting")
    assert await idle.hear_text() == "again"


async def test_a_restart_of_a_busy_ipykernel_is_quick(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk = attach(kernel)
    await talk.execute("print('runs', flush=True)\nwhile True: pass")
    assert await talk.hear_text() == "runs\n"
    loop = asyncio.get_running_loop()
    began = loop.time()
    await kernel.restart()
    # Without an interrupt the kernel would hear of it only at SIGTERM, after half of this.
    assert loop.time() - began < LIMITS.shutdown_wait
    assert (await talk.run("print(1)")).text == "1\n"


async def test_restarts_at_once_come_one_after_the_other(lives: Lives) -> None:
    kernel = await lives.started()
    talk = attach(kernel)
    sending = asyncio.create_task(talk.run("show('heard')"))
    await asyncio.gather(*(kernel.restart() for _ in range(3)))
    assert kernel.state is ExecutionState.IDLE
    sending.cancel()
    await asyncio.wait({sending})
    assert (await talk.run("show('works')")).text == "works"


async def test_what_is_sent_during_a_restart_goes_to_the_new_run(lives: Lives) -> None:
    kernel = await lives.started()
    talk = attach(kernel)
    await talk.run("x = 1")
    restarting = asyncio.create_task(kernel.restart())
    while kernel._settled.is_set():
        await turn()
    ran = await talk.run("show('x' in globals())")
    assert ran.text == "False"
    await restarting


async def test_a_restart_mends_a_kernel_that_did_not_start(
    lives: Lives, specs: Specs, tmp_path: Path
) -> None:
    add_fickle(specs, tmp_path / "licence")
    kernel = lives.new("fickle")
    with pytest.raises(KernelStartFailed):
        await kernel.start()
    (tmp_path / "licence").touch()
    await kernel.restart()
    assert kernel.model().reason is msgspec.UNSET
    assert (await attach(kernel).run("show(1)")).text == "1"


# Deaths


async def test_a_kernel_that_dies_is_restarted_and_says_why(lives: Lives) -> None:
    kernel = await lives.started()
    talk = attach(kernel)
    await talk.run("x = 1")
    await talk.execute("import os, sys\nprint('out of luck', file=sys.stderr, flush=True)\nos._exit(7)")
    await talk.hear_status("restarting")
    # What is sent now waits for the next run.
    assert (await talk.run("x")).error == "NameError"
    assert kernel.state is ExecutionState.IDLE
    reason = str(kernel.model().reason)
    assert reason == "The kernel exited with status 7. The end of its output:\nout of luck"
    await kernel.restart()
    assert kernel.model().reason is msgspec.UNSET


async def test_a_killed_ipykernel_is_restarted(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk = attach(kernel)
    process_of(kernel).kill()
    await talk.hear_status("restarting")
    assert (await talk.run("print(1)")).text == "1\n"
    assert kernel.model().reason == "The kernel was ended by SIGKILL."


async def test_what_died_with_the_kernel_ends_too(lives: Lives) -> None:
    kernel = await lives.started()
    talk = attach(kernel)
    code = "import subprocess\nshow(subprocess.Popen(['setsid', 'sleep', '600']).pid)"
    pid = int((await talk.run(code)).text)
    child = type(process_of(kernel))(pid)
    process_of(kernel).kill()
    await talk.hear_status("restarting")
    await until_gone(child)


async def test_a_kernel_that_dies_again_and_again_is_dead_and_says_why(
    lives: Lives, specs: Specs, tmp_path: Path
) -> None:
    licence = tmp_path / "licence"
    licence.touch()
    add_fickle(specs, licence)
    kernel = await lives.started("fickle")
    talk, silent = attach(kernel), attach(kernel)
    licence.unlink()
    process_of(kernel).kill()
    await talk.hear_status("dead")
    assert kernel.state is ExecutionState.DEAD
    reason = "The kernel exited with status 1. The end of its output:\nno licence"
    assert kernel.model().reason == reason
    restarts = [
        message
        for message in talk.heard
        if message.read_header().msg_type == "status"
        and message.read_content()["execution_state"] == "restarting"
    ]
    assert len(restarts) == RESTART_LIMIT
    with pytest.raises(ChannelsClosed, match="no licence") as closed:
        await talk.run("show(1)")
    assert closed.value.code == CloseCode.KERNEL_DEAD
    with pytest.raises(KernelDied, match="no licence"):
        await kernel.interrupt()
    # Who sends nothing stays, and sees it come back when somebody mends it.
    licence.touch()
    await kernel.restart()
    await silent.hear_status("dead")
    await silent.hear_status("idle")
    assert (await silent.run("show(1)")).text == "1"


async def test_after_a_restart_by_a_person_deaths_are_counted_anew(lives: Lives) -> None:
    kernel = await lives.started()
    talk = attach(kernel)
    kernel._policy.deaths = RESTART_LIMIT
    await kernel.restart()
    process_of(kernel).kill()
    await talk.hear_status("restarting")
    assert (await talk.run("show(1)")).text == "1"


async def test_a_start_that_took_long_and_failed_was_no_life(
    lives: Lives, specs: Specs, tmp_path: Path
) -> None:
    add_fickle(specs, tmp_path / "licence")
    kernel = lives.new("fickle")
    async with kernel._changing:
        await kernel._restart_after(1000.0, "It died.")
    assert kernel.state is ExecutionState.DEAD
    assert kernel._runs == RESTART_LIMIT


# Interrupts


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("python3", "print('runs', flush=True)\nimport time\ntime.sleep(600)"),
        ("python3", "print('runs', flush=True)\nwhile True: pass"),
        ("small", "show('runs')\nimport time\ntime.sleep(600)"),
    ],
    ids=["a sleep in C", "a loop", "another kernel"],
)
async def test_an_interrupt_ends_what_runs_and_not_the_kernel(lives: Lives, name: str, code: str) -> None:
    kernel = await lives.started(name)
    talk = attach(kernel)
    await talk.run("x = 1")
    request = await talk.execute(code)
    assert (await talk.hear_text()).strip() == "runs"
    await kernel.interrupt()
    assert (await talk.result(request)).reply.content["ename"] == "KeyboardInterrupt"
    assert (await talk.run("x")).reply.status == "ok"


async def test_bash_is_interrupted(lives: Lives, specs: Specs) -> None:
    specs.add_bash()
    kernel = await lives.started("bash")
    talk = attach(kernel)
    request = await talk.execute("echo runs; sleep 600")
    assert (await talk.hear_text()).strip() == "runs"

    async def sleeps() -> bool:
        return any(child.name() == "sleep" for child in process_of(kernel).children(recursive=True))

    # An interrupt that comes while bash is about to start the next command of its line is lost there.
    await until(sleeps)
    await kernel.interrupt()
    assert (await talk.result(request)).reply.status in ("abort", "aborted", "error")
    assert (await talk.run("echo $((6 * 7))")).text.strip() == "42"


async def test_a_kernel_may_be_interrupted_by_a_message(lives: Lives, specs: Specs) -> None:
    specs.add_small("by-message", interrupt_mode="message")
    kernel = await lives.started("by-message")
    talk = attach(kernel)
    request = await talk.execute("show('runs')\nwhile not interrupted(): pass\nshow('ended')")
    assert await talk.hear_text() == "runs"
    await kernel.interrupt()
    assert (await talk.result(request)).text == "ended"


async def test_an_interrupt_waits_for_the_start_and_does_it_no_harm(lives: Lives) -> None:
    kernel = lives.new("python3")
    starting = asyncio.create_task(kernel.start())
    interrupting = asyncio.create_task(kernel.interrupt())
    await starting
    await interrupting
    assert (await attach(kernel).run("print(1)")).text == "1\n"
    assert kernel._runs == 1


async def test_an_idle_kernel_takes_an_interrupt(lives: Lives) -> None:
    kernel = await lives.started("python3")
    await kernel.interrupt()
    assert (await attach(kernel).run("print(1)")).text == "1\n"


# Shutdowns


async def test_a_shutdown_tells_and_closes_clients(lives: Lives) -> None:
    kernel = await lives.started()
    process, talk = process_of(kernel), attach(kernel)
    await kernel.shutdown()
    assert not process.is_running()
    await talk.hear_status("dead")
    with pytest.raises(ChannelsClosed, match="The kernel was shut down") as closed:
        await talk.hear_text()
    assert closed.value.code == CloseCode.KERNEL_GONE
    assert kernel.attachments == []
    with pytest.raises(KernelDied):
        await kernel.interrupt()
    with pytest.raises(NotFound):
        await kernel.restart()


async def test_shutdowns_at_once_and_again_are_one(lives: Lives) -> None:
    kernel = await lives.started()
    await asyncio.gather(kernel.shutdown(), kernel.shutdown())
    await kernel.shutdown()
    assert kernel.state is ExecutionState.DEAD


async def test_a_sender_that_waits_hears_of_the_shutdown(lives: Lives) -> None:
    kernel = lives.new()
    talk = attach(kernel)
    sending = asyncio.create_task(talk.execute("show(1)"))
    await turn()
    await kernel.shutdown()
    with pytest.raises(ChannelsClosed) as closed:
        await sending
    assert closed.value.code == CloseCode.KERNEL_GONE


@pytest.mark.parametrize(
    "when", ["before it began", "while it looks", "while it launches", "while it is silent"]
)
async def test_a_shutdown_does_not_wait_for_a_start(
    lives: Lives, specs: Specs, foreign: Callable[[str], str], when: str
) -> None:
    specs.add_script("silent", SLEEPS)
    name = foreign("launch") if when == "while it launches" else "silent"
    kernel = lives.new(name)
    starting = asyncio.create_task(kernel.start())
    if when == "while it looks":
        await turn()
        assert kernel._run is None
    elif when == "while it launches":
        while kernel._run is None or kernel._run._launcher.provisioner is None:
            await turn()
    elif when == "while it is silent":
        while kernel._lifeline is None:
            await turn()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await kernel.shutdown()
    with pytest.raises(KernelStartFailed, match="was shut down while it started"):
        await starting
    assert loop.time() - began < LIMITS.shutdown_wait
    assert kernel._run is None
    assert kernel.state is ExecutionState.DEAD


async def test_a_shutdown_while_a_kernel_is_restarted_after_its_death_is_the_end(
    lives: Lives, specs: Specs, tmp_path: Path
) -> None:
    flag = tmp_path / "licence"
    flag.touch()
    add_fickle(specs, flag)
    kernel = await lives.started("fickle")
    talk = attach(kernel)
    process_of(kernel).send_signal(signal.SIGKILL)
    await talk.hear_status("restarting")
    await kernel.shutdown()
    assert kernel.state is ExecutionState.DEAD
    assert kernel._run is None
    assert kernel._watcher is None
