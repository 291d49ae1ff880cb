"""All fork servers of a host: which kernels share one, and what happens where there is none."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec
from tests.host.forkable import DEADLINE, SLEEP, environ_with, launch_of, make_modules, status_of

from kernelway.host.fork_server import ForkTimes, Launch
from kernelway.host.fork_servers import ForkServers
from kernelway.host.forked_process import ForkedProcess

ARGV = [sys.executable, "-m", "ipykernel_launcher", "pass"]

TIMES = ForkTimes(ready_within=DEADLINE, answer_within=DEADLINE)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder for modules, with an ``ipykernel`` that is imported at once."""
    return make_modules(tmp_path / "modules")


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kernelway.host.fork_servers")


class Forking:
    """Fork servers, and kernels of them."""

    def __init__(self, servers: ForkServers, modules: Path, output: int) -> None:
        self.servers = servers
        self._modules = modules
        self._output = output
        self._processes: list[ForkedProcess] = []

    async def fork(
        self, code: str = "pass", spec: KernelSpec | None = None, **changes: Any
    ) -> ForkedProcess | None:
        """A kernel, or none."""
        launch = launch_of(self._modules, code, self._output, **changes)
        named = spec or KernelSpec(argv=list(launch.argv), display_name="A")
        process = await self.servers.fork(named, launch)
        if process is not None:
            self._processes.append(process)
        return process

    @property
    def pids(self) -> set[int]:
        return {server.pid for server in self.servers._servers}

    def close(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
            process.close()


@asynccontextmanager
async def forking(modules: Path, *, times: ForkTimes = TIMES, **options: Any) -> AsyncIterator[Forking]:
    servers = ForkServers(environ_with(modules), times=times, **options)
    with Path(os.devnull).open("wb") as output:
        forking = Forking(servers, modules, output.fileno())
        try:
            yield forking
        finally:
            forking.close()
            await servers.close()
    assert not forking.pids


async def test_kernels_that_are_asked_for_at_once_share_a_server(modules: Path) -> None:
    async with forking(modules) as forks:
        processes = await asyncio.gather(*(forks.fork(f"raise SystemExit({number})") for number in range(6)))
        assert len(forks.pids) == 1
        found = [process for process in processes if process is not None]
        assert [await status_of(process) for process in found] == [0, 1, 2, 3, 4, 5]
        await forks.fork()
        assert len(forks.pids) == 1


async def test_an_interpreter_with_other_flags_has_another_server(modules: Path) -> None:
    argv = [sys.executable, "-Xfrozen_modules=off", "-O", *ARGV[1:-1]]
    code = "import sys; sys.exit(10 + sys.flags.optimize)"
    async with forking(modules) as forks:
        plain, other = await forks.fork(code), await forks.fork(argv=[*argv, code])
        assert len(forks.pids) == 2
        assert plain is not None
        assert other is not None
        assert (await status_of(plain), await status_of(other)) == (10, 11)


async def test_a_kernelspec_with_acting_variables_has_another_server(modules: Path) -> None:
    env = environ_with(modules, OMP_NUM_THREADS="1", MINE="2")
    spec = KernelSpec(argv=ARGV, display_name="A", env={"OMP_NUM_THREADS": "1", "MINE": "2"})
    code = "import os; os._exit(int(os.environ['OMP_NUM_THREADS'] + os.environ['MINE']))"
    async with forking(modules) as forks:
        await forks.fork()
        process = await forks.fork(code, spec, env=env)
        assert process is not None
        assert await status_of(process) == 12
        assert len(forks.pids) == 2


async def test_a_kernelspecs_own_variables_are_read_when_its_server_imports(modules: Path) -> None:
    (modules / "ipykernel" / "kernelapp.py").write_text("import os; level = os.environ.get('LEVEL')")
    env = environ_with(modules, LEVEL="4")
    spec = KernelSpec(argv=ARGV, display_name="A", env={"LEVEL": "4", "NAME": "${HOME}"})
    code = "import sys, ipykernel.kernelapp as app; sys.exit(int(app.level))"
    async with forking(modules) as forks:
        for name in ("a", "b"):
            process = await forks.fork(code, spec, env={**env, "NAME": name})
            assert process is not None
            assert await status_of(process) == 4
        assert len(forks.pids) == 1


REFUSED = [
    ({"argv": [sys.executable, "-m", "bash_kernel"]}, "its command is not a plain launch"),
    ({"argv": ["/no/such/python", *ARGV[1:]]}, "No such file or directory: '/no/such/python'"),
    ({"env": {"LC_ALL": "C"}}, "it has its own .*LC_ALL"),
    ({"env": {}}, "it has its own .*PYTHONPATH"),
    ({"cwd": "/not/there"}, "it could not be forked"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
async def test_what_cannot_be_forked_is_told_once(
    modules: Path, changes: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with forking(modules) as forks:
        for _ in range(3):
            assert await forks.fork(**changes) is None
        (record,) = caplog.records
        assert record.levelno == logging.INFO
        assert "A kernel of 'A' is started by command, since " in record.getMessage()
        assert re.search(reason, record.getMessage())
        # Only what may be forked is worth a server.
        assert len(forks.pids) == ("cwd" in changes)


async def test_a_value_of_a_variable_is_in_no_log(modules: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with forking(modules) as forks:
        assert await forks.fork(env=environ_with(modules, LD_SECRET="hush")) is None
        assert "LD_SECRET" in caplog.text
        assert "hush" not in caplog.text


async def test_a_variable_that_imports_looked_up_is_not_forked(
    modules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (modules / "ipykernel" / "kernelapp.py").write_text("import os; os.environ.get('LEVEL')")
    async with forking(modules) as forks:
        assert await forks.fork(env=environ_with(modules, LEVEL="1")) is None
        assert await forks.fork(env=environ_with(modules, OTHER="1")) is not None
        assert "it has its own LEVEL" in caplog.text


async def test_a_server_that_is_gone_is_followed_by_another(modules: Path) -> None:
    async with forking(modules) as forks:
        await forks.fork()
        (server,) = forks.servers._servers
        os.kill(server.pid, signal.SIGKILL)
        await server.ended()
        assert await forks.fork() is not None
        assert forks.pids != {server.pid}


async def test_a_server_that_hangs_costs_no_kernel(modules: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with forking(modules) as forks:
        await forks.fork()
        (server,) = forks.servers._servers
        server._times = ForkTimes(answer_within=0.2)
        os.kill(server.pid, signal.SIGSTOP)
        assert await asyncio.gather(forks.fork(), forks.fork()) == [None, None]
        assert "did not answer within 0.2 s" in caplog.text
        assert await forks.fork() is not None


async def test_a_changed_environment_gets_a_fresh_server(
    modules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (modules / "ipykernel" / "version.py").write_text("number = 1")
    (modules / "ipykernel" / "kernelapp.py").write_text("import ipykernel.version")
    code = "import sys, ipykernel.version; sys.exit(ipykernel.version.number)"
    async with forking(modules) as forks:
        older = await forks.fork(SLEEP)
        assert older is not None
        (modules / "ipykernel" / "version.py").write_text("number = 23")
        asked = await asyncio.gather(forks.fork(code), forks.fork(code))
        assert [await status_of(process) for process in asked if process is not None] == [23, 23]
        assert "has changed" in caplog.text
        # The first stays until its kernel has ended, and tells how.
        assert len(forks.pids) == 2
        older.send_signal(signal.SIGTERM)
        assert await status_of(older) == -signal.SIGTERM


RESTLESS = """
import os, pathlib
file = pathlib.Path(__file__).with_name("restless.py")
file.touch()
import ipykernel.restless
stat = os.stat
def write_and_stat(path):
    if str(path) == str(file):
        file.write_text("#" * (stat(path).st_size + 1))
    return stat(path)
os.stat = write_and_stat
"""


async def test_an_environment_that_changes_all_the_time_is_given_up(
    modules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A server looks at its files before each fork.
    (modules / "ipykernel" / "kernelapp.py").write_text(RESTLESS)
    async with forking(modules) as forks:
        assert await forks.fork() is None
        assert "its environment goes on changing" in caplog.text


async def test_what_cannot_start_is_not_tried_again_at_once(
    modules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = modules / "ipykernel" / "kernelapp.py"
    app.write_text("import nothing_like_it")
    async with forking(modules, times=ForkTimes(retry_after=600)) as forks:
        assert await asyncio.gather(forks.fork(), forks.fork()) == [None, None]
        assert "No module named 'nothing_like_it'" in caplog.text
        app.write_text("")
        assert await forks.fork() is None
        assert len(caplog.records) == 1
    async with forking(modules, times=ForkTimes(retry_after=0)) as forks:
        assert await forks.fork() is not None


async def test_a_module_that_starts_threads_is_refused_by_name(
    modules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (modules / "large.py").touch()
    (modules / "threads.py").write_text(
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    code = "import sys; sys.exit(('large' in sys.modules) + 2 * ('threads' in sys.modules))"
    async with forking(modules, preload=("large", "threads", "missing")) as forks:
        process = await forks.fork(code)
        assert process is not None
        assert await status_of(process) == 1
        assert "threads is not preloaded: it starts threads when it is imported." in caplog.text
        assert "missing is not preloaded" in caplog.text


async def test_a_kernelspecs_own_variables_are_those_of_its_server(modules: Path) -> None:
    spec = KernelSpec(argv=ARGV, display_name="A", env={"OMP_NUM_THREADS": "1${NOTHING}", "MINE": "2"})
    async with forking(modules) as forks:
        env = environ_with(modules, OMP_NUM_THREADS="1${NOTHING}", MINE="2")
        assert await forks.fork(spec=spec, env=env) is not None
        assert len(forks.pids) == 1


async def test_nothing_is_forked_after_the_end(modules: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with forking(modules) as forks:
        starting = asyncio.create_task(forks.fork())
        await asyncio.sleep(0)
        await forks.servers.close()
        assert await starting is None
        assert await forks.fork() is None
        assert "since the host is ending" in caplog.text


async def test_there_are_so_many_servers_and_no_more(
    modules: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelway.host.fork_servers._MOST_SERVERS", 1)
    async with forking(modules) as forks:
        await forks.fork()
        assert await forks.fork(argv=[sys.executable, "-B", *ARGV[1:]]) is None
        assert "there are 1 fork servers already" in caplog.text


# Other environments


def make_venv(folder: Path, *, with_ours: bool) -> Path:
    """A virtual environment, with this one's packages or with none; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    if with_ours:
        (site / "ours.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


def launch_in(python: Path, code: str, environ: dict[str, str], output: int) -> Launch:
    argv = [str(python), "-m", "ipykernel_launcher", code]
    return Launch(argv=argv, env=environ, cwd="/", mark="KERNELWAY_KERNEL_ID=a", output=output)


async def test_each_virtual_environment_has_a_server_of_its_own(modules: Path, tmp_path: Path) -> None:
    python = make_venv(tmp_path / "venv", with_ours=False)
    code = "import sys; sys.exit(7 if sys.prefix.endswith('venv') else 8)"
    async with forking(modules) as forks:
        ours = await forks.fork(code)
        theirs = await forks.fork(argv=[str(python), *ARGV[1:-1], code])
        assert ours is not None
        assert theirs is not None
        assert len(forks.pids) == 2
        assert await status_of(theirs) == 7


async def test_an_environment_without_ipykernel_has_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    python = make_venv(tmp_path / "venv", with_ours=False)
    environ = dict(os.environ)
    servers = ForkServers(environ, times=TIMES)
    with Path(os.devnull).open("wb") as output:
        launch = launch_in(python, "pass", environ, output.fileno())
        spec = KernelSpec(argv=list(launch.argv), display_name="A")
        assert await servers.fork(spec, launch) is None
    await servers.close()
    assert "ModuleNotFoundError: No module named 'ipykernel'" in caplog.text


async def test_a_package_that_comes_changes_or_goes_makes_a_fresh_server(tmp_path: Path) -> None:
    python = make_venv(tmp_path / "venv", with_ours=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    environ = dict(os.environ)
    servers = ForkServers(environ, times=TIMES)
    seen = []

    def change(number: int) -> None:
        package = site / "addition"
        if number == 1:
            package.mkdir()
            (package / "__init__.py").touch()
        elif number == 2:
            (site / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n/usr\n")
        elif number == 3:
            shutil.rmtree(package)

    with Path(os.devnull).open("wb") as output:
        for number in range(4):
            change(number)
            launch = launch_in(python, "x", environ, output.fileno())
            process = await servers.fork(KernelSpec(argv=list(launch.argv), display_name="A"), launch)
            assert process is not None
            seen.append({server.pid for server in servers._servers if server.is_serving})
            process.send_signal(signal.SIGKILL)
            await status_of(process)
    await servers.close()
    assert len(set(map(frozenset, seen))) == 4
