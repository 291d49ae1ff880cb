"""``kernelway interrupt``, ``restart`` and ``shutdown``."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.conftest import Home, Served
from tests.cli.console import console, kernelway
from tests.support.stock import jupyter_server_in


def kernel_of(home: Home, name: str) -> str:
    listed = json.loads(kernelway("sessions", "--on", "gpu", "--json", environ=home.environ).stdout)
    (kernel,) = (each["kernel"] for each in listed if each["name"] == name)
    return str(kernel)


def test_one_kernel_wherever_it_runs(home: Home, served: Served) -> None:
    home.save(dead={"baseUrl": "http://127.0.0.1:9"}, gpu=served.options)
    home.write("slow.py", "x = 1\nimport time; print('ready', x); time.sleep(60)\n")
    with console("run", "slow.py", "--on", "gpu", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ ready 1")
        interrupted = kernelway("interrupt", "slow.py", environ=home.environ)
        assert interrupted.stdout == "Interrupted slow.py (python3) on gpu.\n"
        assert shown.wait() == 1
    assert re.search(r"\[✗ KeyboardInterrupt\]", shown.screen.text)
    kernel = kernel_of(home, "slow.py")
    restarted = kernelway("restart", kernel[:10], environ=home.environ)
    assert restarted.stdout == "Restarted slow.py (python3) on gpu.\n"
    after = kernelway("exec", "'x' in globals()", "--on", "gpu", "--session", kernel, environ=home.environ)
    assert after.stdout == "False\n", after.stderr
    ended = kernelway("shutdown", kernel, "--on", "gpu", environ=home.environ)
    assert ended.stdout == "Shut down slow.py (python3) on gpu.\n"
    gone = kernelway("shutdown", kernel, environ=home.environ)
    assert gone.returncode == 1
    assert f"There is no {kernel!r}: nothing runs there.\n" in gone.stderr
    assert "dead did not tell: Nobody listens at http://127.0.0.1:9" in gone.stderr


def test_a_kernel_that_is_dead_can_be_shut_down(home: Home, served: Served) -> None:
    home.save(gpu=served.options)
    home.write("die.py", "import os\nos.kill(os.getpid(), 9)\n")
    done = kernelway("run", "die.py", "--on", "gpu", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    ended = kernelway("shutdown", "die.py", environ=home.environ)
    assert ended.returncode == 0, ended.stderr


def test_a_jupyter_server(home: Home, tmp_path: Path) -> None:
    with jupyter_server_in(tmp_path / "stock", base_path="/deep") as stock:
        home.save(gpu={"baseUrl": stock.base_url, "token": stock.token})
        home.write("a.py", "x = 1\nx + 1\n")
        for expected in ("Started a.py (python3) on gpu", "Joined a.py (python3) on gpu"):
            done = kernelway("run", "a.py", "--on", "gpu", environ=home.environ, cwd=home.work)
            assert "[2]" in done.stdout
            assert done.stderr.startswith(expected)
        for action, words in (
            ("interrupt", "Interrupted"),
            ("restart", "Restarted"),
            ("shutdown", "Shut down"),
        ):
            acted = kernelway(action, "a.py", environ=home.environ)
            assert acted.stdout == f"{words} a.py (python3) on gpu.\n", acted.stderr
        assert json.loads(kernelway("sessions", "--on", "gpu", "--json", environ=home.environ).stdout) == []
