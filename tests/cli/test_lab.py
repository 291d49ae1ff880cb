from __future__ import annotations

import json
import sys
import urllib.request

import psutil
import pytest
from tests.cli.conftest import Home
from tests.cli.console import kernelway
from tests.support.processes import Process, free_port, wait_for_listener

from kernelway.cli import lab
from kernelway.protocol.errors import ConfigError


def test_jupyterlab_runs_with_the_extension_for_this_run_only(gpu: Home) -> None:
    port = free_port()
    command = [
        *(sys.executable, "-m", "kernelway", "lab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--ServerApp.port_retries=0", "--IdentityProvider.token=secret", "-y"),
    ]
    with Process(command, ready="is running at", environ=gpu.environ, folder=gpu.work) as process:
        wait_for_listener(port)

        def get(path: str) -> bytes:
            url = f"http://127.0.0.1:{port}/{path}"
            request = urllib.request.Request(url, headers={"Authorization": "token secret"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                body: bytes = answer.read()
                return body

        assert set(json.loads(get("api/kernelspecs"))["kernelspecs"]) >= {"python3", "python3.gpu"}
        assert b'"name": "kernelway"' in get("lab")
        assert get("lab/extensions/kernelway/static/remoteEntry.js")
        # It is JupyterLab itself: a signal that this process gets is not passed on by anybody.
        assert "jupyterlab" in " ".join(process_line(process.pid))
    status = kernelway("jupyter", "status", environ=gpu.environ)
    assert "not enabled" in status.stdout


def process_line(pid: int) -> list[str]:
    return list(psutil.Process(pid).cmdline())


def test_all_arguments_are_jupyterlabs() -> None:
    command = lab.command_of(["--help-all", "-y", "--", "x"])
    assert command[1:3] == ["-m", "jupyterlab"]
    assert command[3:7] == ["--help-all", "-y", "--", "x"]


def test_the_help_is_our_own(home: Home) -> None:
    for flag in ("--help", "-h"):
        helped = kernelway("lab", flag, environ=home.environ)
        assert helped.returncode == 0
        assert "for this run only" in helped.stdout


def test_without_jupyterlab_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "_NEEDED", ("jupyterlab", "not_here_at_all"))
    with pytest.raises(ConfigError, match=r"not_here_at_all .*pip install 'kernelway\[jupyter\]' jupyterlab"):
        lab.command_of([])
