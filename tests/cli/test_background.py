"""``kernelway serve --background`` and ``kernelway stop``."""

from __future__ import annotations

import json
import os
import platform
import socket
import stat
import urllib.request
from pathlib import Path

import psutil
import pytest
from tests.cli.conftest import Home
from tests.cli.console import kernelway
from tests.test_settings import SAMPLES

from kernelway.cli import background
from kernelway.cli.main import main
from kernelway.host.processes import ProcessIdentity
from kernelway.host.state import Serving, StateFolder, note_state_folder, serving_from
from kernelway.protocol.errors import Conflict, NotFound
from kernelway.settings import ServeSettings, resolve

ENDS_WITHIN = 15.0


def test_it_outlives_its_starter_and_stop_ends_it(home: Home) -> None:
    environ = {
        **home.environ,
        "KERNELWAY_TOKEN": "s3cret-token",
        # As if it were started from a notebook: it must not end with that notebook's kernel.
        "KERNELWAY_KERNEL_ID": "somebody's",
        "KERNELWAY_HOST": "somebody's",
    }
    state = home.work / "state"
    flags = ("--port", "0", "--state-dir", "state", "--log-level", "debug", "--kernel-shutdown-wait", "2")
    started = kernelway("serve", "--background", *flags, environ=environ, cwd=home.work)
    assert started.returncode == 0, started.stderr
    assert "serves http://127.0.0.1:" in started.stdout
    assert f"Its state is kept in {state}\n" in started.stdout
    assert f"'kernelway stop --state-dir {state}' ends it" in started.stdout

    serving = serving_from(state)
    assert serving is not None
    gateway = psutil.Process(serving.process.pid)
    assert gateway.is_running()
    assert os.getsid(gateway.pid) == gateway.pid
    assert "s3cret-token" not in " ".join(gateway.cmdline())
    assert not {"KERNELWAY_KERNEL_ID", "KERNELWAY_HOST"} & gateway.environ().keys()

    request = urllib.request.Request(f"{serving.url}api/kernels?token=s3cret-token", b"{}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["name"] == "python3"
    kernels = gateway.children(recursive=True)
    assert kernels

    stopped = kernelway("stop", "--state-dir", "state", environ=environ, cwd=home.work)
    assert (stopped.returncode, stopped.stdout) == (0, f"Stopped the gateway at {serving.url}.\n")
    assert not serving.process.is_running()
    _, alive = psutil.wait_procs(kernels, timeout=ENDS_WITHIN)
    assert alive == []

    log = state / "log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert " D " in log.read_text()
    assert "s3cret-token" not in log.read_text()
    assert "Traceback" not in log.read_text()

    again = kernelway("stop", "--state-dir", "state", environ=environ, cwd=home.work)
    assert again.returncode == 1
    assert "No gateway serves from state." in again.stderr


def test_why_it_does_not_start_is_told_where_it_was_started(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        flags = ("--port", port, "--port-retries", "0", "--state-dir", "state")
        failed = kernelway("serve", "--background", *flags, environ=home.environ, cwd=home.work)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert f"port {port} is taken" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("name", SAMPLES)
def test_every_setting_reaches_the_one_in_the_background(name: str) -> None:
    settings = ServeSettings(**{name: SAMPLES[name][1]})
    variables = background._as_variables(settings)
    assert len(variables) == 1
    assert resolve(flags={}, environ=variables, config=None).settings == settings


def test_the_defaults_need_no_variables_and_others_do_not_reach_it() -> None:
    assert background._as_variables(ServeSettings()) == {}
    given = {"PATH": "/bin", "KERNELWAY_PORT": "1", "KERNELWAY_HOST": "x"}
    assert background._outside(given) == {"PATH": "/bin"}


# Which one to stop


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where gateways of this machine keep their state by default."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "kernelway" / (platform.node() or "localhost")


def announced(state: StateFolder, url: str) -> None:
    state.announce(Serving(ProcessIdentity.of(os.getpid()), url, "1"))


def find(runtime: Path, *, port: int | None = None, state_dir: Path | None = None) -> str:
    """The URL of the one that is found by a person whose runtime folder this is."""
    environ = {"XDG_RUNTIME_DIR": str(runtime)}
    return background.find(environ, port=port, state_dir=state_dir)[1].url


def test_without_a_gateway_there_is_none_to_stop(
    folders: Path, runtime: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert main(["stop"]) == 1
    assert "No gateway serves from any folder of this user." in " ".join(capsys.readouterr().err.split())
    with pytest.raises(NotFound, match=r"No gateway serves port 8888 for this user\."):
        find(runtime, port=8888)


def test_the_only_one_is_found_and_so_is_that_of_a_port_and_of_a_folder(
    folders: Path, runtime: Path, tmp_path: Path
) -> None:
    with StateFolder(folders / "8888") as one:
        announced(one, "http://one:8888/")
        assert find(runtime) == "http://one:8888/"
        assert find(runtime, port=8888) == "http://one:8888/"
        with StateFolder(tmp_path / "elsewhere") as other:
            announced(other, "http://other:1/")
            assert find(runtime, state_dir=tmp_path / "elsewhere") == "http://other:1/"
        with pytest.raises(NotFound):
            find(runtime, port=8889)


def test_one_with_a_state_folder_of_its_own_is_found_by_its_port(
    folders: Path, runtime: Path, tmp_path: Path
) -> None:
    private = runtime / "kernelway" / "h-1"
    private.mkdir(parents=True)
    with StateFolder(folders / "8888") as one, StateFolder(tmp_path / "its own") as other:
        announced(one, "http://one:8888/")
        announced(other, "https://other:8890/x/")
        note_state_folder(tmp_path / "its own", private)
        assert find(runtime, port=8890) == "https://other:8890/x/"
        assert find(runtime, port=8888) == "http://one:8888/"
        with pytest.raises(Conflict, match="Several gateways run here"):
            find(runtime)
    # The note of one that is gone is of no consequence.
    with pytest.raises(NotFound):
        find(runtime, port=8890)


def test_of_several_none_is_guessed(folders: Path, runtime: Path) -> None:
    with StateFolder(folders / "8888") as one, StateFolder(folders / "8889") as two:
        announced(one, "http://one/")
        announced(two, "http://two/")
        with pytest.raises(Conflict, match="say which one is meant") as caught:
            find(runtime)
        for name, url in (("8888", "http://one/"), ("8889", "http://two/")):
            assert f"--state-dir {folders / name}   {url}" in str(caught.value)


def test_one_that_is_gone_is_no_gateway_any_more(folders: Path, runtime: Path) -> None:
    with StateFolder(folders / "8888") as one:
        gone = ProcessIdentity(os.getpid(), started="1", boot="another")
        one.announce(Serving(gone, "http://gone/", "1"))
        with pytest.raises(NotFound):
            find(runtime)
