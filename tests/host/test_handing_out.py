"""Kernels that waited, beside kernels that were just started: whether anything tells them apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.host.runs import DEADLINE, Lives, attach
from tests.host.specs import IPC, Specs
from tests.host.talk import hosting
from tests.support.processes import until

from kernelway.host import warm as warm_module
from kernelway.host.kernel import Kernel
from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.host.pool_rules import acts_at_start
from kernelway.host.warm import Warm
from kernelway.protocol.errors import KernelError, KernelStartFailed
from kernelway.protocol.models import ExecutionState, StartKernel

PROBE = """
import sys as _sys
_modules = sorted(_sys.modules)
import json as _json, os as _os, gc as _gc, asyncio as _asyncio, logging as _logging, signal as _signal
import threading as _threading, warnings as _warnings
def _probe():
    shell = get_ipython()
    app = shell.parent.parent
    told = dict(
        arguments=[part for part in _sys.argv if "k.json" not in part],
        attributes=sorted(vars(app)),
        caches=sorted(shell.compile._filename_map.values()),
        count=shell.execution_count,
        cwd=_os.getcwd(),
        dh=[repr(each) for each in _dh],
        environ=dict(_os.environ),
        group=_os.getpgid(0) == _os.getpid() == _os.getsid(0),
        handlers=[str(_signal.getsignal(each)) for each in (_signal.SIGINT, _signal.SIGTERM)],
        hidden=sorted(shell.user_ns_hidden),
        inputs=In, outputs=Out,
        kernel=sorted(vars(shell.kernel)),
        level=_logging.getLogger().level,
        mask=sorted(_signal.pthread_sigmask(_signal.SIG_BLOCK, ())),
        modules=_modules,
        names=sorted(globals()),
        path=_sys.path,
        shell=sorted(vars(shell)),
        starting=shell.starting_dir,
        threads=sorted(thread.name for thread in _threading.enumerate()),
        umask=_os.umask(0o77),
        warnings=[repr(each) for each in _warnings.filters],
    )
    return told
print(_json.dumps(_probe(), default=repr))
"""

ONLY_MARKED = {"KERNELWAY_KERNEL_ID", "JPY_PARENT_PID"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    return folder


async def waiting(lives: Lives, name: str = "python3") -> Warm:
    """A kernel that waits; whoever asks for it has to end it."""
    spec = await LocalKernelSpecs().find(name)
    warm = Warm(name, spec, lives.surroundings, home=Path("/tmp"))
    try:
        await warm.get_ready()
    except BaseException:
        await warm.end()
        raise
    return warm


async def handed_out(lives: Lives, name: str = "python3", **order: Any) -> Kernel:
    """A kernel that waited and was asked for."""
    warm = await waiting(lives, name)
    kernel = await lives.started(name, warm=warm, **order)
    assert kernel.run is warm.run
    return kernel


async def told(kernel: Kernel) -> dict[str, Any]:
    """What the kernel says of itself, in what it runs first."""
    told: dict[str, Any] = json.loads((await attach(kernel).run(PROBE)).text)
    told["environ"] = {name: told["environ"][name] for name in {*told["environ"]} - ONLY_MARKED}
    return told


async def test_a_kernel_that_waited_cannot_be_told_from_one_that_was_just_started(
    lives: Lives, folder: Path
) -> None:
    order = {"cwd": folder, "env": {"GREETING": "hello", "JPY_SESSION_NAME": "/a/notebook.ipynb"}}
    plain = await told(await lives.started("python3", **order))
    warm = await told(await handed_out(lives, **order))
    assert warm["cwd"] == str(folder)
    assert warm["environ"]["GREETING"] == "hello"
    for aspect in plain:
        assert warm[aspect] == plain[aspect], aspect


async def test_neither_can_one_that_was_forked_and_waited(folder: Path) -> None:
    request = StartKernel(name="python3", path=str(folder), env={"GREETING": "hello"})
    async with hosting() as host:
        plain = await told(host._kernels.get((await host.start_kernel(request)).id))
    async with hosting(fork=True, warm=1, default_kernel="python3") as host:
        host._pool._rules = replace(host._pool._rules, has_memory=lambda: True)

        async def one_waits() -> bool:
            return host._pool.ready == 1

        await until(one_waits, deadline=DEADLINE)
        [waiting] = [warm for shelf in host._pool._shelves.values() for warm in shelf.kernels]
        assert host._forks is not None
        # All that was looked up while the modules were imported is known to act at the start.
        assert [name for name in sorted(host._forks.reads) if not acts_at_start(name)] == []
        assert waiting.obstacle(folder, {"TERM": "dumb"}) is not None
        warm = await told(host._kernels.get((await host.start_kernel(request)).id))
    assert warm["environ"].pop("KERNELWAY_HOST") != plain["environ"].pop("KERNELWAY_HOST")
    # What watches for the end of its parent has another name there, since its parent is the fork server.
    for aspect in plain.keys() - {"threads"}:
        assert warm[aspect] == plain[aspect], aspect


NOTE_LOOKUPS = """
import os

class NotedEnviron(type(os.environ)):
    noted = set()

    def __getitem__(self, name):
        self.noted.add(name)
        return super().__getitem__(name)

os.environ.__class__ = NotedEnviron
"""


async def test_whatever_a_kernel_looks_up_before_it_is_ready_is_known_to_act_at_its_start(
    lives: Lives, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOTE_LOOKUPS)
    kernel = await lives.started("python3", env={"PYTHONPATH": str(tmp_path)})
    looked_up = (await attach(kernel).run("import os; print(*os.environ.noted)")).text.split()
    assert "JPY_SESSION_NAME" in looked_up
    assert [name for name in looked_up if not acts_at_start(name)] == []


async def test_nobody_hears_of_the_wait(lives: Lives, folder: Path) -> None:
    kernel = await handed_out(lives, cwd=folder)
    talk = attach(kernel, replay_all=True, requests=True)
    assert kernel.model().execution_state is ExecutionState.IDLE
    ran = await talk.run("1 + 1")
    assert ran.reply.execution_count == 1
    asked = {message.read_parent_header().msg_id for message in talk.heard}
    assert asked == {request.read_header().msg_id for request in talk.requests}
    assert len(talk.requests) == 1


async def test_what_a_kernel_published_while_it_waited_is_nobodys(lives: Lives, profile: Path) -> None:
    (profile / "startup" / "greet.py").write_text("print('Good morning.')")
    lives.surroundings = replace(lives.surroundings, environ=dict(os.environ))
    kernel = await handed_out(lives, cwd=Path("/tmp"))
    talk = attach(kernel, replay_all=True)
    assert (await talk.run("print('Good evening.')")).text == "Good evening.\n"
    assert "Good morning" not in str([message.read_content() for message in talk.heard])


# Its history

NUMBER = "print(get_ipython().history_manager.session_number)"


async def number_of(kernel: Kernel) -> int:
    """The number of its session in IPython's history."""
    return int((await attach(kernel).run(NUMBER)).text)


async def test_a_kernel_that_waits_has_no_place_in_the_history_of_others(lives: Lives) -> None:
    before = await lives.started("python3")
    warm = await waiting(lives)
    after = await lives.started("python3")
    try:
        assert await number_of(after) == await number_of(before) + 1
    finally:
        await warm.end()


async def test_the_history_of_a_kernel_that_waited_begins_when_it_is_asked_for(lives: Lives) -> None:
    warm = await waiting(lives)
    other = await lives.started("python3")
    await attach(other).run("what_another_ran = 1")
    await other.shutdown()
    asked_at = datetime.now(UTC)
    kernel = await lives.started("python3", warm=warm)
    talk = attach(kernel)
    assert (await talk.run("%history ~1/")).text.splitlines()[0] == "what_another_ran = 1"
    assert (await talk.run("%history")).text.splitlines() == ["%history ~1/", "%history"]
    began = await talk.run("print(get_ipython().history_manager.get_session_info()[1])")
    assert datetime.fromisoformat(began.text.strip()).astimezone(UTC) >= asked_at


# What is given to it


@pytest.mark.parametrize(
    "value", ["", "two words", 'it\'s "quoted"', "back\\slash\nnext {line} %s", "Grüße 🜚", "\udcff"]
)
async def test_a_variable_arrives_as_it_is(lives: Lives, value: str) -> None:
    kernel = await handed_out(lives, env={"GIVEN": value})
    ran = await attach(kernel).run("import os; print(ascii((os.environ['GIVEN'], os.environb[b'GIVEN'])))")
    assert ran.text.strip() == ascii((value, os.fsencode(value)))


async def test_its_own_processes_have_the_variables_and_the_folder(lives: Lives, folder: Path) -> None:
    kernel = await handed_out(lives, cwd=folder, env={"GIVEN": "here"})
    ran = await attach(kernel).run("import subprocess; print(subprocess.getoutput('echo $GIVEN; pwd'))")
    assert ran.text.split() == ["here", str(folder)]


async def test_modules_are_imported_from_its_folder(lives: Lives, folder: Path) -> None:
    (folder / "of_here.py").write_text("name = 'mine'")
    kernel = await handed_out(lives, cwd=folder)
    assert (await attach(kernel).run("import of_here; print(of_here.name)")).text == "mine\n"


async def test_a_folder_with_a_strange_name(lives: Lives, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s {a} "folder" \\ ü\udcff'
    folder.mkdir()
    kernel = await handed_out(lives, cwd=folder)
    assert (await attach(kernel).run("import os; print(ascii(os.getcwd()))")).text.strip() == ascii(
        str(folder)
    )


# What its profile runs


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """IPython's default profile, without anything in it."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    profile = tmp_path / "ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    return profile


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("startup/first.py", "x = 1"),
        ("startup/second.ipy", "%cd -q ."),
        ("ipython_config.py", "c = get_config()"),
        ("ipython_kernel_config.py", "c.IPKernelApp.exec_lines = ['x = 1']"),
        ("ipython_config.json", '{"InteractiveShellApp": {"extensions": ["autoreload"]}}'),
    ],
)
async def test_a_profile_that_runs_something_is_for_the_same_folder_and_variables_only(
    lives: Lives, profile: Path, file: str, text: str
) -> None:
    (profile / file).write_text(text)
    lives.surroundings = replace(lives.surroundings, environ=dict(os.environ))
    warm = await waiting(lives)
    try:
        assert warm.obstacle(Path("/tmp"), {}) is None
        assert "profile" in str(warm.obstacle(Path("/"), {}))
        assert "profile" in str(warm.obstacle(Path("/tmp"), {"GIVEN": "here"}))
    finally:
        await warm.end()


async def test_a_profile_that_runs_nothing_stands_in_nobodys_way(lives: Lives, profile: Path) -> None:
    (profile / "startup" / "README").write_text("Put your files here.")
    lives.surroundings = replace(lives.surroundings, environ=dict(os.environ))
    warm = await waiting(lives)
    try:
        assert warm.obstacle(Path("/"), {"GIVEN": "here"}) is None
    finally:
        await warm.end()


# Where it cannot be had


async def test_a_kernel_that_died_while_it_waited_is_started_afresh(
    lives: Lives, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warm = await waiting(lives)
    process = warm.run._local_process()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    kernel = await lives.started("python3", warm=warm, cwd=folder, env={"GIVEN": "here"})
    assert kernel.id == warm.id
    assert kernel.run is not warm.run
    assert "is started afresh" in caplog.text
    talk = attach(kernel)
    assert (await talk.run("import os; print(os.getcwd(), os.environ['GIVEN'])")).text == f"{folder} here\n"


async def test_a_kernel_that_does_not_answer_in_time_is_started_afresh(
    lives: Lives, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(warm_module, "_BECOMES_WITHIN", 0.05)
    warm = await waiting(lives)
    process = warm.run._local_process()
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    kernel = await lives.started("python3", warm=warm)
    assert "did not answer within 0.05 s" in caplog.text
    assert (await attach(kernel).run("1")).reply.execution_count == 1


async def test_a_kernel_whose_packages_changed_is_started_afresh(
    lives: Lives, specs: Specs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    [packages] = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    python = tmp_path / "venv" / "bin" / "python"
    specs.add("own", [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], metadata=IPC)
    warm = await waiting(lives, "own")
    (packages / "installed.py").write_text("version = 1")
    kernel = await lives.started("own", warm=warm)
    assert "its interpreter or its packages have changed" in caplog.text
    assert (await attach(kernel).run("import installed; print(installed.version)")).text == "1\n"


async def test_what_is_no_ipykernel_cannot_wait(lives: Lives) -> None:
    with pytest.raises(KernelError):
        await waiting(lives, "small")


async def test_a_shutdown_that_comes_before_the_start_ends_what_waited(lives: Lives) -> None:
    warm = await waiting(lives)
    kernel = lives.new("python3", warm=warm)
    await kernel.shutdown()
    await warm.run.exited()
    with pytest.raises(KernelStartFailed, match="was shut down"):
        await kernel.start()


async def test_a_kernel_that_waited_can_be_interrupted(lives: Lives) -> None:
    kernel = await handed_out(lives)
    talk = attach(kernel)
    request = await talk.execute("print('begun', flush=True)\nimport time\ntime.sleep(600)")
    assert await talk.hear_line() == "begun\n"
    await kernel.interrupt()
    assert (await talk.result(request)).error == "KeyboardInterrupt"


async def test_a_restart_is_an_ordinary_start_with_what_was_asked_for(lives: Lives, folder: Path) -> None:
    kernel = await handed_out(lives, cwd=folder, env={"GIVEN": "here"})
    await kernel.restart()
    code = "import os; print(os.getcwd(), os.environ['GIVEN'], os.environ['KERNELWAY_KERNEL_ID'])"
    assert (await attach(kernel).run(code)).text == f"{folder} here {kernel.id}\n"


async def test_a_kernel_that_waited_is_restarted_when_it_dies(lives: Lives, folder: Path) -> None:
    kernel = await handed_out(lives, cwd=folder)
    talk = attach(kernel)
    await talk.execute("import os; os._exit(3)")
    await talk.hear_status("restarting")
    assert (await talk.run("print(os.getcwd())")).error == "NameError"
    assert (await talk.run("import os; print(os.getcwd())")).text == f"{folder}\n"
