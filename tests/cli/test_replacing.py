"""``kernelway serve --replace``: another gateway in the place of the one that runs."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from tests.cli.conftest import Home
from tests.cli.console import kernelway
from tests.cli.serving import child_of, serving
from tests.support.certificates import Authority

from kernelway import __version__
from kernelway.cli.main import main
from kernelway.host.processes import ProcessIdentity
from kernelway.host.state import Serving, StateFolder


@pytest.fixture
def folders(tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where gateways of this machine keep their state by default; none of them runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return tmp_path / "kernelway" / (platform.node() or "localhost")


def test_a_gateway_is_replaced_while_its_kernels_run_on(home: Home) -> None:
    with serving(home, "--port", "0") as gateway:
        kernel_id, first = gateway.start_kernel(), child_of(gateway)
        port = gateway.url.split(":")[2].split("/")[0]
        for which in (("--state-dir", "state"), ("--port", port), ()):
            done = kernelway("serve", "--replace", *which, environ=home.environ, cwd=home.work)
            assert (done.returncode, done.stderr) == (0, "")
            second = child_of(gateway)
            told = f"is another one now: version {__version__}, process {second.pid}. Its kernels run on."
            assert told in done.stdout
            assert second != first
            assert not first.is_running()
            assert [kernel["id"] for kernel in gateway.call("api/kernels")] == [kernel_id]
            first = second


def test_a_gateway_stays_where_the_new_one_does_not_come_to_serve(home: Home, tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("127.0.0.1")
    with serving(
        home, "--port", "0", "--certfile", str(issued.cert), "--keyfile", str(issued.key)
    ) as gateway:
        first = child_of(gateway)
        issued.cert.rename(tmp_path / "elsewhere")
        done = kernelway("serve", "--replace", "--state-dir", "state", environ=home.environ, cwd=home.work)
        assert (done.returncode, done.stdout) == (1, "")
        told = " ".join(done.stderr.split())
        assert (
            f"The gateway at {gateway.url.partition('?')[0]} stays as it is: The gateway cannot serve:"
            in told
        )
        assert f"{issued.cert} cannot be read" in told
        assert child_of(gateway) == first


# Which one is meant


def replace(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """Why nothing can be replaced."""
    assert main(["serve", "--replace", *flags]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    return " ".join(err.split())


def announce(state: StateFolder, url: str, host_socket: Path | None = None) -> None:
    state.announce(
        Serving(ProcessIdentity.of(os.getpid()), url, "1", None if host_socket is None else str(host_socket))
    )


def test_one_of_a_version_that_cannot_is_not_replaced(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StateFolder(folders / "8888") as one:
        announce(one, "http://one:8888/")
        told = replace(capsys, "--port", "8888")
    assert "http://one:8888/, version 1, cannot be replaced: stop it, and start it anew" in told


def test_one_whose_host_does_not_answer_stays(
    folders: Path, runtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StateFolder(folders / "8888") as one:
        announce(one, "http://one:8888/", runtime / "nobody")
        told = replace(capsys)
    assert "at http://one:8888/ stays as it is: The host of this gateway cannot be reached" in told


def test_it_is_found_by_its_port_or_its_socket_and_not_by_a_default(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StateFolder(folders / "9999") as one, StateFolder(folders / "kw") as other:
        announce(one, "http://one:9999/")
        announce(other, "unix:/run/kw.sock")
        assert "http://one:9999/" in replace(capsys, "--port", "9999")
        assert "unix:/run/kw.sock" in replace(capsys, "--socket", "/run/kw.sock")
        assert "No gateway serves port 8888" in replace(capsys, "--port", "8888")
        assert "Several gateways run here" in replace(capsys)
