"""A person's own folders, and gateways, for the tests of the command line."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.console import kernelway
from tests.support.processes import Process, environ_in


@dataclass(frozen=True, slots=True)
class Home:
    """A person's folders; ``work`` is where they are."""

    environ: dict[str, str]
    work: Path

    @property
    def gateways(self) -> Path:
        return Path(self.environ["JUPYTER_CONFIG_DIR"]) / "gateways.json"

    def save(self, **gateways: Mapping[str, object]) -> None:
        """Put gateways into the person's file."""
        entries = [{"name": name, "options": options} for name, options in gateways.items()]
        self.gateways.write_text(json.dumps(entries))
        self.gateways.chmod(0o600)

    def write(self, name: str, text: str) -> Path:
        path = self.work / name
        path.write_text(text)
        return path


def _home(folder: Path, runtime: Path) -> Home:
    work = folder / "work"
    work.mkdir()
    return Home(environ_in(folder) | {"XDG_RUNTIME_DIR": str(runtime)}, work)


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A folder for Unix sockets, whose paths have to be shorter than those in pytest's folders."""
    with tempfile.TemporaryDirectory(prefix="kw-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A person's own runtime folder."""
    with _short_folder() as folder:
        yield folder


@pytest.fixture
def home(tmp_path: Path, runtime: Path) -> Iterator[Home]:
    """A new person with nothing saved; the gateway of their machine is stopped, if it was started."""
    home = _home(tmp_path, runtime)
    yield home
    if (runtime / "kernelway" / "local").exists():
        stopped = kernelway("stop", environ=home.environ)
        assert stopped.returncode == 0, stopped.stderr


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway of our own that runs."""

    url: str
    token: str

    @property
    def options(self) -> dict[str, object]:
        return {"baseUrl": self.url, "token": self.token}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway of our own, for all tests of this folder."""
    with _short_folder() as runtime:
        home = _home(tmp_path_factory.mktemp("served"), runtime)
        bash_kernelspec(Path(home.environ["JUPYTER_DATA_DIR"]))
        token = secrets.token_hex(8)
        command = [
            *(sys.executable, "-m", "kernelway", "serve", "--port", "0", "--token", token),
            *("--state-dir", str(home.work / "state"), "--kernel-shutdown-wait", "2"),
        ]
        with Process(command, ready=" serves http", environ=home.environ, folder=home.work) as process:
            line = next(line for line in process.lines if " serves http" in line)
            yield Served(line.split()[-1].partition("/?")[0], token)


def bash_kernelspec(data: Path) -> None:
    """A second language, in a Jupyter data folder."""
    folder = data / "kernels" / "bash"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Bash", "language": "bash"}
    (folder / "kernel.json").write_text(json.dumps(spec))


@pytest.fixture
def gpu(home: Home, served: Served) -> Home:
    """A person who has saved that gateway as ``gpu``."""
    home.save(gpu=served.options)
    return home


def log_of(session: str, home: Home, *more: str) -> list[dict[str, Any]]:
    """The log of a session, as machines read it."""
    done = kernelway("log", session, "--json", *more, environ=home.environ, cwd=home.work)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def end(session: str, home: Home) -> None:
    """Shut a session down."""
    ended = kernelway("shutdown", session, environ=home.environ)
    assert ended.returncode == 0, ended.stderr
