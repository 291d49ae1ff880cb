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

from yarl import URL

from kernelway.host.processes import wait_for_exit
from kernelway.host.state import Serving, noted_state_folders, serving_from
from kernelway.protocol.errors import Conflict, NotFound, TimedOut
from kernelway.settings import PREFIX, Resolved, ServeSettings, all_settings
from kernelway.transport import deadlines
from kernelway.transport.folders import runtime_folder, state_folder

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


def stop(environ: Mapping[str, str], *, port: int | None, state_dir: Path | None) -> int:
    """End a gateway and wait until it and its kernels are gone; the exit status."""
    path, serving = find(environ, port=port, state_dir=state_dir)
    os.kill(serving.process.pid, signal.SIGTERM)
    asyncio.run(_gone(path, serving))
    print(f"Stopped the gateway at {serving.url}.")
    return 0


def default_folders() -> Path:
    """Where the state folders are of gateways that were given none."""
    return state_folder(platform.node() or "localhost", "x").parent


def find(environ: Mapping[str, str], *, port: int | None, state_dir: Path | None) -> tuple[Path, Serving]:
    """The one gateway that is meant, and its state folder; an error where there is none, or are several."""
    candidates = [state_dir] if state_dir is not None else _known_folders(environ)
    found = [(path, serving) for path in candidates if (serving := serving_from(path)) is not None]
    if port is not None and state_dir is None:
        found = [(path, serving) for path, serving in found if _is_at(port, path, serving)]
    if not found:
        raise NotFound(f"No gateway serves {_where(port, state_dir)}.")
    if len(found) > 1:
        choices = "\n".join(f"  --state-dir {path}   {serving.url}" for path, serving in found)
        raise Conflict(f"Several gateways run here; say which one is meant:\n{choices}")
    return found[0]


def _known_folders(environ: Mapping[str, str]) -> list[Path]:
    """Where gateways keep their state when nobody says where, and where those do that run now."""
    noted = noted_state_folders(runtime_folder(environ))
    return sorted({path.resolve() for path in (*default_folders().glob("*"), *noted)})


def _is_at(port: int, path: Path, serving: Serving) -> bool:
    return URL(serving.url).port == port if serving.url.startswith("http") else path.name == str(port)


def _where(port: int | None, state_dir: Path | None) -> str:
    if state_dir is not None:
        return f"from {state_dir}"
    return "from any folder of this user" if port is None else f"port {port} for this user"


async def _gone(path: Path, serving: Serving) -> None:
    with contextlib.suppress(ProcessLookupError):
        try:
            async with deadlines.timeout(_STOPS_WITHIN):
                await wait_for_exit(serving.process.pid)
        except TimeoutError:
            raise TimedOut(
                f"The gateway, process {serving.process.pid}, has not ended within {_STOPS_WITHIN:g} s; "
                f"{path / 'log'} may tell why."
            ) from None
