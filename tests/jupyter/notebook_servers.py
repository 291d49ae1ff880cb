"""A person's notebook server with the extension, and the gateways that they have saved, as processes."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil
from tests.support.processes import Process, environ_in, free_port, wait_for_listener

DEADLINE = 30.0
ENDS_WITHIN = 20.0

EXTENSION = "--ServerApp.jpserver_extensions={'kernelway.jupyter': True}"

ALONE = (
    "--ServerApp.jpserver_extensions={'jupyterlab': False, 'notebook': False, 'nbclassic': False, "
    "'notebook_shim': False, 'jupyter_lsp': False, 'jupyter_server_terminals': False, "
    "'kernelway.jupyter': True}"
)
"""Without the pages, which take a second to load."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """Why it was refused."""
        return str(self.json["message"])


@dataclass(frozen=True, slots=True)
class Api:
    """Jupyter's REST API of one server."""

    url: str
    token: str

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        request = urllib.request.Request(
            self.url + quote(path, safe="/?=&%"),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.read(), dict(refused.headers))

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == HTTPStatus.OK, answer
        return answer.json

    def kernels(self) -> dict[str, Any]:
        return {kernel["id"]: kernel for kernel in self.get("api/kernels")}

    def sessions(self) -> dict[str, Any]:
        """By their paths."""
        return {session["path"]: session for session in self.get("api/sessions")}

    def kernelspecs(self) -> dict[str, Any]:
        specs: dict[str, Any] = self.get("api/kernelspecs")["kernelspecs"]
        return specs

    def start(self, name: str | None = None, **more: object) -> str:
        answer = self.ask("POST", "api/kernels", {**({"name": name} if name else {}), **more})
        assert answer.status == HTTPStatus.CREATED, answer
        kernel_id: str = answer.json["id"]
        return kernel_id

    def open(self, path: str, *, type_: str = "notebook", **kernel: str) -> Any:
        name = path.rpartition("/")[2]
        answer = self.ask(
            "POST", "api/sessions", {"path": path, "type": type_, "name": name, "kernel": kernel}
        )
        assert answer.status == HTTPStatus.CREATED, answer
        return answer.json

    def change(self, session: Mapping[str, Any], **changes: object) -> Any:
        answer = self.ask("PATCH", f"api/sessions/{session['id']}", changes)
        assert answer.status == HTTPStatus.OK, answer
        return answer.json

    def end_kernel(self, kernel_id: str) -> Answer:
        return self.ask("DELETE", f"api/kernels/{kernel_id}")

    def end_session(self, session: Mapping[str, Any]) -> Answer:
        return self.ask("DELETE", f"api/sessions/{session['id']}")

    def end_all(self) -> None:
        """End every kernel, for the next test."""
        for kernel_id in self.kernels():
            self.end_kernel(kernel_id)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's folders; ``files`` is their notebook server's root."""

    environ: dict[str, str]
    files: Path

    def save(self, **gateways: Gateway) -> None:
        """Have these gateways saved, and no other."""
        self.save_options(
            **{
                name: {"baseUrl": gateway.api.url.rstrip("/"), "token": gateway.api.token}
                for name, gateway in gateways.items()
            }
        )

    def save_options(self, **gateways: Mapping[str, str]) -> None:
        """The same, by the gateways' options."""
        entries = [{"name": name.replace("_", "-"), "options": each} for name, each in gateways.items()]
        path = Path(self.environ["JUPYTER_CONFIG_DIR"]) / "gateways.json"
        path.write_text(json.dumps(entries))
        path.chmod(0o600)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway of ours, and how it was started."""

    api: Api
    process: Process

    def end(self) -> None:
        end(self.process)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what nothing tells of: lists are asked for again after half a second."""
    until, pause = time.monotonic() + DEADLINE, 0.05
    while not condition():
        assert time.monotonic() < until, "It has not come about."
        time.sleep(pause)


def end(process: Process, number: int = signal.SIGTERM) -> None:
    """Send the signal, and wait for the end."""
    os.kill(process.pid, number)
    ended(process)


def ended(process: Process) -> None:
    """Wait for the end of a process that was told to end."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(process.pid).wait(ENDS_WITHIN)


def process_of(kernel_id: str) -> psutil.Process:
    """The process of a kernel at a gateway of ours."""
    for process in psutil.process_iter():
        try:
            environ = process.environ()
        except psutil.Error:
            continue
        if environ.get("KERNELWAY_KERNEL_ID") == kernel_id and "JPY_PARENT_PID" in environ:
            return process
    raise AssertionError(f"No process belongs to the kernel {kernel_id}.")


@contextmanager
def person_in(folder: Path, **variables: str) -> Iterator[Person]:
    files = folder / "files"
    files.mkdir(parents=True)
    # The paths of Unix sockets have to be shorter than those in pytest's folders.
    with tempfile.TemporaryDirectory(prefix="kw-", dir="/tmp") as runtime:
        environ = environ_in(folder) | {
            "XDG_RUNTIME_DIR": runtime,
            "XDG_STATE_HOME": str(folder / "state"),
            **variables,
        }
        yield Person(environ, files)


@contextmanager
def gateway_of(
    person: Person, name: str, *, port: int | None = None, token: str | None = None
) -> Iterator[Gateway]:
    """A gateway; with the port and the token of an earlier one of the same name it is that one again."""
    token = secrets.token_hex(8) if token is None else token
    folder = person.files.parent
    command = [
        *(sys.executable, "-m", "kernelway", "serve", "--port", str(port or 0), "--port-retries", "0"),
        *("--token", token, "--state-dir", str(folder / name), "--kernel-shutdown-wait", "2"),
    ]
    with Process(command, ready=" serves http", environ=person.environ, folder=folder) as process:
        (url,) = re.findall(r" serves (http\S+/)\?", process.text)
        yield Gateway(Api(url, token), process)


@dataclass(frozen=True, slots=True)
class Server:
    """A notebook server that runs."""

    api: Api
    process: Process

    @property
    def log(self) -> str:
        return self.process.text

    def delete_at_once(self, *paths: str) -> list[int]:
        """Delete all of this at once; the answers' statuses."""
        return [answer.status for answer in self.ask_at_once(*(("DELETE", path, None) for path in paths))]

    def ask_at_once(self, *requests: tuple[str, str, object]) -> list[Answer]:
        """Send all requests (method, path, body) while the server stands still, so that none comes late."""
        host = urlsplit(self.api.url).netloc
        headers = {"Authorization": f"token {self.api.token}"}
        connections = [http.client.HTTPConnection(host, timeout=DEADLINE) for _ in requests]
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            for connection, (method, path, body) in zip(connections, requests, strict=True):
                connection.request(
                    method, f"/{path}", None if body is None else json.dumps(body), headers=headers
                )
        finally:
            os.kill(self.process.pid, signal.SIGCONT)
        answers = []
        for connection in connections:
            with connection.getresponse() as answer:
                answers.append(Answer(answer.status, answer.read()))
            connection.close()
        return answers


@contextmanager
def notebook_server_of(
    person: Person,
    *arguments: str,
    extensions: str = ALONE,
    token: str | None = None,
    module: str = "jupyter_server",
    **variables: str,
) -> Iterator[Server]:
    """A notebook server with the extension on for this run."""
    token = secrets.token_hex(8) if token is None else token
    port = free_port()
    command = [
        *(sys.executable, "-m", module, "--no-browser", "--allow-root", extensions),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={person.files}", f"--IdentityProvider.token={token}"),
        *arguments,
    ]
    environ = {**person.environ, **variables}
    with Process(command, ready="is running at", environ=environ, folder=person.files) as process:
        wait_for_listener(port)
        yield Server(Api(f"http://127.0.0.1:{port}/", token), process)


@dataclass(frozen=True, slots=True)
class Rig:
    """A notebook server beside two gateways, saved as ``gpu-box`` and ``lab``."""

    person: Person
    server: Server
    gpu: Gateway
    lab: Gateway

    @property
    def here(self) -> Api:
        return self.server.api

    def end_all(self) -> None:
        for api in (self.gpu.api, self.lab.api, self.here):
            api.end_all()


@contextmanager
def rig_in(folder: Path, *arguments: str, **variables: str) -> Iterator[Rig]:
    with ExitStack() as resources:
        person = resources.enter_context(person_in(folder))
        gpu = resources.enter_context(gateway_of(person, "gpu"))
        lab = resources.enter_context(gateway_of(person, "lab"))
        person.save(gpu_box=gpu, lab=lab)
        server = resources.enter_context(notebook_server_of(person, *arguments, **variables))
        wait_until(lambda: {"python3.gpu-box", "python3.lab"} <= set(server.api.kernelspecs()))
        yield Rig(person, server, gpu, lab)
