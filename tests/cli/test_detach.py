"""``kernelway run --detach`` and ``attach`` with real kernels, and what every request tells of its code."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from tests.cli.conftest import Home, end, log_of
from tests.cli.console import console, kernelway
from tests.support.stock import jupyter_server_in

from kernelway.client.session import own_session_path

STEPS = """\
import pathlib, time
print("first")

def wait_for(name):
    while not pathlib.Path(name).exists():
        time.sleep(0.02)

wait_for("go")
print("second")
20 + 1
"""

EXITING = """\
import os, pathlib, time
while not pathlib.Path("go").exists():
    time.sleep(0.02)
os._exit(3)
"""

FAILING = """\
import pathlib, time
while not pathlib.Path("go").exists():
    time.sleep(0.02)
1 / 0
print("never")
"""


def test_a_run_that_nobody_waits_for(gpu: Home) -> None:
    gpu.write("steps.py", STEPS)
    run = ("run", "steps.py", "--detach", "--on", "gpu", "--cwd", str(gpu.work))
    done = kernelway(*run, environ=gpu.environ, cwd=gpu.work)
    assert done.returncode == 0
    assert "Started steps.py (python3) on gpu" in done.stderr
    assert "6 statements of steps.py run in the session steps.py on gpu now" in done.stderr
    assert "  kernelway attach steps.py --on gpu" in done.stderr
    assert "  kernelway log steps.py --on gpu" in done.stderr
    with console("attach", "steps.py", environ=gpu.environ, cwd=gpu.work) as shown:
        shown.until(lambda screen: re.search(r'wait_for\("go"\) +\[[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]', screen.text))
        assert re.search(r'print\("first"\) +\[first\]', shown.screen.text)
        (gpu.work / "go").touch()
        shown.until(lambda screen: re.search(r"20 \+ 1 +\[21\]", screen.text))
        shown.press("\x03")
        assert shown.wait() == 130
    assert "── steps.py, " in shown.screen.text
    assert "Attached to steps.py (python3) on gpu. Ctrl-C leaves, and it goes on." in shown.screen.text
    assert "Left. steps.py (python3) on gpu goes on: `kernelway attach steps.py" in shown.screen.text
    text = kernelway("log", "steps.py", environ=gpu.environ, cwd=gpu.work).stdout
    assert re.search(r"^[\d:]+  steps\.py:2 +\[first\]$", text, re.MULTILINE)
    assert re.search(r"^[\d:]+  steps\.py:4-6 +\[✓\]$", text, re.MULTILINE)
    assert re.search(r"^[\d:]+  steps\.py:10 +\[21\]$", text, re.MULTILINE)
    end("steps.py", gpu)


def test_every_request_tells_where_its_code_is_from(gpu: Home) -> None:
    gpu.write("two.py", "x = 1\n\nfor n in range(2):\n    x += n\n")
    done = kernelway("run", "two.py", "--on", "gpu", environ=gpu.environ, cwd=gpu.work)
    assert done.returncode == 0, done.stderr
    alone = kernelway("exec", "x", "--on", "gpu", "--session", "two.py", environ=gpu.environ)
    assert alone.stdout == "2\n"
    asked = [entry for entry in log_of("two.py", gpu) if entry["type"] == "execute_request"]
    assert [entry["content"]["code"] for entry in asked] == ["x = 1", "for n in range(2):\n    x += n", "x"]
    path = own_session_path(gpu.work / "two.py")
    sums = [hashlib.sha256(entry["content"]["code"].encode()).hexdigest() for entry in asked]
    assert [entry["metadata"]["kernelway"] for entry in asked] == [
        {"path": path, "range": [1, 1], "sha256": sums[0]},
        {"path": path, "range": [3, 4], "sha256": sums[1]},
        {"range": [1, 1], "sha256": sums[2]},
    ]
    end("two.py", gpu)


def test_after_a_failure_the_rest_is_not_run(gpu: Home) -> None:
    gpu.write("fail.py", FAILING)
    run = ("run", "fail.py", "--detach", "--on", "gpu", "--json", "--cwd", str(gpu.work))
    done = kernelway(*run, environ=gpu.environ, cwd=gpu.work)
    told = json.loads(done.stdout)
    (gpu.work / "go").touch()
    assert told | {"kernel": ""} == {
        "gateway": "gpu",
        "session": "fail.py",
        "kernel": "",
        "statements": 4,
        "kept": True,
    }
    with console("attach", "fail.py", environ=gpu.environ, cwd=gpu.work) as shown:
        shown.until(lambda screen: re.search(r'print\("never"\) +\[✗ not run\]', screen.text))
        assert re.search(r"1 / 0 +\[✗ ZeroDivisionError: division by zero\]", shown.screen.text)
        assert "fail.py:4" in shown.screen.text
        ended = kernelway("shutdown", "fail.py", environ=gpu.environ)
        assert ended.returncode == 0, ended.stderr
        assert shown.wait() == 0
    assert re.search(r"fail\.py \(python3\) on gpu ended at [\d:]+\. It was shut down\.", shown.screen.text)


def test_a_kernel_that_ends_while_somebody_watches(gpu: Home) -> None:
    gpu.write("exit.py", EXITING)
    run = ("run", "exit.py", "--detach", "--on", "gpu", "--cwd", str(gpu.work))
    done = kernelway(*run, environ=gpu.environ, cwd=gpu.work)
    assert done.returncode == 0, done.stderr
    with console("attach", "exit.py", environ=gpu.environ, cwd=gpu.work) as shown:
        (gpu.work / "go").touch()
        shown.until_text("── The kernel ended, and was started anew. ──")
        shown.press("\x03")
        assert shown.wait() == 130
    assert re.search(r"os\._exit\(3\) +\[✗ The kernel exited with status 3", shown.screen.text)
    end("exit.py", gpu)


def test_without_a_place_it_is_the_gateway_of_this_machine(home: Home) -> None:
    home.write("here.py", "import os\nos.getcwd()\n")
    done = kernelway("run", "here.py", "--detach", environ=home.environ, cwd=home.work)
    assert done.returncode == 0, done.stderr
    assert "2 statements of here.py run in the session here.py on local now" in done.stderr
    assert "  kernelway attach here.py " in done.stderr
    with console("attach", "here.py", environ=home.environ, cwd=home.work, columns=200) as shown:
        shown.until(lambda screen: f"'{home.work}'" in screen.text)
        shown.press("\x03")
        assert shown.wait() == 130
    end("here.py", home)


def test_nothing_to_hand_over(gpu: Home) -> None:
    gpu.write("empty.py", "# nothing\n")
    done = kernelway("run", "empty.py", "--detach", "--on", "gpu", environ=gpu.environ, cwd=gpu.work)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "There is no code to run in empty.py.\n"


def test_a_server_that_keeps_nothing(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "jupyter"
    folder.mkdir()
    with jupyter_server_in(folder) as stock:
        home.save(stock={"baseUrl": stock.base_url, "token": stock.token})
        home.write("a.py", "x = 20\n")
        done = kernelway("run", "a.py", "--detach", "--on", "stock", environ=home.environ, cwd=home.work)
        assert done.returncode == 0, done.stderr
        assert "stock keeps nothing of what is printed while nobody is attached." in done.stderr
        log = kernelway("log", "a.py", environ=home.environ)
        assert log.returncode == 1
        assert "keeps no journal" in log.stderr
        with console("attach", "a.py", environ=home.environ, cwd=home.work) as shown:
            shown.until_text("Ctrl-C leaves, and it goes on.")
            said = kernelway("exec", "x + 1", "--session", "a.py", "--on", "stock", environ=home.environ)
            assert said.stdout == "21\n", said.stderr
            shown.until(lambda screen: re.search(r"x \+ 1 +\[21\]", screen.text))
            shown.press("\x03")
            assert shown.wait() == 130
        assert "here is what comes from now on" in shown.screen.text
        end("a.py", home)


def test_a_failure_at_once_is_told_at_once(gpu: Home) -> None:
    gpu.write("early.py", "x = 0\n1 / x\n" + "".join(f"y{n} = {n}\n" for n in range(900)))
    done = kernelway("run", "early.py", "--detach", "--on", "gpu", environ=gpu.environ, cwd=gpu.work)
    assert done.returncode == 1
    assert "✗ Stopped at line 2 of early.py; 900 more statements were not run. ZeroDivision" in done.stderr
    assert "`kernelway log early.py --on gpu` shows it all." in done.stderr
    code = "[name for name in dir() if name[:1] == 'y']"
    ran = kernelway("exec", code, "--on", "gpu", "--session", "early.py", environ=gpu.environ)
    assert ran.stdout == "[]\n"
    end("early.py", gpu)


def test_more_statements_than_a_kernel_takes(gpu: Home) -> None:
    gpu.write("long.py", "x = 1\n" * 1001)
    done = kernelway("run", "long.py", "--detach", "--on", "gpu", environ=gpu.environ, cwd=gpu.work)
    assert done.returncode == 1
    assert "These are 1,001 statements, and a kernel can be handed 1,000 at a time" in done.stderr
