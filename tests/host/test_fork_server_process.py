"""The file that runs on a kernel's own Python: what it may use, and what it does inside of one process."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernelway.host import fork_server_process
from kernelway.host.fork_server_process import Watch, started_with, state

FILE = Path(fork_server_process.__file__)


def test_the_file_is_python_3_9_and_needs_the_standard_library_alone() -> None:
    tree = ast.parse(FILE.read_text(), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
        if name is not None
    }
    assert imported <= sys.stdlib_module_names
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))


def test_no_file_beside_it_is_taken_for_a_module_of_python() -> None:
    # Its folder is where its Python looks first, until it has run its first lines.
    beside = {path.stem for path in FILE.parent.iterdir()}
    assert not beside & sys.stdlib_module_names


def run(code: str, *words: str, **environ: str) -> str:
    """What code prints that runs beside the file, in a Python of its own."""
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FILE.parent), **environ}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(
        command, env=variables, capture_output=True, text=True, check=True, timeout=60
    ).stdout


SHOW = """
import json
import fork_server_process
from fork_server_process import *
child = Child.__new__(Child)
child.argv, child.environ, child.mark = ["a", "b c", ""], {"X": "é=1", "MARK": "22"}, "MARK=22"
DO
words = [open("/proc/self/" + name, "rb").read().decode() for name in ("cmdline", "environ")]
print(json.dumps(words))
"""


def showing(do: str) -> str:
    """Code that does this and prints what the system shows of it."""
    return SHOW.replace("DO", do)


def test_the_system_shows_the_command_and_the_variables_of_a_kernel() -> None:
    command, variables = json.loads(run(showing("show(child)"), "x" * 1000, MARK="0" * 64))
    assert command == "a\0b c\0\0"
    assert variables == "X=é=1\0MARK=22\0"


def test_where_it_cannot_be_told_they_are_written_over() -> None:
    do = "fork_server_process.point_at = lambda *_: False; show(child)"
    command, variables = json.loads(run(showing(do), "x" * 1000, MARK="0" * 64, OTHER="1"))
    assert command.rstrip("\0") == "a\0b c" or command.startswith("a\0b c\0\0")
    assert "MARK=22\0" in variables
    assert "OTHER=1\0" in variables


def test_what_is_too_long_to_be_written_over_is_cut() -> None:
    do = "overwrite(b'long' * 1000 + bytes(1), b'MARK=' + b'1' * 100)"
    command, variables = json.loads(run(showing(do), MARK="0" * 64, OTHER="1"))
    assert set(command) == {*"long\0"}
    assert f"MARK={'1' * 64}\0" in variables
    assert "OTHER=1\0" in variables


def test_the_variables_that_a_process_was_given_are_known() -> None:
    code = "import os, fork_server_process as f; os.environ['LATE'] = '1'; print('LATE' in f.started_with())"
    assert run(code) == "False\n"
    assert "PATH" in started_with()


@pytest.mark.parametrize("thing", ["file", "folder", "missing"])
def test_a_watch_sees_what_changes(thing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = tmp_path / "a.py", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    watched = [str(file), str(folder), str(tmp_path / "missing")]
    monkeypatch.setattr(fork_server_process, "watched", lambda: iter(watched))
    watch = Watch()
    assert watch.changed() is None
    assert watch.changed() is None
    match thing:
        case "file":
            file.write_text("x")
        case "folder":
            (folder / "new").touch()
        case _:
            (tmp_path / "missing").touch()
    assert Path(watch.changed() or "").stem == {"file": "a"}.get(thing, thing)


def test_what_is_not_there_has_a_state_of_its_own(tmp_path: Path) -> None:
    assert state(str(tmp_path / "a")) == state(str(tmp_path / "b")) != state(str(tmp_path))
