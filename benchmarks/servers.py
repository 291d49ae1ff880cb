"""The server sides: a process each, as its defaults have it, on a port of loopback."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks import websocket_client
from benchmarks.exchange import Kernel
from benchmarks.processes import Processes, processes_of
from benchmarks.websocket_client import Server
from benchmarks.workspace import PYTHON, Workspace

_URL = re.compile(r"https?://127\.0\.0\.1:\d+/?")

_START_DEADLINE = 60.0
_STOP_DEADLINE = 20.0
_SHORT_STOP_DEADLINE = 5.0


class ServerFailed(Exception):
    """A server did not start or did not end; the message has the last lines that it wrote."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a server needs to know to be started: where to listen, what to ask for, where to keep things."""

    port: int
    token: str
    folder: Path


class ServerProcess:
    """A server that says its URL in a line of what it writes; the last lines are kept for errors."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: deque[str] = deque(maxlen=30)
        self._url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def launch(cls, argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> ServerProcess:
        """Start the process; it is in a session of its own, so that a Ctrl+C here does not reach it."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self._process.pid

    async def url(self) -> str:
        """The base URL, once the server has said it."""
        try:
            async with asyncio.timeout(_START_DEADLINE):
                return await asyncio.shield(self._url)
        except TimeoutError:
            raise ServerFailed(self._story(f"said no URL within {_START_DEADLINE:g} s")) from None

    async def stop(self, *, within: float = _STOP_DEADLINE) -> None:
        """Ask the process to end, insist if it does not, and wait until it is gone."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(within):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise ServerFailed(self._story(f"did not end within {within:g} s of SIGTERM")) from None
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
    """A server and the shared client's HTTP session with it; it may be started anew after it was stopped.

    ``must_end`` says whether it is a failure of the run where the server has to be killed.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[Launch], list[str]],
        workspace: Workspace,
        *,
        must_end: bool = True,
    ) -> None:
        self.name = name
        self.workspace = workspace
        self._command = command
        self._must_end = must_end
        self._process: ServerProcess | None = None
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """Where it is, once it is started."""
        if self._server is None:
            raise ServerFailed(f"{self.name} is not started")
        return self._server

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        folder = self.workspace.folder / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        launch = Launch(port=_free_port(), token=secrets.token_hex(16), folder=folder)
        self._process = await ServerProcess.launch(self._command(launch), self.workspace.environment, folder)
        url = await self._process.url()
        http = aiohttp.ClientSession(
            base_url=url,
            headers={"Authorization": f"token {launch.token}"},
            # By default a hundred connections at a time, WebSockets included.
            connector=aiohttp.TCPConnector(limit=0),
        )
        self._server = Server(url, launch.token, http)
        await _until_it_listens(http)

    async def start_kernel(self, spec: str = PYTHON) -> Kernel:
        """POST a kernel and connect to it."""
        return await websocket_client.start_kernel(self.server, spec)

    def processes(self) -> Processes:
        """The server and all below it."""
        return Processes((), ()) if self._process is None else processes_of(self._process.pid)

    async def stop(self) -> None:
        """Close the connections and end the server, if it is started."""
        server, process = self._server, self._process
        self._server = self._process = None
        if server is not None:
            await server.http.close()
        if process is not None:
            if self._must_end:
                await process.stop()
            else:
                with suppress(ServerFailed):
                    await process.stop(within=_SHORT_STOP_DEADLINE)


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
