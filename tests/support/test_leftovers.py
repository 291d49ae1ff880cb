"""The check that every test goes through finds what it is there to find."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

from tests.support.leftovers import Leftovers


def since(before: Leftovers, folder: Path) -> Leftovers:
    return Leftovers.now(folder) - before


def test_nothing_new_is_nothing(tmp_path: Path) -> None:
    before = Leftovers.now(tmp_path)
    assert since(before, tmp_path) == Leftovers()
    assert Leftovers().complaints() == []


def test_a_process_is_found_and_waited_for(tmp_path: Path) -> None:
    before = Leftovers.now(tmp_path)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        found = since(before, tmp_path)
        assert [each.pid for each in found.processes] == [process.pid]
        assert f"process {process.pid}: cat" in found.complaints()
        process.kill()
        found.wait()
    assert since(before, tmp_path) == Leftovers()


def test_a_process_that_is_nobodys_child_any_more_is_found_by_its_mark(tmp_path: Path) -> None:
    before = Leftovers.now(tmp_path)
    reading, writing = os.pipe()
    # The shell leaves behind what reads from the pipe, and so ends when the pipe does.
    subprocess.run(["sh", "-c", "exec 3<&0; cat <&3 &"], stdin=reading, check=True)
    os.close(reading)
    found = since(before, tmp_path)
    assert len(found.processes) == 1
    assert all(each.ppid() != os.getpid() for each in found.processes)
    os.close(writing)
    found.wait()
    assert since(before, tmp_path).processes == frozenset()


def test_threads_descriptors_and_files_are_found(tmp_path: Path) -> None:
    before = Leftovers.now(tmp_path)
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, args=(30,), name="lasting")
    thread.start()
    with socket.socket() as open_socket:
        (tmp_path / "s").touch()
        found = since(before, tmp_path)
        assert found.threads == {thread}
        assert [number for number, _ in found.descriptors] == [open_socket.fileno()]
        assert found.files == {tmp_path / "s"}
        assert [line.split()[0] for line in found.complaints()] == ["thread", "descriptor", "file"]
    go_on.set()
    found.wait()
    (tmp_path / "s").unlink()
    assert since(before, tmp_path) == Leftovers()


def test_what_is_shared_is_left_out(tmp_path: Path) -> None:
    before = Leftovers.now(tmp_path)
    (tmp_path / "shared").touch()
    shared = since(before, tmp_path)
    (tmp_path / "own").touch()
    assert (since(before, tmp_path) - (Leftovers() | shared)).files == {tmp_path / "own"}
