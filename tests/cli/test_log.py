"""``kernelway log`` with real kernels, that run or have ended."""

from __future__ import annotations

import json
import re

from tests.cli.conftest import Home, end, log_of
from tests.cli.console import console, kernelway


def test_what_has_ended_can_be_read(gpu: Home) -> None:
    gpu.write("over.py", "print('still here')\n")
    for _ in range(2):
        done = kernelway("run", "over.py", "--on", "gpu", environ=gpu.environ, cwd=gpu.work)
        assert done.returncode == 0, done.stderr
        end("over.py", gpu)
    log = kernelway("log", "over.py", environ=gpu.environ, cwd=gpu.work)
    assert re.search(r"over\.py:1 +\[still here\]", log.stdout)
    assert "── The kernel ended. ──" in log.stdout
    assert "ended at" in log.stderr
    attached = kernelway("attach", "over.py", environ=gpu.environ, cwd=gpu.work)
    assert attached.returncode == 0
    assert re.search(r"print\('still here'\) +\[still here\]", attached.stdout)
    assert "It was shut down." in attached.stderr
    listed = json.loads(kernelway("sessions", "--on", "gpu", "--json", environ=gpu.environ).stdout)
    both = [each for each in listed if each["name"] == "over.py"]
    assert len(both) == 2
    for each in both:
        for handle in (each["session"], each["kernel"], each["kernel"][:12], each["path"]):
            assert log_of(handle, gpu)
    assert log_of("over.py", gpu)[0] == log_of(both[0]["kernel"], gpu)[0], "a name means the latest"
    nothing = kernelway("log", "nobody.py", environ=gpu.environ)
    assert nothing.returncode == 1
    assert "over.py (python3 on gpu, ended " in nothing.stderr


def test_only_what_came_after_a_moment(gpu: Home) -> None:
    gpu.write("since.py", "print('old')\n")
    for code in (("run", "since.py"), ("exec", "print('new')", "--session", "since.py")):
        done = kernelway(*code, "--on", "gpu", environ=gpu.environ, cwd=gpu.work)
        assert done.returncode == 0, done.stderr
    entries = log_of("since.py", gpu)
    began = next(entry for entry in entries if entry["content"].get("code") == "print('new')")
    late = log_of("since.py", gpu, "--since", began["time"])
    assert late[0]["position"] == began["position"]
    text = kernelway("log", "since.py", "--since", began["time"], environ=gpu.environ).stdout
    assert "new" in text
    assert "old" not in text
    assert log_of("since.py", gpu, "--since", "2999-01-01") == []
    wrong = kernelway("log", "since.py", "--since", "soon", environ=gpu.environ)
    assert wrong.stderr.startswith("kernelway: 'soon' is no time: say how long ago")
    end("since.py", gpu)


def test_a_log_that_is_followed(gpu: Home) -> None:
    gpu.write("first.py", "print('before')\n")
    started = kernelway("run", "first.py", "--on", "gpu", environ=gpu.environ, cwd=gpu.work)
    assert started.returncode == 0, started.stderr
    with console("log", "first.py", "-f", environ=gpu.environ, cwd=gpu.work) as shown:
        shown.until(lambda screen: re.search(r"first\.py:1 +\[before\]", screen.text))
        done = kernelway(
            "exec", "print('after')", "--on", "gpu", "--session", "first.py", environ=gpu.environ
        )
        assert done.returncode == 0, done.stderr
        shown.until(lambda screen: re.search(r"print\('after'\) +\[after\]", screen.text))
        end("first.py", gpu)
        assert shown.wait() == 0


def test_the_log_of_a_gateway_of_this_machine_that_has_stopped(home: Home) -> None:
    home.write("here.py", "print('kept')\n")
    done = kernelway("exec", "print('kept')", "--session", "train", environ=home.environ, cwd=home.work)
    assert done.returncode == 0, done.stderr
    stopped = kernelway("stop", environ=home.environ)
    assert stopped.returncode == 0, stopped.stderr
    log = kernelway("log", "train", environ=home.environ)
    assert re.search(r"print\('kept'\) +\[kept\]", log.stdout), log.stderr
    assert "The host was stopped." in log.stderr
