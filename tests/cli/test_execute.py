"""``kernelway exec`` with real kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Home, Served
from tests.cli.console import console, kernelway


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "status"),
    [
        ("1 + 1", "2\n", "", 0),
        ("print('a'); 'b'", "a\n'b'\n", "", 0),
        ("import sys; sys.stderr.write('warning')and None", "", "warning", 0),
        ("x = 1", "", "", 0),
        ("1 /\\\n 0", "", "<code>:1\n", 1),
    ],
)
def test_exec(home: Home, code: str, stdout: str, stderr: str, status: int) -> None:
    done = kernelway("exec", code, environ=home.environ)
    assert (done.returncode, done.stdout) == (status, stdout)
    assert stderr in done.stderr


def test_exec_reads_code_from_stdin(home: Home) -> None:
    done = kernelway("exec", "-", "--json", environ=home.environ, stdin="x = 20\nx + 1\n")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert got[0]["code"] == "x = 20\nx + 1\n"
    assert got[1]["data"] == {"text/plain": "21"}
    assert got[-1] == {"event": "end", "status": "ok", "ran": 1, "not_run": 0}


def test_a_kernel_of_the_commands_own_ends_with_it(home: Home, served: Served) -> None:
    home.save(gpu=served.options)
    done = kernelway("exec", "import os; os.getpid()", "--on", "gpu", environ=home.environ)
    assert done.returncode == 0, done.stderr
    sessions = kernelway("sessions", "--on", "gpu", "--json", environ=home.environ)
    assert [each for each in json.loads(sessions.stdout) if each["state"] != "ended"] == []
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


def test_a_file_that_is_here_and_not_there(home: Home, served: Served) -> None:
    home.save(gpu=served.options)
    home.write("data.csv", "")
    done = kernelway("exec", "open('data.csv')", "--on", "gpu", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert "data.csv is on this machine, and the kernel is elsewhere: on gpu." in done.stderr


@pytest.mark.parametrize(
    ("name", "meant"), [("gpx", "Did you mean 'gpu'?"), ("locla", "Did you mean 'local'?")]
)
def test_a_gateway_that_is_not_there(home: Home, name: str, meant: str) -> None:
    home.save(gpu={"baseUrl": "http://127.0.0.1:9"})
    done = kernelway("exec", "1", "--on", name, environ=home.environ)
    assert done.returncode == 1
    assert f"There is no gateway {name!r}. {meant}" in done.stderr


def test_a_gateway_that_does_not_answer(home: Home) -> None:
    home.save(gpu={"baseUrl": "http://127.0.0.1:9"})
    done = kernelway("exec", "1", "--on", "gpu", environ=home.environ)
    assert done.returncode == 1
    assert done.stderr.startswith("kernelway: Nobody listens at http://127.0.0.1:9")


def test_a_variable_that_is_not_set_here(home: Home) -> None:
    done = kernelway("exec", "1", "--env", "NOT_SET", environ=home.environ)
    assert done.returncode == 1
    assert "--env NOT_SET takes the variable from here, and it is not set" in done.stderr


def test_exec_shows_outputs_alone(home: Home) -> None:
    with console("exec", "print('a'); input('b? ')", environ=home.environ) as shown:
        shown.until_text("b?")
        shown.press("c\n")
        assert shown.wait() == 0
    assert shown.screen.lines == ["a", "b? c", "'c'"]
