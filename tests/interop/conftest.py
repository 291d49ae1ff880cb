"""The gateway that real clients are pointed at."""

import os
import re
import secrets
import select
import signal
import subprocess
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

START_SECONDS = 30
STOP_SECONDS = 20
LOG_LINES = 200
PRINTED_URL = re.compile(r"(http://127\.0\.0\.1:\d+/\S*)\?token=")


@dataclass(frozen=True, slots=True)
class GatewayServer:
    """A running server. `url` ends with a slash; `log` is what it printed lately, and grows."""

    url: str
    token: str
    log: deque[str]


def serve_command(*, state_dir: Path, token: str, base_url: str) -> list[str]:
    """Return the command line of the server under test, the one thing that differs between servers."""
    kernelway = Path(sysconfig.get_path("scripts"), "kernelway")
    return [
        *(str(kernelway), "serve"),
        *("--ip", "127.0.0.1"),
        *("--port", "0", "--port-retries", "0"),
        *("--state-dir", str(state_dir)),
        *("--token", token),
        *("--base-url", base_url),
    ]


@pytest.fixture(scope="module")
def gateway_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayServer]:
    """Start a gateway, by default at the base URL "/", and check afterwards that nothing of it is left."""
    base_url: str = getattr(request, "param", "/")
    home = tmp_path_factory.mktemp("gateway")
    token = secrets.token_hex(16)
    mark = f"GATEWAY_INTEROP_RUN={secrets.token_hex(16)}"
    command = serve_command(state_dir=home / "state", token=token, base_url=base_url)
    log: deque[str] = deque(maxlen=LOG_LINES)
    with _running(command, environment=_environment(home, mark), mark=mark, log=log) as url:
        yield GatewayServer(url=url, token=token, log=log)


def _environment(home: Path, mark: str) -> dict[str, str]:
    """Keep Jupyter out of the user's folders, and mark every process that the server starts."""
    folders = {
        name: str(home / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    return {**os.environ, **folders, **dict([mark.split("=", 1)])}


@contextmanager
def _running(command: list[str], *, environment: dict[str, str], mark: str, log: deque[str]) -> Iterator[str]:
    """Yield the URL that the server prints; terminate it at the end, and require that all of it ends."""
    printed_url: Future[str] = Future()
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    reader = threading.Thread(target=_read, args=(process.stdout, printed_url, log))
    reader.start()
    try:
        yield _wait_for_url(printed_url, log)
    finally:
        complaints = [*_terminate(process), *_end_marked_processes(mark)]
        reader.join(STOP_SECONDS)
    assert not complaints, "\n".join([*complaints, *log])


def _read(output: IO[str], printed_url: "Future[str]", log: deque[str]) -> None:
    """Read to the end, which comes when every process that holds the pipe has closed it."""
    with output:
        for line in output:
            log.append(line.rstrip("\n"))
            if not printed_url.done() and (found := PRINTED_URL.search(line)):
                printed_url.set_result(found[1])
    if not printed_url.done():
        printed_url.set_exception(EOFError())


def _wait_for_url(printed_url: "Future[str]", log: deque[str]) -> str:
    try:
        return printed_url.result(START_SECONDS)
    except TimeoutError:
        problem = f"the server printed no URL with a token within {START_SECONDS} s"
    except EOFError:
        problem = "the server ended before it printed a URL with a token"
    pytest.fail("\n".join([problem, *log]))


def _terminate(process: "subprocess.Popen[str]") -> list[str]:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
        return [f"the server had to be killed {STOP_SECONDS} s after SIGTERM"]
    return []


def _end_marked_processes(mark: str) -> list[str]:
    """Kill the processes with the mark in their environment that do not end by themselves, and name them.

    Kernels save their history while they exit, so the ones that are still there get a few seconds. Reads
    /proc, and so finds nothing where there is none.
    """
    deadline = time.monotonic() + STOP_SECONDS
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() not in (folder / "environ").read_bytes():
                continue
            process = os.pidfd_open(int(folder.name))
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # It ended meanwhile, or it is another user's.
        ended, _, _ = select.select([process], [], [], max(0.0, deadline - time.monotonic()))
        if not ended:
            left.append(f"left behind by the server: process {folder.name}, {command}")
            signal.pidfd_send_signal(process, signal.SIGKILL)
        os.close(process)
    return left
