"""What is left of a host that was killed with SIGKILL: nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.host.specs import Specs

from kernelway.host import guard_process

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


@pytest.mark.parametrize(
    ("lines", "groups"),
    [
        ([], set()),
        (["+12\n", "+345\n"], {12, 345}),
        (["+12\n", "-12\n"], set()),
        (["-12\n", "+12\n", "+12\n"], {12}),
        (["+12\n", "-12\n", "+12"], {12}),
        (["\n", "+\n", "12\n", "+x\n", "+-1\n", "+1.5\n"], set()),
    ],
)
def test_the_groups_at_the_end_of_the_lines(lines: list[str], groups: set[int]) -> None:
    assert guard_process.noted_groups(lines) == groups


@contextmanager
def marked(marker: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has written a line, and so has its environment; killed at the end."""
    name, _, value = marker.partition("=")
    environ = {**os.environ, name: value}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


SLEEPING = ["sh", "-c", "echo; exec sleep 600"]


def test_only_what_carries_the_whole_marker_is_found() -> None:
    marker = f"GUARD_TEST={uuid.uuid4().hex}"
    with marked(marker, SLEEPING) as ours, marked(f"{marker}x", SLEEPING) as other:
        assert guard_process.marked_processes(marker) == {ours.pid}
        guard_process.kill_marked(marker)
        assert ours.wait(DEADLINE) == -signal.SIGKILL
        assert other.poll() is None


def test_what_forks_while_it_is_hunted_ends_too() -> None:
    marker = f"GUARD_TEST={uuid.uuid4().hex}"
    script = "while :; do (sleep 600 &); echo; sleep 0.01; done"
    with marked(marker, ["setsid", "sh", "-c", script]) as forking:
        assert forking.stdout is not None
        for _ in range(5):
            forking.stdout.readline()
        guard_process.kill_marked(marker)
        assert forking.wait(DEADLINE) is not None
    assert guard_process.marked_processes(marker) == set()


def test_killing_nobody_is_no_error() -> None:
    assert not guard_process.kill(os.killpg, 1 << 22)
    assert not guard_process.kill(os.kill, 1 << 22)
    guard_process.kill_marked(f"GUARD_TEST={uuid.uuid4().hex}")


def test_a_folder_is_removed_and_what_its_links_lead_to_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "deep" / "file").write_text("gone")
    other.mkdir()
    (other / "file").write_text("kept")
    (folder / "to a folder").symlink_to(other)
    (folder / "deep" / "to a file").symlink_to(other / "file")
    (folder / "to nothing").symlink_to(tmp_path / "nothing")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        monkeypatch.chdir(folder)
        listener.bind("socket")
    monkeypatch.undo()
    guard_process.remove(str(folder))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "other"]


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    guard_process.remove(str(tmp_path / "nothing"))


@pytest.fixture
def doomed(specs: Specs) -> Iterator[subprocess.Popen[str]]:
    specs.add_bash()
    folder = tempfile.mkdtemp(prefix="h-", dir=os.environ["XDG_RUNTIME_DIR"])
    command = [sys.executable, "-m", "tests.host.doomed_host", folder]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def test_kill_9_leaves_no_kernel_no_grandchild_and_no_file(doomed: subprocess.Popen[str]) -> None:
    assert doomed.stdout is not None
    report = json.loads(doomed.stdout.readline())
    processes = [psutil.Process(pid) for pid in report["pids"]]
    # Three kernels with two children each, one that nobody had asked for, and what forked two of them.
    assert len(processes) == 11
    assert all(process.is_running() for process in processes)
    guard, folder = psutil.Process(report["guard"]), Path(report["folder"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 4
    doomed.kill()
    _, alive = psutil.wait_procs([*processes, guard], timeout=30)
    assert not alive
    assert not folder.exists()
