"""Processes that a test starts, waits for and ends, by their id."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class Process:
    """A process whose stderr and stdout are read as they come; it is ended when the block is left.

    ``ready`` is a pattern of the line that says the process serves; entering the block waits for it, and
    fails with what the process wrote where it ends first or the deadline (in seconds) passes.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        ready: str,
        environ: Mapping[str, str],
        folder: Path | None = None,
        deadline: float = 60.0,
    ) -> None:
        self.command = [str(part) for part in command]
        self.lines: deque[str] = deque(maxlen=2000)
        self._ready = re.compile(ready)
        self._environ = dict(environ)
        self._folder = folder
        self._deadline = deadline
        self._settled = threading.Event()
        self._news = threading.Condition()
        self._over = False
        self._served = False
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def text(self) -> str:
        """The end of what the process has written."""
        return "".join(self.lines)

    def until_text(self, text: str, *, deadline: float = 60.0) -> None:
        """Wait until it has written this; fails where it ends before, or the deadline (seconds) passes."""
        with self._news:
            self._news.wait_for(lambda: self._over or text in self.text, deadline)
        assert text in self.text, f"It has not written {text!r}:\n{self.text}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environ,
            cwd=self._folder,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not (self._settled.wait(self._deadline) and self._served):
            self.end()
            raise AssertionError(f"{self.command[0]} did not become ready:\n{self.text}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ask the process to end, kill it where it does not, and read the last of its output."""
        assert self._process is not None
        assert self._reader is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        if not self._reader.is_alive():
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
            if not self._served and self._ready.search(line):
                self._served = True
                self._settled.set()
        with self._news:
            self._over = True
            self._news.notify_all()
        self._settled.set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_listener(port: int, *, deadline: float = 30.0) -> None:
    """Wait until somebody listens on the port of 127.0.0.1, for servers that tell they do before they do."""
    until, pause = time.monotonic() + deadline, 0.005
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=deadline).close()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            # Nothing tells when another process begins to listen.
            time.sleep(pause)
            pause *= 2
        else:
            return


async def until(condition: Callable[[], Awaitable[bool]], *, deadline: float = 30.0) -> None:
    """Wait for what another process does and nothing tells of, looking again after growing pauses."""
    pause = 0.01
    async with asyncio.timeout(deadline):
        while not await condition():
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)


def environ_in(folder: Path) -> dict[str, str]:
    """An environment whose Jupyter, IPython and home folders are all inside this one."""
    names = ("PATH", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "TESTS_OF_KERNELWAY_RUN", "KERNELWAY_WARM")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    places = {
        "HOME": folder,
        "IPYTHONDIR": folder / "ipython",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
    }
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    return kept | {name: str(place) for name, place in places.items()}
