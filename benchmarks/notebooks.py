"""The notebook sides: a notebook server, and behind it the gateway that its kernels run on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks import websocket_client
from benchmarks.exchange import Kernel
from benchmarks.processes import Processes
from benchmarks.servers import Launch, ServerSide
from benchmarks.websocket_client import Server
from benchmarks.workspace import PYTHON, Workspace

GATEWAY: Final = "gateway"
"""The name under which our extension has the gateway."""

Front: TypeAlias = Callable[[Launch, Server], list[str]]
"""The command of a notebook server, given what it is started with and the gateway that it is to use."""


class NotebookSide:
    """A gateway, a notebook server before it, and the shared client, which knows the notebook server alone.

    ``kernelspec`` is what the notebook server calls the gateway's kernelspec of a name.
    """

    def __init__(
        self,
        name: str,
        behind: ServerSide,
        front: Front,
        workspace: Workspace,
        *,
        kernelspec: Callable[[str], str] = str,
        must_end: bool = True,
    ) -> None:
        self.name = name
        self._behind = behind
        self._kernelspec = kernelspec
        self._config = workspace.folder / name / "config"
        own = {"JUPYTER_CONFIG_DIR": str(self._config)}
        self._front = ServerSide(
            name,
            lambda launch: front(launch, behind.server),
            replace(workspace, environment={**workspace.environment, **own}),
            must_end=must_end,
        )

    async def start(self) -> None:
        """Start the gateway, let the notebook server know of it, and start that."""
        await self._behind.start()
        self._config.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = self._behind.server
        entry = {"name": GATEWAY, "options": {"baseUrl": server.url, "token": server.token}}
        saved = self._config / "gateways.json"
        saved.touch(mode=0o600)
        saved.write_text(json.dumps([entry]), encoding="utf-8")
        await self._front.start()

    async def start_kernel(self, spec: str = PYTHON) -> Kernel:
        """POST a kernel of the gateway's to the notebook server and connect to it there."""
        return await websocket_client.start_kernel(self._front.server, self._kernelspec(spec))

    def processes(self) -> Processes:
        """Those of both servers."""
        front, behind = self._front.processes(), self._behind.processes()
        return Processes((*front.own, *behind.own), (*front.kernels, *behind.kernels))

    async def stop(self) -> None:
        """End both, the notebook server first."""
        try:
            await self._front.stop()
        finally:
            await self._behind.stop()


def with_extension(python: str | Path, launch: Launch, _: Server) -> list[str]:
    """A notebook server with our extension, which reads the saved gateways."""
    return [
        *notebook_server(python, launch),
        "--ServerApp.jpserver_extensions={'kernelway.jupyter': True}",
    ]


def with_gateway_url(python: str | Path, launch: Launch, gateway: Server) -> list[str]:
    """A notebook server as it is, told of the one gateway that it can use."""
    return [
        *notebook_server(python, launch),
        f"--gateway-url={gateway.url.rstrip('/')}",
        f"--GatewayClient.auth_token={gateway.token}",
    ]


def notebook_server(python: str | Path, launch: Launch) -> list[str]:
    """A jupyter_server with its defaults."""
    return [
        *(str(python), "-m", "jupyter_server", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={launch.port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={launch.token}", f"--ServerApp.root_dir={launch.folder}"),
        *("--ServerApp.open_browser=False", "--ServerApp.allow_root=True"),
    ]
