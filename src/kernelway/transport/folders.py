"""The user's own folders that Kernelway keeps things in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kernelway.protocol.errors import ConfigError

LONGEST_SOCKET_PATH = 100
"""Bytes; the operating systems end near 107, and libzmq adds a suffix of its own."""

_LONGEST_RUNTIME = 60
"""Bytes that leave room for a host's folder, a kernel's and a socket's name."""


def private_folder(path: Path) -> Path:
    """Make the folder where it is not there, and make sure that nobody else can look into it.

    Raises :class:`ConfigError` where it is another user's or no folder, OSError where it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigError(f"{path} is in the way: it is no folder.") from None
    if os.name == "posix":
        # A link that somebody else made may lead to a folder of ours that others are to look into.
        for owner in (path.lstat().st_uid, path.stat().st_uid):
            if owner != os.getuid():
                raise ConfigError(f"The folder {str(path)!r} belongs to another user (uid {owner}).")
        path.chmod(0o700)
    return path


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """Where Unix sockets go: private, gone after a reboot, and with a short path.

    ``XDG_RUNTIME_DIR`` of the environment where that will do, else a folder of the user's own in ``/tmp``.
    """
    # Where cron or a plain ssh login leaves the variable out, the folder may be there all the same.
    session = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    usual = session / "kernelway"
    if session.is_dir() and len(os.fsencode(usual)) <= _LONGEST_RUNTIME and _can_make(usual):
        return usual
    # Everybody may write in /tmp: private_folder refuses what somebody else made there under this name.
    # The number of a user is always known; in many a container the name is not.
    return private_folder(Path("/tmp") / f"kernelway-{os.getuid()}")  # noqa: S108


def state_folder(hostname: str, name: str) -> Path:
    """Where a gateway keeps what must survive it: its token, its lock and its log."""
    # A gateway is told its folders, and does without this.
    import platformdirs

    return platformdirs.user_state_path("kernelway") / hostname / name


def _can_make(path: Path) -> bool:
    try:
        private_folder(path)
    except (OSError, ConfigError):
        return False
    return True
