"""``kernelway serve --replace``: a running host's gateway started anew, from what is installed now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from kernelway.cli.background import default_folders, find
from kernelway.gateway.remote_host import RemoteHost
from kernelway.protocol.errors import Conflict, KernelwayError
from kernelway.protocol.models import Replacement
from kernelway.settings import Resolved
from kernelway.transport.api.client_socket import Beat

_REPLACED_WITHIN = 90.0
"""Seconds: more than a new gateway has to come to serve, and the old one to end."""


def replace(resolved: Resolved, environ: Mapping[str, str]) -> int:
    """Have a running host start its gateway anew from what is installed now; the exit status.

    The host is found by its state folder, its socket or its port, where they are given.
    """
    settings = resolved.settings
    port = settings.port if resolved.sources["port"] != "default" else None
    state_dir = settings.state_dir
    if settings.socket is not None and state_dir is None:
        state_dir = default_folders() / settings.socket.stem
    _, serving = find(environ, port=port, state_dir=state_dir)
    if serving.host_socket is None:
        raise Conflict(
            f"The gateway at {serving.url}, version {serving.version}, cannot be replaced: "
            "stop it, and start it anew."
        )
    replacement = asyncio.run(_replaced(serving.url, Path(serving.host_socket)))
    print(
        f"The gateway at {serving.url} is another one now: version {replacement.version}, process "
        f"{replacement.pid}. Its kernels run on."
    )
    return 0


async def _replaced(url: str, host_socket: Path) -> Replacement:
    beat = Beat(interval=_REPLACED_WITHIN, timeout=_REPLACED_WITHIN)
    async with RemoteHost(host_socket, patience=_REPLACED_WITHIN, beat=beat) as host:
        try:
            return await host.replace_gateway()
        except KernelwayError as error:
            raise type(error)(f"The gateway at {url} stays as it is: {error}") from error
