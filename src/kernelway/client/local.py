"""The one gateway of this user on this machine, for local kernels that outlive whoever started them.

It serves a private Unix socket, is started in the background by whoever needs it first, and ends itself a
minute after its last kernel. Leaving it never ends its kernels.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from kernelway.client.http import HttpClient
from kernelway.client.lock import exclusive
from kernelway.client.options import UNIX_PREFIX, GatewayOptions
from kernelway.client.stock_models import VersionAnswer
from kernelway.protocol.errors import ConfigError, LinkError, TimedOut, Unreachable
from kernelway.transport.folders import LONGEST_SOCKET_PATH, private_folder, runtime_folder, state_folder

STARTS_WITHIN: Final = 60.0
"""Seconds for the gateway to serve, and for the lock while somebody else starts it."""

_IDLE: Final = 60
_CONNECTS_WITHIN: Final = 5.0
_MOST_LOG: Final = 4000


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """Where the gateway of this machine is: its socket and lock, and the folder of its state."""

    runtime: Path
    """A private folder with a short path, gone after a reboot."""
    state: Path

    @property
    def socket(self) -> Path:
        """The socket that it serves."""
        return self.runtime / "local"

    @property
    def lock(self) -> Path:
        """Held while somebody starts it."""
        return self.runtime / "local.lock"

    @property
    def log(self) -> Path:
        """What it has to say."""
        return self.state / "log"


def local_place(environ: Mapping[str, str]) -> LocalPlace:
    """The place of this user's own gateway."""
    return LocalPlace(runtime_folder(environ), state_folder(platform.node() or "localhost", "local"))


async def local_gateway(
    environ: Mapping[str, str], *, place: LocalPlace | None = None, within: float = STARTS_WITHIN
) -> GatewayOptions:
    """The options of the gateway of this machine, which is started where it does not run.

    ``environ`` is what its kernels have as their environment where this call starts it; Kernelway's own
    variables are left out of it, but for the cull limits, so that it is the same gateway whoever starts it.
    Raises :class:`TimedOut` or :class:`Unreachable` with the end of its log where it does not come to serve
    within as many seconds, and :class:`ConfigError` on Windows. Cancelling stops waiting for it; a gateway
    that is about to serve goes on.
    """
    if sys.platform == "win32":
        raise ConfigError(
            "Kernels that outlive their command need a private Unix socket, which Windows does not have: run "
            "`kernelway serve` and name that gateway instead."
        )
    place = place or local_place(environ)
    if len(os.fsencode(place.socket)) > LONGEST_SOCKET_PATH:
        raise ConfigError(
            f"The path {place.socket} is too long for a Unix socket, which has at most {LONGEST_SOCKET_PATH} "
            "bytes: set XDG_RUNTIME_DIR to a shorter folder."
        )
    options = GatewayOptions(base_url=f"{UNIX_PREFIX}{place.socket}")
    if not _listens(place.socket):
        await asyncio.to_thread(_start, place, _own_environment(environ), within)
    try:
        async with HttpClient(options) as http:
            await http.call("GET", "api", answer=VersionAnswer)
    except LinkError as error:
        raise type(error)(f"The gateway of this machine does not answer: {error} {_tail(place)}") from error
    return options


def _start(place: LocalPlace, environ: Mapping[str, str], within: float) -> None:
    """Start it, unless somebody else has while this waited for the lock."""
    private_folder(place.runtime)
    with exclusive(place.lock, deadline=within):
        if _listens(place.socket):
            return
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            _serve(place, environ, within, said)


def _serve(place: LocalPlace, environ: Mapping[str, str], within: float, said: IO[str]) -> None:
    command = [
        *(sys.executable, "-m", "kernelway", "serve", "--background", "--no-auth"),
        *("--socket", str(place.socket), "--state-dir", str(place.state), "--stop-when-idle", str(_IDLE)),
    ]
    # It outlives the folder that its first user happens to be in.
    home = Path.home()
    process = subprocess.Popen(
        command, env=dict(environ), cwd=home, stdin=subprocess.DEVNULL, stdout=said, stderr=said
    )
    try:
        status = process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise TimedOut(
            f"The gateway of this machine did not serve within {within:g} seconds. {_tail(place, said)}"
        ) from None
    if status != 0:
        raise Unreachable(f"The gateway of this machine could not be started. {_tail(place, said)}")


def _listens(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(_CONNECTS_WITHIN)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _own_environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = ("KERNELWAY_CULL_",)
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("KERNELWAY_") or name.startswith(kept)
    }


def _tail(place: LocalPlace, said: IO[str] | None = None) -> str:
    """The end of what it said on the terminal and in its log."""
    texts = []
    if said is not None:
        said.seek(0)
        texts.append(said.read())
    with contextlib.suppress(OSError):
        texts.append(place.log.read_text(encoding="utf-8", errors="replace"))
    text = "".join(texts).strip()
    return f"It says: …{text[-_MOST_LOG:]}" if text else f"It says nothing, and has no log at {place.log}."
