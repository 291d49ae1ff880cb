"""One fork server: what it forks, and what is told where it does not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.host.forkable import DEADLINE, SLEEP, environ_with, launch_of, make_modules, status_of
from tests.host.talk import turn, until_gone

from kernelway.host.fork_rules import Interpreter, Unforkable
from kernelway.host.fork_server import ForkServer, ForkTimes, Launch, Stale, StartsThreads

PYTHON = Interpreter((sys.executable,))

TIMES = ForkTimes(ready_within=DEADLINE, answer_within=DEADLINE)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder for modules, with an ``ipykernel`` that is imported at once."""
    return make_modules(tmp_path / "modules")


class Servers:
    """Makes servers, and ends them."""

    def __init__(self, modules: Path) -> None:
        self._modules = modules
        self._servers: list[ForkServer] = []
        self.reader, self.writer = os.pipe()

    def new(self, *, preload: tuple[str, ...] = (), times: ForkTimes = TIMES, **environ: str) -> ForkServer:
        """A server that is starting."""
        server = ForkServer(PYTHON, environ_with(self._modules, **environ), preload, times)
        self._servers.append(server)
        return server

    async def ready(self, **options: Any) -> ForkServer:
        """A server that can be asked."""
        server = self.new(**options)
        await server.ready()
        return server

    def launch(self, code: str, **changes: Any) -> Launch:
        """A kernel that runs the code, and is over."""
        return launch_of(self._modules, code, self.writer, **changes)

    def words(self) -> str:
        """What kernels have written so far, all of which have ended."""
        os.set_blocking(self.reader, False)
        return os.read(self.reader, 65536).decode()

    async def close(self) -> None:
        for server in self._servers:
            await server.close()
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
async def servers(modules: Path) -> AsyncIterator[Servers]:
    servers = Servers(modules)
    yield servers
    await servers.close()


async def test_it_forks_and_tells_how_each_ended(servers: Servers) -> None:
    server = await servers.ready()
    codes = ["pass", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)", "1 / 0"]
    processes = await asyncio.gather(*(server.fork(servers.launch(code)) for code in codes))
    assert len({process.pid for process in processes}) == 4
    assert [await status_of(process) for process in processes] == [0, 3, -9, 1]
    assert "ZeroDivisionError" in servers.words()


async def test_a_signal_reaches_the_process_alone(servers: Servers) -> None:
    server = await servers.ready()
    process = await server.fork(servers.launch(SLEEP))
    assert not process.is_gone
    process.send_signal(signal.SIGTERM)
    assert await status_of(process) == -signal.SIGTERM
    # Whoever has the number now gets none.
    process.send_signal(signal.SIGKILL)


async def test_what_has_ended_meanwhile_is_told_at_once(servers: Servers) -> None:
    server = await servers.ready()
    process = await server.fork(servers.launch("pass"))
    assert await process.exited() == 0
    assert await process.exited() == 0
    process.close()
    process.close()


async def test_a_folder_that_is_not_there_is_a_reason(servers: Servers) -> None:
    server = await servers.ready()
    with pytest.raises(Unforkable, match=r"could not be forked.*No such file.*/not/there"):
        await server.fork(servers.launch("pass", cwd="/not/there"))
    assert await status_of(await server.fork(servers.launch("pass"))) == 0


async def test_an_environment_that_is_too_large_is_a_reason(servers: Servers) -> None:
    server = await servers.ready()
    with pytest.raises(Unforkable, match=r"cannot be asked: .*Message too long"):
        await server.fork(servers.launch("pass", env={"LARGE": "x" * (4 << 20)}))
    assert await status_of(await server.fork(servers.launch("pass"))) == 0


async def test_a_server_that_hangs_is_killed_and_nothing_of_it_is_left(
    servers: Servers, tmp_path: Path
) -> None:
    server = await servers.ready()
    living = await server.fork(servers.launch(SLEEP))
    server._times = ForkTimes(answer_within=0.2)
    os.kill(server.pid, signal.SIGSTOP)
    file = tmp_path / "ran"
    with pytest.raises(Unforkable, match=r"did not answer within 0\.2 s"):
        await server.fork(servers.launch(f"open({str(file)!r}, 'w')"))
    await server.ended()
    assert not server.is_serving
    assert not file.exists()
    assert not living.is_gone
    living.send_signal(signal.SIGKILL)
    # Nobody is there to tell how.
    assert await status_of(living) is None


async def test_a_server_that_is_killed_before_its_answer_is_a_reason(servers: Servers) -> None:
    server = await servers.ready()
    os.kill(server.pid, signal.SIGSTOP)
    asking = asyncio.create_task(server.fork(servers.launch("pass")))
    await turn()
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(Unforkable, match="ended with status -9"):
        await asking
    with pytest.raises(Unforkable, match="cannot be asked"):
        await server.fork(servers.launch("pass"))


async def test_who_is_forked_for_nobody_ends_before_it_begins(servers: Servers, tmp_path: Path) -> None:
    server = await servers.ready()
    file = tmp_path / "ran"
    os.kill(server.pid, signal.SIGSTOP)
    asking = asyncio.create_task(server.fork(servers.launch(f"open({str(file)!r}, 'w')")))
    await turn()
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()
    os.kill(server.pid, signal.SIGCONT)
    # It goes on, and the other's end is told after this one's answer.
    assert await status_of(await server.fork(servers.launch("pass"))) == 0
    await until_gone(*psutil.Process(server.pid).children())
    assert not file.exists()


async def test_kernels_live_on_when_their_server_is_killed(servers: Servers) -> None:
    server = await servers.ready()
    process = await server.fork(servers.launch(SLEEP))
    os.kill(server.pid, signal.SIGKILL)
    await server.ended()
    assert not process.is_gone
    process.send_signal(signal.SIGKILL)
    assert await status_of(process) is None


async def test_closing_takes_no_kernel_with_it(servers: Servers) -> None:
    server = await servers.ready()
    process = await server.fork(servers.launch(SLEEP))
    await server.close()
    await server.close()
    assert not process.is_gone
    process.send_signal(signal.SIGKILL)
    assert await status_of(process) is None


async def test_a_server_that_does_not_leave_is_killed(servers: Servers) -> None:
    server = await servers.ready()
    process = psutil.Process(server.pid)
    process.suspend()
    await server.close()
    assert not process.is_running()


async def test_it_leaves_when_nobody_has_asked_for_long(servers: Servers) -> None:
    server = await servers.ready(times=ForkTimes(idle_after=0.05))
    async with asyncio.timeout(DEADLINE):
        await server.ended()
    assert not server.is_serving


async def test_it_stays_while_it_has_a_kernel(servers: Servers) -> None:
    server = await servers.ready()
    process = await server.fork(servers.launch(SLEEP))
    server.retire()
    assert not server.is_serving
    assert psutil.pid_exists(server.pid)
    process.send_signal(signal.SIGKILL)
    assert await status_of(process) == -9
    async with asyncio.timeout(DEADLINE):
        await server.ended()


# Its environment


def touch_later(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "upgraded": lambda folder: (folder / "ipykernel" / "kernelapp.py").write_text("VERSION = 2"),
    "touched": lambda folder: touch_later(folder / "ipykernel" / "__init__.py"),
    "removed": lambda folder: (folder / "ipykernel" / "__init__.py").unlink(),
    "added": lambda folder: (folder / "another.py").touch(),
    "a path file": lambda folder: (folder / "a.pth").write_text("/usr"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_an_environment_that_changes_makes_it_stale(
    servers: Servers, modules: Path, change: str
) -> None:
    (modules / "a.pth").write_text("")
    server = await servers.ready()
    process = await server.fork(servers.launch("pass"))
    assert await status_of(process) == 0
    CHANGES[change](modules)
    with pytest.raises(Stale, match=str(modules)):
        await server.fork(servers.launch("pass"))
    async with asyncio.timeout(DEADLINE):
        await server.ended()


async def test_what_cannot_start_says_why(servers: Servers, modules: Path) -> None:
    (modules / "ipykernel" / "kernelapp.py").write_text("import nothing_like_it")
    with pytest.raises(Unforkable, match=r"ended with status 1: Module.*'nothing_like_it'"):
        await servers.ready()


async def test_what_does_not_get_ready_is_killed(servers: Servers, modules: Path) -> None:
    (modules / "ipykernel" / "kernelapp.py").write_text(SLEEP)
    server = servers.new(times=ForkTimes(ready_within=0.2))
    with pytest.raises(Unforkable, match=r"was not ready within 0\.2 s"):
        await server.ready()
    await server.ended()


async def test_what_imports_look_up_is_told(servers: Servers, modules: Path) -> None:
    text = (
        "import os; os.environ.get('ONE'); 'TWO' in os.environ; os.getenv('THREE'); dict(os.environ.copy())"
    )
    (modules / "ipykernel" / "kernelapp.py").write_text(text.rpartition(";")[0])
    ready = await servers.new().ready()
    assert {"ONE", "TWO", "THREE"} <= ready.reads
    assert "USER" not in ready.reads


async def test_what_imports_do_to_variables_they_do_in_each_kernel(servers: Servers, modules: Path) -> None:
    text = "import os; os.environ['ADDED'] = 'x'; os.environ.pop('GONE', None)"
    (modules / "ipykernel" / "kernelapp.py").write_text(text)
    server = await servers.ready(GONE="1")
    env = {"GONE": "1", "PYTHONPATH": str(modules)}
    code = "import os; print(os.environ.get('ADDED'), os.environ.get('GONE'))"
    assert await status_of(await server.fork(servers.launch(code, env=env))) == 0
    assert servers.words() == "x None\n"


# Modules that are asked for


async def test_a_module_is_preloaded(servers: Servers, modules: Path) -> None:
    (modules / "large.py").write_text("import os; made_in = os.getpid()")
    server = await servers.ready(preload=("large",))
    code = "import os, large; print(os.getppid() == large.made_in)"
    assert await status_of(await server.fork(servers.launch(code))) == 0
    assert servers.words() == "True\n"


async def test_a_module_that_cannot_be_imported_is_named(servers: Servers, modules: Path) -> None:
    (modules / "broken.py").write_text("raise ValueError('no licence')")
    ready = await servers.new(preload=("broken", "missing")).ready()
    assert ready.failed == {
        "broken": "ValueError: no licence",
        "missing": "ModuleNotFoundError: No module named 'missing'",
    }


THREADS = """
import threading
event = threading.Event()
thread = threading.Thread(target=event.wait, daemon=True)
thread.start()
"""

SHY = "import os\ndef stop():\n    event.set(); thread.join()\nos.register_at_fork(before=stop)"


async def test_a_module_that_starts_threads_is_named(servers: Servers, modules: Path) -> None:
    (modules / "threads.py").write_text(THREADS)
    server = servers.new(preload=("json", "threads"))
    with pytest.raises(StartsThreads) as raised:
        await server.ready()
    assert raised.value.module == "threads"
    await server.ended()


async def test_threads_that_end_before_a_fork_are_no_harm(servers: Servers, modules: Path) -> None:
    (modules / "shy.py").write_text(THREADS + SHY)
    server = await servers.ready(preload=("shy",))
    assert await status_of(await server.fork(servers.launch("import shy; assert shy.event.is_set()"))) == 0


async def test_an_environment_that_starts_threads_has_no_server(servers: Servers, modules: Path) -> None:
    (modules / "ipykernel" / "kernelapp.py").write_text(THREADS)
    with pytest.raises(StartsThreads, match="its environment starts threads") as raised:
        await servers.ready()
    assert raised.value.module == ""
