"""The folder, environment and kernelspec that all sides share, and proof that nothing outlives the run."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import synthetic_kernel

PYTHON = "python3"
"""The kernelspec of an ipykernel."""

SYNTHETIC = "synthetic"
"""The kernelspec of :mod:`benchmarks.synthetic_kernel`."""

_RUN_VARIABLE = "KERNELWAY_BENCHMARK_RUN"
"""Every process of a run carries it in its environment, so that those left behind can be found."""

_FOREIGN_PREFIXES = ("JUPYTER", "IPYTHON", "KG_", "KERNEL", "XDG_", "PYTHON")
"""Variables that could make the sides differ from their defaults, or from one another."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where one run lives; ``environment`` is that of every process that it starts."""

    folder: Path
    run: str
    environment: Mapping[str, str]

    @property
    def kernelspecs(self) -> Path:
        """The folder that holds the kernelspecs."""
        return self.folder / "jupyter" / "kernels"

    def strays(self) -> list[int]:
        """The ids of processes of this run that are still alive; nothing where there is no /proc."""
        marker = f"{_RUN_VARIABLE}={self.run}".encode()
        return [pid for pid in _all_pids() if marker in _environment_of(pid)]

    def end_strays(self, *, patience: float = 5.0) -> list[int]:
        """Give leftovers some seconds to go by themselves, kill the rest by id, return the killed ones.

        Blocks until all of them are gone.
        """
        killed = []
        deadline = time.monotonic() + patience
        for pid in self.strays():
            with suppress(ProcessLookupError), _pidfd(pid) as descriptor:
                if not _ends(descriptor, within=deadline - time.monotonic()):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    killed.append(pid)
                    _ends(descriptor, within=patience)
        return killed


@contextmanager
def new_workspace() -> Iterator[Workspace]:
    """A workspace in a temporary folder, removed afterwards.

    The path is short because the path of a Unix socket, and so of an ipc endpoint, has about 100 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="kwb-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        run = uuid.uuid4().hex
        workspace = Workspace(folder, run, _environment(folder, run))
        _write_kernelspecs(workspace)
        yield workspace


def _environment(folder: Path, run: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN_PREFIXES)}
    return kept | {
        _RUN_VARIABLE: run,
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        # This path is searched first, so every side finds the kernelspecs of this run.
        "JUPYTER_PATH": str(folder / "jupyter"),
        # A server's first line has to arrive when it is written, not when a buffer is full.
        "PYTHONUNBUFFERED": "1",
    }


def _write_kernelspecs(workspace: Workspace) -> None:
    _write_kernelspec(workspace, PYTHON, [sys.executable, "-m", "ipykernel_launcher"])
    _write_kernelspec(workspace, SYNTHETIC, [sys.executable, str(Path(synthetic_kernel.__file__).resolve())])


def _write_kernelspec(workspace: Workspace, name: str, command: Sequence[str]) -> None:
    folder = workspace.kernelspecs / name
    folder.mkdir(parents=True)
    spec = {
        "argv": [*command, "-f", "{connection_file}"],
        "display_name": f"{name} (benchmark)",
        "language": "python",
        "env": {_RUN_VARIABLE: workspace.run},
        # Kernelway knows an ipykernel by its command; to this one it would talk over TCP.
        "metadata": {"kernelway": {"transport": "ipc"}},
    }
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


@contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    """A descriptor of a process that need not be our child: it is readable once the process has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ends(descriptor: int, *, within: float) -> bool:
    readable, _, _ = select.select([descriptor], [], [], max(within, 0))
    return bool(readable)


def _all_pids() -> list[int]:
    proc = Path("/proc")
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()] if proc.is_dir() else []


def _environment_of(pid: int) -> bytes:
    """The environment a process began with; empty where it is gone, ended or somebody else's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
