"""Stock servers of the Jupyter project, each with its own folders, port and token."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Process, environ_in, free_port, wait_for_listener

_IMPATIENT = ("--KernelManager.shutdown_wait_time=1", "--KernelRestarter.time_to_dead=0.5")
"""Seconds for a kernel to end by itself, and between two looks whether one has died; of 5 and 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockServer:
    """A running server; ``base_url`` ends without a slash."""

    base_url: str
    token: str
    folder: Path
    process: Process


@contextmanager
def jupyter_server_in(
    folder: Path,
    *,
    token: str | None = None,
    port: int | None = None,
    base_path: str = "",
    scheme: str = "http",
    args: Sequence[str] = (),
) -> Iterator[StockServer]:
    """A stock jupyter_server; ``token=""`` turns its token off (give a password in ``args`` then)."""
    token = secrets.token_hex(16) if token is None else token
    port = free_port() if port is None else port
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={files}", f"--ServerApp.base_url={base_path}/"),
        f"--IdentityProvider.token={token}",
        *_IMPATIENT,
        *args,
    ]
    process = Process(command, ready="is running at", environ=environ_in(folder), folder=files)
    with process:
        wait_for_listener(port)
        yield StockServer(
            base_url=f"{scheme}://127.0.0.1:{port}{base_path}", token=token, folder=folder, process=process
        )


@contextmanager
def kernel_gateway_in(folder: Path, *, args: Sequence[str] = ()) -> Iterator[StockServer]:
    """A stock kernel_gateway."""
    token, port = secrets.token_hex(16), free_port()
    environ = environ_in(folder)
    command = [
        *(sys.executable, "-m", "kernel_gateway", "--KernelGatewayApp.ip=127.0.0.1"),
        *(f"--KernelGatewayApp.port={port}", "--KernelGatewayApp.port_retries=0"),
        "--KernelGatewayApp.list_kernels=True",
        f"--KernelGatewayApp.auth_token={token}",
        *_IMPATIENT,
        *args,
    ]
    process = Process(command, ready="is available at", environ=environ, folder=folder)
    with process:
        wait_for_listener(port)
        yield StockServer(base_url=f"http://127.0.0.1:{port}", token=token, folder=folder, process=process)
