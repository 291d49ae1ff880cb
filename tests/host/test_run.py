"""Runs of real kernels, by jupyter_client's provisioner and by foreign ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from jupyter_client.connect import LocalPortCache
from jupyter_client.kernelspec import KernelSpec
from tests.host.runs import Runs
from tests.host.specs import IPC, TCP, Specs
from tests.host.talk import turn, until_gone

from kernelway.host.fork_servers import ForkServers
from kernelway.host.forked import ForkingProvisioner
from kernelway.host.forked_process import ForkedProcess
from kernelway.host.lifeline import Lifeline
from kernelway.host.run import HOST_MARK, KERNEL_MARK, KernelRun, Order, _transport
from kernelway.protocol.errors import KernelError, KernelStartFailed
from kernelway.protocol.message import Channel, SessionId
from kernelway.protocol.models import KernelId

DEADLINE = 30.0


def process_of(run: KernelRun) -> psutil.Process:
    process = run._local_process()
    assert process is not None
    return psutil.Process(process.pid)


def folder_of(run: KernelRun) -> Path:
    return run._folder


def connection(run: KernelRun) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((folder_of(run) / "k.json").read_text())
    return info


async def exited(run: KernelRun) -> str:
    async with asyncio.timeout(DEADLINE):
        return await run.exited()


# Starting


async def test_a_kernel_starts_in_a_private_folder_and_nothing_is_left_of_it(runs: Runs) -> None:
    run, lifeline = await runs.ready()
    process, folder = process_of(run), folder_of(run)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "k.json").stat().st_mode & 0o777 == 0o600
    assert connection(run)["transport"] == "ipc"
    assert len(os.fsencode(folder / "k-ipc-5")) < 100
    await run.end(shutdown=lifeline.request_shutdown, patience=10)
    assert not process.is_running()
    assert not folder.exists()
    await run.end(shutdown=None, patience=1)


async def test_the_environment_and_the_folder_are_as_ordered(runs: Runs, tmp_path: Path) -> None:
    base = replace(runs.surroundings, environ={**os.environ, "SHARED": "host", "OURS": "host"})
    runs.surroundings = base
    env = {"MINE": "1 = 2", "SHARED": "mine", "KERNELWAY_HOST": "forged", KERNEL_MARK: "forged"}
    run = await runs.started(cwd=tmp_path, env=env)
    process = process_of(run)
    assert process.cwd() == str(tmp_path)
    environ = process.environ()
    assert (environ["MINE"], environ["SHARED"], environ["OURS"]) == ("1 = 2", "mine", "host")
    # Whatever the request says, the guard finds what was started.
    assert environ["KERNELWAY_HOST"] == base.mark
    assert environ[KERNEL_MARK] == run._order.kernel_id
    assert "MINE" not in os.environ


def test_neither_an_order_nor_surroundings_tell_variables_when_they_are_printed() -> None:
    order = Order(KernelId("id"), "small", env={"PASSWORD": "secret"})
    assert "secret" not in repr(order)
    assert "PASSWORD" not in repr(order)


async def test_a_requests_variables_are_in_no_file(runs: Runs) -> None:
    secret = uuid.uuid4().hex
    await runs.ready(env={"PASSWORD": secret, "JPY_SESSION_NAME": secret})
    files = [path for path in runs.surroundings.folder.rglob("*") if path.is_file()]
    assert files
    assert not any(secret.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("argv", "metadata", "transport"),
    [
        (["python", "-m", "ipykernel_launcher"], {}, "ipc"),
        (["/usr/bin/python3.12", "-m", "bash_kernel"], {}, "ipc"),
        (["python", "kernel.py"], {}, "tcp"),
        (["R", "--slave"], {}, "tcp"),
        ([], {}, "tcp"),
        (["R", "--slave"], IPC, "ipc"),
        (["python", "-m", "ipykernel_launcher"], TCP, "tcp"),
        (["python", "-m", "x"], {"kernelway": {"transport": "udp"}}, "ipc"),
        (["python", "-m", "x"], {"kernelway": "nonsense"}, "ipc"),
        (["python", "-m", "x"], {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}, "ipc"),
        (["python", "-m", "x"], {"kernel_provisioner": {"provisioner_name": "slurm"}}, "tcp"),
        (["python", "-m", "x"], {"kernel_provisioner": {}}, "ipc"),
        (["python", "-m", "x"], {"kernel_provisioner": "nonsense"}, "ipc"),
    ],
)
def test_the_transport_is_ipc_where_a_kernel_surely_can(
    argv: list[str], metadata: dict[str, Any], transport: str
) -> None:
    assert _transport(KernelSpec(argv=argv, metadata=metadata)) == transport


async def test_messages_flow_over_tcp_and_ports_are_given_back(runs: Runs, specs: Specs) -> None:
    specs.add_small("small-tcp", metadata=TCP)
    ports = set(LocalPortCache.instance().currently_used_ports)
    run, _ = await runs.ready("small-tcp")
    assert connection(run)["transport"] == "tcp"
    assert len(LocalPortCache.instance().currently_used_ports - ports) == 5
    await runs.end()
    assert LocalPortCache.instance().currently_used_ports == ports


async def test_tcp_is_encrypted_where_the_kernel_can(runs: Runs, specs: Specs) -> None:
    argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specs.add("curved", argv, metadata={**TCP, "supported_encryption": ["curve"]})
    run = await runs.started("curved")
    info = connection(run)
    assert info["transport"] == "tcp"
    assert info["curve_publickey"]
    assert "curve_secretkey" in info
    # Who does not know the server's key gets no answer, however well the message is signed.
    heard: list[object] = []
    key, run._launcher.curve_publickey = run._launcher.curve_publickey, None
    plain = Lifeline(run, SessionId("plain"), heard.append)
    asking = asyncio.create_task(plain.until_ready())
    try:
        await asyncio.wait({asking}, timeout=0)
        run._launcher.curve_publickey = key
        lifeline = Lifeline(run, SessionId("host"), runs.published.append)
        async with asyncio.timeout(DEADLINE):
            await lifeline.until_ready()
        lifeline.close()
        assert not asking.done()
        assert heard == []
        assert runs.published
    finally:
        asking.cancel()
        await asyncio.wait({asking})
        plain.close()


async def test_ipykernels_warning_of_tcp_is_no_part_of_a_reason(runs: Runs, specs: Specs) -> None:
    argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specs.add("plain-tcp", argv, metadata=TCP)
    run, _ = await runs.ready("plain-tcp")
    assert b"without encryption" in bytes(run._output._kept)
    process_of(run).kill()
    assert await exited(run) == "The kernel was ended by SIGKILL."


# Failing


async def test_a_program_that_is_not_there_is_named(runs: Runs, specs: Specs) -> None:
    specs.add("missing", ["/no/such/program", "{connection_file}"])
    with pytest.raises(KernelStartFailed, match=r"'missing' could not be started.*'/no/such/program'"):
        await runs.started("missing")


async def test_a_spec_without_a_command_fails_with_a_reason(runs: Runs, specs: Specs) -> None:
    specs.add("empty", [])
    with pytest.raises(
        KernelStartFailed, match="'empty' could not be started: its kernelspec has no command"
    ):
        await runs.started("empty")


async def test_a_folder_that_is_not_there_is_named(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(KernelStartFailed, match=str(tmp_path / "gone")):
        await runs.started(cwd=tmp_path / "gone")


async def test_a_folder_with_too_long_a_path_fails_with_a_reason(runs: Runs, tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30)
    deep.mkdir()
    runs.surroundings = replace(runs.surroundings, folder=deep)
    with pytest.raises(KernelStartFailed, match=r"'small' could not be started: the path .* is too long"):
        await runs.started()


async def test_channels_that_cannot_be_opened_are_an_error_with_the_cause(runs: Runs) -> None:
    with zmq.Context() as context:
        # One is the launcher's.
        context.max_sockets = 2
        runs.surroundings = replace(runs.surroundings, context=context)
        run = await runs.started()
        socket = run.open(Channel.SHELL, lambda parts: None)
        with pytest.raises(KernelError, match="iopub channel cannot be opened: Too many open files"):
            run.open(Channel.IOPUB, lambda parts: None)
        socket.close()
        await runs.end()


SCRIPTS = [
    ("raise SystemExit(3)", "The kernel exited with status 3."),
    ("pass", "The kernel exited with status 0."),
    ("import os; os.kill(os.getpid(), 11)", "The kernel was ended by SIGSEGV."),
    ("import os; os.kill(os.getpid(), 35)", "The kernel exited with status -35."),
    ("import sys; sys.exit('no licence')", "status 1. The end of its output:\nno licence"),
    ("print('on stdout')", "status 0. The end of its output:\non stdout"),
    ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
]


@pytest.mark.parametrize(("script", "told"), SCRIPTS)
async def test_how_a_kernel_ended_is_told_with_its_last_words(
    runs: Runs, specs: Specs, script: str, told: str
) -> None:
    specs.add_script("ending", script)
    run = await runs.started("ending")
    assert told in await exited(run)
    # Asked again, after the process was reaped, it is told again.
    assert told in await exited(run)


# Ending


IGNORING = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    time.sleep(60)
"""


async def words_of(run: KernelRun) -> str:
    """Wait for the first words that a kernel's process writes."""
    async with asyncio.timeout(DEADLINE):
        while not run._output.text():
            await turn()
    return run._output.text()


async def test_a_kernel_that_ignores_everything_is_killed_within_its_time(runs: Runs, specs: Specs) -> None:
    specs.add_script("deaf", IGNORING)
    run = await runs.started("deaf")
    process = process_of(run)
    assert await words_of(run) == "deaf"
    loop = asyncio.get_running_loop()
    began = loop.time()
    await run.end(shutdown=lambda: None, patience=0.5)
    assert 0.5 <= loop.time() - began < 5
    assert not process.is_running()


async def test_sigterm_comes_before_sigkill(runs: Runs, specs: Specs, tmp_path: Path) -> None:
    script = f"""
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
def goodbye(*_):
    pathlib.Path({str(tmp_path / "said")!r}).write_text("goodbye")
    sys.exit()
signal.signal(signal.SIGTERM, goodbye)
print("ready", flush=True)
while True:
    time.sleep(60)
"""
    specs.add_script("polite", script)
    run = await runs.started("polite")
    await words_of(run)
    await run.end(shutdown=lambda: None, patience=2)
    assert (tmp_path / "said").read_text() == "goodbye"


async def test_a_busy_kernel_is_interrupted_before_it_is_asked_to_end(runs: Runs, specs: Specs) -> None:
    script = """
import time
try:
    print("busy", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    specs.add_script("busy", script)
    run = await runs.started("busy")
    assert await words_of(run) == "busy"
    loop = asyncio.get_running_loop()
    began = loop.time()
    await run.end(shutdown=lambda: None, patience=20)
    assert loop.time() - began < 10
    assert run._output.text() == "busy\ninterrupted"


@pytest.mark.parametrize("shell", ["exec sleep 600", "setsid sleep 600", "env -i sleep 600"])
async def test_what_a_kernel_started_ends_with_it(runs: Runs, specs: Specs, shell: str) -> None:
    script = f"""
import subprocess, time
child = subprocess.Popen(["sh", "-c", {shell!r}])
print(child.pid, flush=True)
time.sleep(600)
"""
    specs.add_script("parent", script)
    run = await runs.started("parent")
    child = psutil.Process(int(await words_of(run)))
    await run.end(shutdown=None, patience=2)
    await until_gone(child)


async def test_giving_up_a_start_leaves_nothing(runs: Runs) -> None:
    run = await runs.new()
    starting = asyncio.create_task(run.start())
    # Whether the rest of the start is done by then makes no difference.
    async with asyncio.timeout(DEADLINE):
        while run._local_process() is None:
            await turn()
    process = process_of(run)
    starting.cancel()
    await asyncio.wait({starting})
    await run.end(shutdown=None, patience=2)
    assert not process.is_running()


async def test_interrupting_what_is_gone_says_so(runs: Runs) -> None:
    run = await runs.new()
    with pytest.raises(KernelError, match="could not be interrupted"):
        await run.interrupt()


# Other people's provisioners


async def test_a_foreign_provisioner_brings_its_own_key_and_addresses(
    runs: Runs, foreign: Callable[[str], str], innocent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    run, lifeline = await runs.ready(foreign(""), env={"MINE": "1"}, cwd=tmp_path)
    assert connection(run)["transport"] == "tcp"
    provisioner: Any = run._launcher.provisioner
    child = psutil.Process(provisioner.child.pid)
    assert child.environ()["MINE"] == "1"
    assert child.cwd() == str(tmp_path)
    await run.end(shutdown=lifeline.request_shutdown, patience=10)
    assert not child.is_running()
    # Its ids were another machine's: no process of this one that has them was touched.
    assert innocent.poll() is None


async def test_a_foreign_provisioner_tells_of_the_exit(runs: Runs, foreign: Callable[[str], str]) -> None:
    run, _ = await runs.ready(foreign(""))
    provisioner: Any = run._launcher.provisioner
    provisioner.child.send_signal(signal.SIGKILL)
    assert await exited(run) == "The kernel was ended by SIGKILL."


async def test_a_foreign_provisioners_refusal_is_the_answer(
    runs: Runs, foreign: Callable[[str], str]
) -> None:
    name = foreign("refusal")
    with pytest.raises(KernelStartFailed, match="the batch system has no room"):
        await runs.started(name)


@pytest.mark.parametrize("trouble", ["wait", "kill", "terminate", "cleanup"])
async def test_trouble_with_a_foreign_provisioner_does_not_keep_the_rest_from_ending(
    runs: Runs,
    foreign: Callable[[str], str],
    trouble: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kernelway.host.run._LEAST_PATIENCE", 0.3)
    run, _ = await runs.ready(foreign(""))
    provisioner: Any = run._launcher.provisioner
    provisioner.trouble = trouble
    child, folder = provisioner.child, folder_of(run)
    child.send_signal(signal.SIGSTOP)
    await run.end(shutdown=lambda: None, patience=0.2)
    assert child.wait(5) == -signal.SIGKILL
    assert not folder.exists()
    assert "failed." in caplog.text


async def test_a_kernel_that_nobody_can_watch_is_lost(
    runs: Runs, foreign: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = await runs.ready(foreign(""))
    provisioner: Any = run._launcher.provisioner
    provisioner.trouble = "wait"
    assert await exited(run) == "The kernel was lost by what started it: the batch system is away"
    provisioner.trouble = ""


async def test_a_provisioner_of_local_processes_has_their_output_told(
    runs: Runs, specs: Specs, foreign: Callable[[str], str]
) -> None:
    metadata = {"kernel_provisioner": {"provisioner_name": "wrapping-provisioner"}}
    script = "import os, sys; sys.exit('wrapped ' + os.environ['WRAPPED'])"
    specs.add_script("wrapped", script, metadata=metadata)
    run = await runs.started("wrapped")
    assert (await exited(run)).endswith("\nwrapped yes")


async def test_without_a_descriptor_for_its_process_a_kernel_is_still_watched(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    run = await runs.started()
    process = process_of(run)
    watching = asyncio.create_task(exited(run))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(watching), 0.05)
    assert not watching.done()
    process.kill()
    assert await watching == "The kernel was ended by SIGKILL."


# Forking


@pytest.fixture
async def forked(runs: Runs, specs: Specs) -> AsyncIterator[Runs]:
    """Runs of a kernelspec ``forkable``, which are forked."""
    specs.add("forkable", FORKABLE)
    surroundings = runs.surroundings
    forks = ForkServers({**surroundings.environ, HOST_MARK: surroundings.mark})
    runs.surroundings = replace(surroundings, forks=forks)
    yield runs
    await runs.end()
    await forks.close()


FORKABLE = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def forked_process_of(run: KernelRun) -> ForkedProcess:
    process = run._local_process()
    assert isinstance(process, ForkedProcess)
    return process


async def test_a_forked_kernel_starts_as_ordered_and_nothing_is_left_of_it(
    forked: Runs, tmp_path: Path
) -> None:
    run, lifeline = await forked.ready("forkable", cwd=tmp_path, env={"MINE": "1", KERNEL_MARK: "forged"})
    assert forked_process_of(run).pid in run._surroundings.guard._groups
    process, folder = process_of(run), folder_of(run)
    assert connection(run)["transport"] == "ipc"
    assert process.cwd() == str(tmp_path)
    assert process.environ()["MINE"] == "1"
    assert process.environ()[HOST_MARK] == run._surroundings.mark
    assert process.environ()[KERNEL_MARK] == run._order.kernel_id
    await run.end(shutdown=lifeline.request_shutdown, patience=10)
    assert not process.is_running()
    assert not folder.exists()
    await run.end(shutdown=None, patience=1)


async def test_a_forked_kernels_exit_is_told_with_its_last_words(forked: Runs) -> None:
    run, _ = await forked.ready("forkable")
    process_of(run).kill()
    assert await exited(run) == "The kernel was ended by SIGKILL."
    assert await exited(run) == "The kernel was ended by SIGKILL."
    await run.interrupt()


async def test_a_forked_kernel_that_cannot_start_says_so(forked: Runs, specs: Specs) -> None:
    specs.add("confused", [*FORKABLE, "--IPKernelApp.kernel_class=no.such.kernel"])
    run = await forked.started("confused")
    forked_process_of(run)
    told = await exited(run)
    assert told.startswith("The kernel exited with status 1. The end of its output:\n")
    assert "no.such" in told


async def test_a_forked_kernel_may_listen_on_encrypted_tcp(forked: Runs, specs: Specs) -> None:
    specs.add("curved", FORKABLE, metadata={**TCP, "supported_encryption": ["curve"]})
    run, _ = await forked.ready("curved")
    forked_process_of(run)
    assert connection(run)["transport"] == "tcp"
    assert connection(run)["curve_publickey"]


async def test_giving_up_a_forked_start_leaves_nothing(forked: Runs) -> None:
    await forked.ready("forkable")
    run = await forked.new("forkable")
    starting = asyncio.create_task(run.start())
    async with asyncio.timeout(DEADLINE):
        while run._local_process() is None:
            await turn()
    process = process_of(run)
    starting.cancel()
    await asyncio.wait({starting})
    await run.end(shutdown=None, patience=2)
    await until_gone(process)


async def test_a_forked_kernel_whose_server_is_gone_ends_as_any_other(forked: Runs) -> None:
    run, lifeline = await forked.ready("forkable")
    process = process_of(run)
    assert run._surroundings.forks is not None
    await run._surroundings.forks.close()
    await run.interrupt()
    await run.end(shutdown=lifeline.request_shutdown, patience=10)
    await until_gone(process)
    assert await exited(run) == (
        "The kernel has ended; how is not known, since what it was forked from had ended before it."
    )


async def test_what_a_foreign_provisioner_starts_is_not_forked(
    forked: Runs, foreign: Callable[[str], str]
) -> None:
    run, _ = await forked.ready(foreign(""))
    assert run._local_process() is None
    assert not isinstance(run._launcher.provisioner, ForkingProvisioner)


async def test_another_kernel_is_started_by_command(forked: Runs) -> None:
    run, _ = await forked.ready("small")
    assert isinstance(run._local_process(), subprocess.Popen)
    process_of(run).kill()
    assert await exited(run) == "The kernel was ended by SIGKILL."


async def test_a_folder_that_is_gone_is_named_where_kernels_are_forked(forked: Runs, tmp_path: Path) -> None:
    with pytest.raises(KernelStartFailed, match=str(tmp_path / "gone")):
        await forked.started("forkable", cwd=tmp_path / "gone")
