"""``kernelway lab``: JupyterLab with the extension, for one run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from kernelway.cli.jupyter import EXTRA
from kernelway.protocol.errors import ConfigError

_NEEDED: Final = ("jupyterlab", "jupyter_server", "jupyter_events")

_ON: Final = "--ServerApp.jpserver_extensions=kernelway.jupyter=True"


def lab(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Become JupyterLab, so that signals and the terminal are its own; it returns on Windows alone.

    :class:`ConfigError` where JupyterLab or what the extension needs is not installed.
    """
    command = command_of(arguments)
    sys.stdout.flush()
    return _run(command, dict(environ))


def _run(command: list[str], environ: dict[str, str]) -> int:
    if sys.platform == "win32":
        # There a process cannot become another one.
        return subprocess.call(command, env=environ)
    return _become(command, environ)


def _become(command: list[str], environ: dict[str, str]) -> NoReturn:
    os.execve(command[0], command, environ)  # noqa: S606 - It is this Python.


def command_of(arguments: Sequence[str]) -> list[str]:
    """What is run; the extension is named last, since a command of JupyterLab's own comes first."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)} cannot be imported: {EXTRA} jupyterlab")
    return [sys.executable, "-m", "jupyterlab", *arguments, _ON]
