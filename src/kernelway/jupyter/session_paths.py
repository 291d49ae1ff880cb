"""What the sessions of a notebook server are called at a gateway, and those of others here.

A session's path at a gateway begins with ``user@host`` and is otherwise the absolute path of a file. That of
a notebook server has two slashes in a row where its root folder ends, as in
``ada@laptop/home/ada/work//sub/a.ipynb``: no editor makes such a path, and another server's root differs.
After a restart the server knows its own sessions by it.

Sessions of others are shown as ``gpu-box://ada@laptop/home/ada/x.py``. No file has such a path here, because
Jupyter's contents API has no two slashes in a row.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from kernelway.client.session import session_path

_FOREIGN: Final = "://"


class OwnPaths:
    """What one notebook server calls its sessions; the root is absolute, the host without its domain."""

    def __init__(self, root: PurePath, *, user: str, host: str) -> None:
        # The root of a file system ends with the slash that is one of the two.
        self._prefix = session_path(root, user=user, host=host).rstrip("/") + "//"

    def to_gateway(self, local_path: str) -> str:
        """What the session of a path below the root, with slashes, is called at a gateway."""
        return self._prefix + local_path.lstrip("/")

    def to_local(self, gateway_path: str) -> str | None:
        """The path below the root of a session of this server; None where it is somebody else's."""
        local = gateway_path.removeprefix(self._prefix)
        return None if local == gateway_path else local


def foreign_path(place_name: str, gateway_path: str) -> str:
    """Under which path a session that was made elsewhere is shown here."""
    return f"{place_name}{_FOREIGN}{gateway_path}"


def is_foreign(path: str) -> bool:
    """Whether a path is one that :func:`foreign_path` made."""
    return _FOREIGN in path
