"""The server sides: a process each, as its defaults have it, on a port of loopback."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks import websocket_client
from benchmarks.exchange import Kernel
from benchmarks.workspace import Workspace

_URL = re.compile(r"https?://127\.0\.0\.1:\d+/?")

_START_DEADLINE = 60.0
_STOP_DEADLINE = 20.0


class ServerFailed(Exception):
    """A server did not start or did not end; the message has the last lines that it wrote."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a server needs to know to be started: where to listen, what to ask for, where to keep things."""

    port: int
    token: str
    folder: Path


def kernelway_command(launch: Launch) -> list[str]:
    """Kernelway from the environment that runs the benchmark."""
    program = Path(sys.executable).with_name("kernelway")
    return [
        *(str(program), "serve", "--ip", "127.0.0.1", "--port", str(launch.port)),
        *("--token", launch.token, "--state-dir", str(launch.folder)),
    ]


def unjournalled_command(launch: Launch) -> list[str]:
    """The same without a journal on disk: what journalling costs is the difference."""
    return [*kernelway_command(launch), "--no-journal"]


def jupyter_server_command(python: Path, launch: Launch) -> list[str]:
    """jupyter_server with its default limits."""
    return [
        *(str(python), "-m", "jupyter_server", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={launch.port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={launch.token}", f"--ServerApp.root_dir={launch.folder}"),
        *("--ServerApp.open_browser=False", "--ServerApp.allow_root=True"),
    ]


def kernel_gateway_command(python: Path, launch: Launch) -> list[str]:
    """kernel_gateway in its WebSocket mode."""
    return [
        *(str(python), "-m", "kernel_gateway", "--KernelGatewayApp.ip=127.0.0.1"),
        *(f"--KernelGatewayApp.port={launch.port}", "--KernelGatewayApp.port_retries=0"),
        *(f"--KernelGatewayApp.auth_token={launch.token}"),
    ]


class ServerProcess:
    """A server that says its URL in a line of what it writes; the last lines are kept for errors."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: deque[str] = deque(maxlen=30)
        self._url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def launch(cls, argv: Sequence[str], workspace: Workspace, folder: Path) -> ServerProcess:
        """Start the process; it is in a session of its own, so that a Ctrl+C here does not reach it."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env=workspace.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(process)

    async def url(self) -> str:
        """The base URL, once the server has said it."""
        try:
            async with asyncio.timeout(_START_DEADLINE):
                return await asyncio.shield(self._url)
        except TimeoutError:
            raise ServerFailed(self._story(f"said no URL within {_START_DEADLINE:g} s")) from None

    async def stop(self) -> None:
        """Ask the process to end, insist if it does not, and wait until it is gone."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_DEADLINE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise ServerFailed(self._story(f"did not end within {_STOP_DEADLINE:g} s of SIGTERM")) from None
        finally:
            # What the server left running may hold the pipe open, so its end is not waited for.
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._url.cancel()

    async def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while line := await stream.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self._lines.append(text)
            found = _URL.search(text)
            if found and not self._url.done():
                self._url.set_result(found.group().rstrip("/") + "/")
        if not self._url.done():
            self._url.set_exception(ServerFailed(self._story("ended before it said its URL")))

    def _story(self, what: str) -> str:
        return "\n".join((f"process {self._process.pid} {what}. Its last lines:", *self._lines))


class ServerSide:
    """A server and the shared client's HTTP session with it."""

    def __init__(self, name: str, command: Callable[[Launch], list[str]], workspace: Workspace) -> None:
        self.name = name
        self._command = command
        self._workspace = workspace
        self._process: ServerProcess | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        folder = self._workspace.folder / self.name
        folder.mkdir(mode=0o700)
        launch = Launch(port=_free_port(), token=secrets.token_hex(16), folder=folder)
        self._process = await ServerProcess.launch(self._command(launch), self._workspace, folder)
        self._http = aiohttp.ClientSession(
            base_url=await self._process.url(), headers={"Authorization": f"token {launch.token}"}
        )
        await _until_it_listens(self._http)

    async def start_kernel(self) -> Kernel:
        """POST a kernel and connect to it."""
        if self._http is None:
            raise ServerFailed(f"{self.name} is not started")
        return await websocket_client.start_kernel(self._http)

    async def stop(self) -> None:
        """Close the connections and end the server."""
        if self._http is not None:
            await self._http.close()
        if self._process is not None:
            await self._process.stop()


async def _until_it_listens(http: aiohttp.ClientSession) -> None:
    """Ask until there is an answer: jupyter_server says its URL some milliseconds before it listens."""
    async with asyncio.timeout(_START_DEADLINE):
        while True:
            try:
                async with http.get("api/kernelspecs") as answer:
                    answer.raise_for_status()
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


def _free_port() -> int:
    """A port that was free a moment ago; the peers cannot say which one they chose for port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
