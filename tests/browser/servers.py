"""Gateways that are saved under names, and the notebook servers whose launchers show them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError

from tests.browser.line import Line
from tests.faults.serving import TOKEN, Running, Serving
from tests.support.processes import Process, environ_in, free_port, wait_for_listener

DEADLINE = 30.0

LOCAL = "Python 3 (ipykernel)"

NOTEBOOK_TOKEN = "the-token-of-the-notebook"


def on(place: str) -> str:
    """How the launcher calls Python on a gateway."""
    return f"{LOCAL} · {place}"


@dataclass(frozen=True, slots=True)
class Place:
    """A running gateway, and the line that the saved entry leads through."""

    name: str
    running: Running
    line: Line

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.line.port}"

    def kernels(self) -> list[dict[str, Any]]:
        """What the gateway itself says that runs."""
        models: list[dict[str, Any]] = call(f"{self.running.base_url}api/kernels", TOKEN)
        return models


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one person who works on several places."""

    folder: Path
    places: Mapping[str, Place]

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def environ(self) -> dict[str, str]:
        return environ_in(self.folder)

    def kernelway(self, *arguments: str) -> str:
        """Run the command line to its end; what it wrote."""
        done = subprocess.run(
            [sys.executable, "-m", "kernelway", *arguments],
            cwd=self.work,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def write_notebook(self, name: str, place: str, *lines: str) -> None:
        """Write a file that names the Python of this place, with one cell."""
        cell = {"cell_type": "code", "id": "first", "execution_count": None, "outputs": [], "metadata": {}}
        kernelspec = {"name": f"python3.{place}", "display_name": on(place), "language": "python"}
        content = {
            "cells": [{**cell, "source": "\n".join(lines)}],
            "metadata": {"kernelspec": kernelspec},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.work / name).write_text(json.dumps(content))

    def save_places(self, *names: str) -> None:
        """Write the file of the saved gateways."""
        entries = [
            {"name": name, "options": {"baseUrl": self.places[name].url, "token": TOKEN}} for name in names
        ]
        path = Path(self.environ["JUPYTER_CONFIG_DIR"]) / "gateways.json"
        path.write_text(json.dumps(entries))
        path.chmod(0o600)


@contextmanager
def home_with_places(folder: Path, *names: str) -> Iterator[Home]:
    """Run a gateway for each name, and save them all."""
    with ExitStack() as stack:
        places = {}
        for name in names:
            (folder / name).mkdir()
            running = stack.enter_context(Serving(folder / name).running())
            places[name] = Place(name, running, stack.enter_context(Line(running.port)))
        home = Home(folder / "home", places)
        home.work.mkdir(parents=True)
        _configure(home)
        home.save_places(*names)
        yield home


@dataclass(frozen=True, slots=True)
class NotebookServer:
    """A notebook server in a person's folder, on the same port each time it runs."""

    home: Home
    program: Sequence[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def page(self, path: str) -> str:
        """The URL of a page for who was never there."""
        return f"{self.url}{path}?token={NOTEBOOK_TOKEN}"

    def call(self, path: str, *, method: str = "GET") -> Any:
        return call(self.url + path, NOTEBOOK_TOKEN, method=method)

    def end_kernels(self) -> None:
        """End all kernels that it shows, whoever started them, one after the other."""
        for kernel in self.call("api/kernels"):
            try:
                self.call(f"api/kernels/{kernel['id']}", method="DELETE")
            except HTTPError as error:
                error.close()
                # What it shows may be half a second old.
                if error.code != HTTPStatus.NOT_FOUND:
                    raise

    @contextmanager
    def running(self) -> Iterator[Process]:
        """Run it until the block is left; no kernel of a gateway ends with it."""
        command = [
            *self.program,
            *("--no-browser", "--allow-root"),
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.home.work}",
            f"--IdentityProvider.token={NOTEBOOK_TOKEN}",
        ]
        with Process(
            command, ready=r"is running at:", environ=self.home.environ, folder=self.home.work
        ) as process:
            # It says so a moment before it does.
            wait_for_listener(self.port)
            yield process


def lab(home: Home) -> NotebookServer:
    """JupyterLab, started by kernelway."""
    program = [sys.executable, "-m", "kernelway", "lab", "--LabApp.expose_app_in_browser=True"]
    return NotebookServer(home, program, free_port())


def notebook_server(home: Home) -> NotebookServer:
    """Notebook 7, and with it nbclassic, after ``kernelway jupyter enable --user``."""
    home.kernelway("jupyter", "enable", "--user")
    program = [sys.executable, "-m", "notebook", "--JupyterNotebookApp.expose_app_in_browser=True"]
    return NotebookServer(home, program, free_port())


class Life:
    """A notebook server that is killed and started again; it ends with the block."""

    def __init__(self, server: NotebookServer) -> None:
        self.server = server
        self._stack = ExitStack()
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self) -> None:
        self._process = self._stack.enter_context(self.server.running())

    def kill(self) -> None:
        """End it by SIGKILL, so that it can tidy nothing up, and wait until it has ended."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        """End it as its terminal would, or wait for an end that somebody else asked for."""
        self._stack.close()


def call(url: str, token: str, *, method: str = "GET") -> Any:
    """One REST request; what it answered."""
    request = urllib.request.Request(url, method=method, headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def _configure(home: Home) -> None:
    """Let no news cover the page, every cell of a notebook be in it, and completions take their time."""
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    settings = config / "lab" / "user-settings" / "@jupyterlab"
    for path, value in {
        config / "labconfig" / "page_config.json": {
            "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}
        },
        settings / "notebook-extension" / "tracker.jupyterlab-settings": {"windowingMode": "none"},
        settings / "completer-extension" / "manager.jupyterlab-settings": {"providerTimeout": 30_000},
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
