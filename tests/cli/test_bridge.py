"""``kernelway bridge`` as Jupyter's clients and people start it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_core.utils import run_sync
from tests.cli.conftest import Home, end
from tests.cli.console import DEADLINE, KERNELWAY, is_gone, kernelway
from tests.support.processes import Process


@pytest.fixture(scope="session", autouse=True)
def _loop_of_jupyter() -> None:
    """Jupyter's blocking interfaces make an event loop for themselves once, and keep it."""
    run_sync(asyncio.sleep)(0)


@pytest.fixture
def kernelspecs(gpu: Home, tmp_path: Path) -> KernelSpecManager:
    """A folder with the kernelspec ``remote``, whose command is a bridge."""
    folder = tmp_path / "kernels"
    (folder / "remote").mkdir(parents=True)
    argv = [*KERNELWAY, "bridge", "--on", "gpu", "--kernel", "python3", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Remote", "language": "python", "interrupt_mode": "message"}
    (folder / "remote" / "kernel.json").write_text(json.dumps(spec))
    manager = KernelSpecManager()
    manager.kernel_dirs = [str(folder)]
    return manager


@contextmanager
def started(kernelspecs: KernelSpecManager, home: Home, **environ: str) -> Iterator[KernelManager]:
    """A kernel manager of Jupyter's that has started the bridge."""
    with zmq.Context() as context:
        manager = KernelManager(
            kernel_name="remote",
            kernel_spec_manager=kernelspecs,
            context=context,
            shutdown_wait_time=DEADLINE,
        )
        manager.start_kernel(env={**home.environ, **environ}, cwd=str(home.work))
        try:
            yield manager
        finally:
            if manager.has_kernel:
                manager.shutdown_kernel()
            manager.cleanup_resources()


@contextmanager
def client_of(manager: KernelManager) -> Iterator[BlockingKernelClient]:
    with closing_channels(manager.client()) as client:
        yield client


@contextmanager
def closing_channels(client: BlockingKernelClient) -> Iterator[BlockingKernelClient]:
    client.start_channels()
    try:
        client.wait_for_ready(timeout=DEADLINE)
        yield client
    finally:
        client.stop_channels()
        client.hb_channel.join(DEADLINE)


@contextmanager
def client_at(file: Path) -> Iterator[BlockingKernelClient]:
    with zmq.Context() as context:
        client = BlockingKernelClient(connection_file=str(file), context=context)
        client.load_connection_file()
        with closing_channels(client):
            yield client


def run(client: BlockingKernelClient, code: str) -> tuple[dict[str, Any], str]:
    """The reply, and what the code printed."""
    printed: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        printed.append(message["content"].get("text", ""))

    reply = client.execute_interactive(code, timeout=DEADLINE, output_hook=hear)
    return reply["content"], "".join(printed)


def sessions(home: Home) -> dict[str, dict[str, Any]]:
    """What runs on the gateway, by name."""
    return {each["name"]: each for each in listed(home) if each.get("state") != "ended"}


def listed(home: Home) -> list[dict[str, Any]]:
    """What runs on the gateway, and what has ended."""
    done = kernelway("sessions", "--on", "gpu", "--json", environ=home.environ)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def until(holds: Callable[[], object]) -> None:
    """Wait for what another process does and nothing tells of."""
    pause = threading.Event()
    for _ in range(int(DEADLINE / 0.02)):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError("It never came to that.")


def test_a_kernel_manager_starts_restarts_and_ends_a_remote_kernel(
    gpu: Home, kernelspecs: KernelSpecManager
) -> None:
    with started(kernelspecs, gpu, JPY_SESSION_NAME="/somewhere/else/paper.ipynb") as manager:
        with client_of(manager) as client:
            assert run(client, "import os; x = 1; print(os.environ['JPY_SESSION_NAME'])")[1].endswith(
                "paper.ipynb\n"
            )
            manager.restart_kernel()
            client.wait_for_ready(timeout=DEADLINE)
            assert run(client, "x")[0]["ename"] == "NameError"
        assert list(sessions(gpu)) == ["paper.ipynb"]
        manager.shutdown_kernel()
        assert not sessions(gpu)


def test_a_kernel_manager_interrupts_a_remote_kernel(gpu: Home, kernelspecs: KernelSpecManager) -> None:
    with started(kernelspecs, gpu) as manager, client_of(manager) as client:
        asked = client.execute("import time\nprint('runs', flush=True)\ntime.sleep(1000)")
        while client.get_iopub_msg(timeout=DEADLINE)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=DEADLINE))["parent_header"]["msg_id"] != asked:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"


def test_a_bridge_that_is_killed_leaves_its_kernel_until_it_is_started_anew(
    gpu: Home, kernelspecs: KernelSpecManager
) -> None:
    with started(kernelspecs, gpu) as manager:
        with client_of(manager) as client:
            first = run(client, "import os; print(os.environ['KERNELWAY_KERNEL_ID'])")[1]
            manager.signal_kernel(signal.SIGKILL)
            assert [each["kernel"] for each in sessions(gpu).values()] == [first.strip()]
            manager.restart_kernel(now=True)
            client.wait_for_ready(timeout=DEADLINE)
            second = run(client, "import os; print(os.environ['KERNELWAY_KERNEL_ID'])")[1]
        assert [each["kernel"] for each in sessions(gpu).values()] == [second.strip()]
        assert second != first


@contextmanager
def bridge(home: Home, *arguments: str | Path, ready: str, **environ: str) -> Iterator[Process]:
    with Process(
        [*KERNELWAY, "bridge", *arguments], ready=ready, environ={**home.environ, **environ}, folder=home.work
    ) as process:
        yield process


def ended(process: Process, number: int) -> int:
    """The exit status after a signal."""
    os.kill(process.pid, number)
    assert process._process is not None
    return process._process.wait(DEADLINE)


def test_a_session_can_be_used_with_the_file_that_is_made_for_it(gpu: Home) -> None:
    made = kernelway("exec", "x = 7", "--session", "train", "--on", "gpu", environ=gpu.environ)
    assert made.returncode == 0, made.stderr
    try:
        with bridge(gpu, "train", ready="Spyder") as process:
            file = Path(process.lines[0].strip())
            assert file.parent == Path(gpu.environ["JUPYTER_RUNTIME_DIR"])
            assert f"jupyter console --existing {file}" in process.text
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            with client_at(file) as client:
                assert run(client, "print(x)")[1] == "7\n"
            assert ended(process, signal.SIGINT) == 0
            assert not file.exists()
        assert "train" in sessions(gpu)
    finally:
        end("train", gpu)


def test_what_is_no_session_is_told(gpu: Home) -> None:
    done = kernelway("bridge", "nothing", environ=gpu.environ)
    assert done.returncode == 1
    assert "nothing" in done.stderr


def test_a_ctrl_c_is_the_client_s_affair_and_sigterm_leaves_the_kernel(gpu: Home) -> None:
    file = gpu.work / "own.json"
    try:
        with starting_bridge(gpu, file) as process, client_at(file) as client:
            os.kill(process.pid, signal.SIGINT)
            assert run(client, "print(1)")[1] == "1\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 143
        assert not file.exists()
        assert "own" in sessions(gpu)
    finally:
        end("own", gpu)


@contextmanager
def starting_bridge(home: Home, file: Path, *more: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A bridge with a kernel of its own, once its new connection file is there."""
    command = [*KERNELWAY, "bridge", "--kernel", "python3", "-f", str(file), *more]
    if "--on" not in more:
        command += ["--on", "gpu"]
    process = subprocess.Popen(
        command,
        env={**home.environ, **environ},
        cwd=home.work,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            until_there(file, process)
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(DEADLINE)


def until_there(file: Path, process: subprocess.Popen[str]) -> None:
    """Wait for the file of a bridge that starts."""

    def there() -> bool:
        assert process.poll() is None, process.communicate()
        return file.exists()

    until(there)


_CLIENT = """
import os, subprocess, sys
environ = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
print(subprocess.Popen(sys.argv[1:], env=environ, start_new_session=True).pid, flush=True)
input()
"""


def test_a_bridge_ends_with_the_client_that_started_it_and_leaves_the_kernel(gpu: Home) -> None:
    file = gpu.work / "orphan.json"
    command = [*KERNELWAY, "bridge", "--on", "gpu", "--kernel", "python3", "-f", str(file)]
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _CLIENT, *command],
            env=gpu.environ,
            cwd=gpu.work,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdout is not None
            pid = int(client.stdout.readline())
            with psutil_of(pid) as process:
                until(file.exists)
                with client_at(file) as kernel:
                    assert run(kernel, "print(1)")[1] == "1\n"
                client.kill()
                process.wait(DEADLINE)
        assert is_gone(pid)
        assert "orphan" in sessions(gpu)
    finally:
        end("orphan", gpu)


@contextmanager
def psutil_of(pid: int) -> Iterator[psutil.Process]:
    process = psutil.Process(pid)
    try:
        yield process
    finally:
        if process.is_running():
            process.terminate()
            process.wait(DEADLINE)


def test_a_lease_ends_the_kernel_of_a_bridge_that_was_killed(gpu: Home) -> None:
    with starting_bridge(gpu, gpu.work / "leased.json", "--lease", "0.5") as process:
        # On a busy machine the lease may run out before the bridge is linked: that ends both, too.
        until(lambda: "leased" in sessions(gpu) or "leased.json" in str(listed(gpu)))
        process.kill()
        process.wait(DEADLINE)
    until(lambda: "lease of 0.5 s ran out" in str(listed(gpu)))


def test_without_a_gateway_s_name_it_is_that_of_this_machine(home: Home) -> None:
    file = home.work / "here.json"
    with starting_bridge(home, file, "--on", "local") as process, client_at(file) as client:
        folder = run(client, "import os; print(os.getcwd())")[1]
        assert folder.strip() == str(home.work)
        client.shutdown()
        assert process.wait(DEADLINE) == 0


def test_a_gateway_that_cannot_be_reached_is_told_and_ends_the_bridge(home: Home) -> None:
    home.save(gpu={"baseUrl": "http://127.0.0.1:9", "token": "x"})
    file = home.work / "none.json"
    done = kernelway("bridge", "--on", "gpu", "-f", file, environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert done.stderr.startswith("kernelway: ")
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "say which SESSION"),
        (("train", "other"), "one SESSION at a time"),
        (("train", "--kernel", "python3"), "are for a new kernel"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_refused(
    home: Home, arguments: tuple[str, ...], complaint: str
) -> None:
    done = kernelway("bridge", *arguments, environ=home.environ)
    assert done.returncode == 2
    assert complaint in done.stderr
