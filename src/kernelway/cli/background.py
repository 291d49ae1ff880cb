"""``kernelway serve --background`` and ``kernelway stop``: gateways that outlive the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kernelway.host.processes import wait_for_exit
from kernelway.host.state import Serving, serving_from
from kernelway.protocol.errors import Conflict, NotFound, TimedOut
from kernelway.settings import PREFIX, Resolved, ServeSettings, all_settings
from kernelway.transport.folders import state_folder

_STOPS_WITHIN = 30.0
"""Seconds for a gateway to end its kernels and itself."""


def serve_in_background(resolved: Resolved, environ: Mapping[str, str]) -> int:
    """Start ``kernelway serve`` in a session of its own and return when it serves; the exit status.

    The settings travel in the environment: other users can read a command line, but not that.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "kernelway", "serve", "--ready-fd", str(writing)]
    process = subprocess.Popen(
        command,
        env={**_outside(environ), **_as_variables(resolved.settings)},
        stdin=subprocess.DEVNULL,
        pass_fds=(writing,),
        start_new_session=True,
    )
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as ready:
        # It ends when the gateway serves, or has failed and told why on the terminal or in its log.
        told = ready.read()
    if not told:
        return process.wait() or 1
    print(told, end="", flush=True)
    # It is nobody's child from here on; asking for its status is the operating system's affair.
    process.returncode = 0
    return 0


def _outside(environ: Mapping[str, str]) -> dict[str, str]:
    # Started from within a kernel, it must not be taken for something that this kernel leaves behind.
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


def _as_variables(settings: ServeSettings) -> dict[str, str]:
    variables = {}
    for setting in all_settings():
        value = getattr(settings, setting.name)
        if value != setting.default:
            variables[setting.variable] = ",".join(value) if setting.is_list else str(value)
    return variables


def stop(*, port: int | None, state_dir: Path | None) -> int:
    """End a gateway and wait until it and its kernels are gone; the exit status."""
    path, serving = _find(port, state_dir)
    os.kill(serving.process.pid, signal.SIGTERM)
    asyncio.run(_gone(path, serving))
    print(f"Stopped the gateway at {serving.url}.")
    return 0


def _find(port: int | None, state_dir: Path | None) -> tuple[Path, Serving]:
    folders = state_folder(platform.node() or "localhost", "x").parent
    if state_dir is None and port is not None:
        state_dir = folders / str(port)
    candidates = [state_dir] if state_dir is not None else sorted(folders.glob("*"))
    found = [(path, serving) for path in candidates if (serving := serving_from(path)) is not None]
    if not found:
        where = f"from {state_dir}" if state_dir is not None else f"from any folder in {folders}"
        raise NotFound(f"No gateway serves {where}.")
    if len(found) > 1:
        choices = "\n".join(f"  --state-dir {path}   {serving.url}" for path, serving in found)
        raise Conflict(f"Several gateways run here; say which one to stop:\n{choices}")
    return found[0]


async def _gone(path: Path, serving: Serving) -> None:
    with contextlib.suppress(ProcessLookupError):
        try:
            async with asyncio.timeout(_STOPS_WITHIN):
                await wait_for_exit(serving.process.pid)
        except TimeoutError:
            raise TimedOut(
                f"The gateway, process {serving.process.pid}, has not ended within {_STOPS_WITHIN:g} s; "
                f"{path / 'log'} may tell why."
            ) from None
