"""The sides by name: how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.bare import BareSide
from benchmarks.exchange import Kernel, Shortfall, Side
from benchmarks.notebooks import GATEWAY, NotebookSide, notebook_server, with_extension, with_gateway_url
from benchmarks.peers import PeersMissing
from benchmarks.processes import Processes
from benchmarks.servers import Launch, ServerSide
from benchmarks.workspace import PYTHON, Workspace

BARE: Final = "bare"
KERNELWAY: Final = "kernelway"
WARM: Final = "kernelway_warm"
PLAIN: Final = "kernelway_plain"
NO_JOURNAL: Final = "kernelway_no_journal"
JUPYTER_SERVER: Final = "jupyter_server"
KERNEL_GATEWAY: Final = "kernel_gateway"
JUPYTER_SERVER_UNLIMITED: Final = "jupyter_server_unlimited"
KERNEL_GATEWAY_UNLIMITED: Final = "kernel_gateway_unlimited"
NOTEBOOK: Final = "kernelway_notebook"
GATEWAY_URL: Final = "gateway_url"
INTERPRETER: Final = "python"

PEERS: Final = (JUPYTER_SERVER, KERNEL_GATEWAY)
UNLIMITED_PEERS: Final = (JUPYTER_SERVER_UNLIMITED, KERNEL_GATEWAY_UNLIMITED)

ABOUT: Final[Mapping[str, str]] = {
    BARE: "pyzmq and json on the kernel's own sockets",
    KERNELWAY: "`kernelway serve --warm 0`: kernels are forked when they are asked for",
    WARM: "`kernelway serve --warm 1`: one is started ahead",
    PLAIN: "`kernelway serve --warm 0 --no-fork`: kernels are started by command",
    NO_JOURNAL: "`kernelway serve --warm 0 --no-journal`: what the journal on disk costs is the difference",
    JUPYTER_SERVER: "with its default limits",
    KERNEL_GATEWAY: "in its WebSocket mode, with its default limits",
    JUPYTER_SERVER_UNLIMITED: "with its limit on outputs turned off, where it would lose them",
    KERNEL_GATEWAY_UNLIMITED: "the same",
    NOTEBOOK: "a jupyter_server with our extension, and behind it `kernelway serve --warm 0`",
    GATEWAY_URL: "a jupyter_server with `--gateway-url`, behind it kernel_gateway, both with their defaults",
    INTERPRETER: "`python -c pass`, what any command of Python's takes at least",
}
"""All sides, in the order of tables."""

_KERNELWAY_FLAGS: Final[Mapping[str, tuple[str, ...]]] = {
    KERNELWAY: ("--warm", "0"),
    WARM: ("--warm", "1"),
    PLAIN: ("--warm", "0", "--no-fork"),
    NO_JOURNAL: ("--warm", "0", "--no-journal"),
}

_UNLIMITED = "--ZMQChannelsWebsocketConnection.limit_rate=False"


def needs_peers(name: str) -> bool:
    """Whether a side runs in the peers' environment."""
    return name in (*PEERS, *UNLIMITED_PEERS, GATEWAY_URL)


def new_side(name: str, workspace: Workspace, peers_python: Path | None) -> Side:
    """The side of this name, not started yet."""
    if name == BARE:
        return BareSide(workspace)
    if name == INTERPRETER:
        return InterpreterSide()
    if flags := _KERNELWAY_FLAGS.get(name):
        return ServerSide(name, partial(_kernelway, flags), workspace)
    if name == NOTEBOOK:
        return _notebook(workspace)
    if peers_python is None:
        raise PeersMissing(f"The environment for {name} has not been made.")
    if name == GATEWAY_URL:
        return _gateway_url(workspace, peers_python)
    commands: Mapping[str, Callable[[Path, Launch], list[str]]] = {
        JUPYTER_SERVER: notebook_server,
        KERNEL_GATEWAY: _kernel_gateway,
        JUPYTER_SERVER_UNLIMITED: lambda python, launch: [*notebook_server(python, launch), _UNLIMITED],
        KERNEL_GATEWAY_UNLIMITED: lambda python, launch: [*_kernel_gateway(python, launch), _UNLIMITED],
    }
    return ServerSide(name, partial(commands[name], peers_python), workspace, must_end=False)


class InterpreterSide:
    """Python itself: no server, no kernels; a floor for commands."""

    name: str = INTERPRETER

    async def start(self) -> None:
        """Nothing has to run."""

    async def start_kernel(self, spec: str = PYTHON) -> Kernel:
        """It has none."""
        raise Shortfall(f"no kernel {spec}")

    def processes(self) -> Processes:
        """None."""
        return Processes((), ())

    async def stop(self) -> None:
        """Nothing runs."""


def kernelway_program() -> str:
    """The command in the environment that runs the benchmark."""
    return str(Path(sys.executable).with_name("kernelway"))


def _notebook(workspace: Workspace) -> NotebookSide:
    behind = ServerSide(f"{NOTEBOOK}_behind", partial(_kernelway, _KERNELWAY_FLAGS[KERNELWAY]), workspace)
    front = partial(with_extension, sys.executable)
    return NotebookSide(NOTEBOOK, behind, front, workspace, kernelspec=lambda name: f"{name}.{GATEWAY}")


def _gateway_url(workspace: Workspace, python: Path) -> NotebookSide:
    def command(launch: Launch) -> list[str]:
        # A notebook server asks what runs there.
        return [*_kernel_gateway(python, launch), "--JupyterWebsocketPersonality.list_kernels=True"]

    behind = ServerSide(f"{GATEWAY_URL}_behind", command, workspace, must_end=False)
    return NotebookSide(GATEWAY_URL, behind, partial(with_gateway_url, python), workspace, must_end=False)


def _kernelway(flags: Sequence[str], launch: Launch) -> list[str]:
    return [
        *(kernelway_program(), "serve", "--ip", "127.0.0.1", "--port", str(launch.port)),
        *("--token", launch.token, "--state-dir", str(launch.folder), *flags),
    ]


def _kernel_gateway(python: Path, launch: Launch) -> list[str]:
    return [
        *(str(python), "-m", "kernel_gateway", "--KernelGatewayApp.ip=127.0.0.1"),
        *(f"--KernelGatewayApp.port={launch.port}", "--KernelGatewayApp.port_retries=0"),
        f"--KernelGatewayApp.auth_token={launch.token}",
    ]
