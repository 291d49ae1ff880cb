"""``python -m kernelway.gateway``, started as its host starts it, but by hand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.support.processes import environ_in

from kernelway import __version__
from kernelway.gateway.orders import Orders, encode_orders
from kernelway.host.supervisor import GATEWAY_COMMAND, Announcement
from kernelway.settings import ServeSettings
from kernelway.transport.listening import listen_on_path, listen_on_port

DEADLINE = 30.0

TOKEN = "the-token-of-these-tests"


@dataclass(frozen=True, slots=True)
class Child:
    """A gateway whose host is this test."""

    process: subprocess.Popen[bytes]
    announced: Announcement
    listener: socket.socket

    def status(self, path: str, token: str = TOKEN) -> int:
        url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                status: int = answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        return status

    def ended(self) -> tuple[int, str]:
        """Its status, and its log."""
        _, log = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, log.decode()


@contextmanager
def child(folder: Path, listener: socket.socket, **settings: object) -> Iterator[Child]:
    orders = Orders(
        settings=ServeSettings(**settings),
        token=TOKEN,
        listener=listener.fileno(),
        host_socket=Path("/nonexistent/host"),
    )
    process = subprocess.Popen(
        GATEWAY_COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(listener.fileno(),),
        env=environ_in(folder),
        cwd=folder,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(encode_orders(orders) + b"\n")
        process.stdin.flush()
        yield Child(process, msgspec.json.decode(process.stdout.readline(), type=Announcement), listener)
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)
        listener.close()


@pytest.fixture
def listener() -> socket.socket:
    return listen_on_port("127.0.0.1", 0, retries=0)


def test_it_serves_what_it_inherits_until_its_host_is_gone(tmp_path: Path, listener: socket.socket) -> None:
    with child(tmp_path, listener) as gateway:
        assert gateway.announced == Announcement(version=__version__)
        assert gateway.status("api") == 200
        assert gateway.status("api/me", token="another") == 401
        assert gateway.status("api/me") == 200
        # There is no host here that would answer.
        assert gateway.status("api/kernels") == 502
        status, log = gateway.ended()
    assert status == 0
    assert "The host of this gateway cannot be reached" in log
    assert TOKEN not in log
    assert "Traceback" not in log


def test_it_ends_when_it_is_told_to_and_a_ctrl_c_is_not_for_it(
    tmp_path: Path, listener: socket.socket
) -> None:
    with child(tmp_path, listener) as gateway:
        os.kill(gateway.process.pid, signal.SIGINT)
        assert gateway.status("api") == 200
        os.kill(gateway.process.pid, signal.SIGTERM)
        # Its input is still open.
        assert gateway.process.wait(DEADLINE) == 0


def test_the_path_of_a_socket_stays_for_the_next(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kw-", dir="/tmp") as folder:
        path = Path(folder) / "s"
        with child(tmp_path, listen_on_path(path), socket=path) as gateway:
            assert gateway.announced.failed is None
            assert gateway.ended()[0] == 0
            assert path.is_socket()


def test_why_it_cannot_serve_is_told_to_the_host(tmp_path: Path, listener: socket.socket) -> None:
    with child(tmp_path, listener, certfile=tmp_path / "missing.pem") as gateway:
        assert gateway.announced.failed is not None
        assert "missing.pem cannot be read" in gateway.announced.failed
        assert gateway.ended() == (1, "")


def test_its_log_is_as_the_settings_say(tmp_path: Path, listener: socket.socket) -> None:
    with child(tmp_path, listener, log_format="json", log_level="info") as gateway:
        assert gateway.status("api/kernels") == 502
        _, log = gateway.ended()
    assert {msgspec.json.decode(line)["level"] for line in log.splitlines()} == {"warning"}


def test_it_does_not_take_what_lies_in_the_working_folder_for_its_own(
    tmp_path: Path, listener: socket.socket
) -> None:
    for name in ("aiohttp", "msgspec", "kernelway", "logging"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('This is not for you.')")
    with child(tmp_path, listener) as gateway:
        assert gateway.status("api") == 200


def test_it_loads_nothing_of_a_host() -> None:
    # It is back soon after a kill because it has little to load.
    code = "import sys, kernelway.gateway.child, kernelway.gateway.application; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(done.stdout.split())
    of_a_host = {"zmq", "jupyter_client", "jupyter_core", "ipykernel", "traitlets", "tornado", "IPython"}
    of_a_command = {"rich", "platformdirs", "kernelway.cli", "kernelway.client"}
    assert not {"kernelway.host.host", *of_a_host, *of_a_command} & loaded
