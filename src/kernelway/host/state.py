"""A gateway's state folder: its token, and a lock that says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import Self

import msgspec

from kernelway.host.processes import ProcessIdentity
from kernelway.protocol.errors import ConfigError, Conflict
from kernelway.transport.folders import private_folder

HOST_FOLDERS = "h-"
"""How the names of hosts' private folders begin."""

_NOTE = "state"
"""The file in such a folder that says where the host's state folder is."""


class Serving(msgspec.Struct, frozen=True):
    """Who serves from a state folder, as its ``lock`` file tells others; it holds no secret."""

    process: ProcessIdentity
    url: str
    version: str
    host_socket: str | None = None
    """The path of the private socket that the host serves to its gateway, and takes orders on."""


class StateFolder:
    """A locked state folder; ``with StateFolder(path) as state``, once for each process.

    The lock is the operating system's, so it is gone with its holder, whatever ended it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Take the lock; :class:`Conflict` says who has it."""
        try:
            private_folder(self.path)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._lock, 0)
        except OSError as error:
            os.close(self._lock)
            self._lock = None
            if isinstance(error, BlockingIOError):
                raise Conflict(_held(self.path)) from None
            raise _unusable(self.path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def announce(self, serving: Serving) -> None:
        """Write down who serves, for a second ``serve`` and for ``stop``."""
        assert self._lock is not None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, msgspec.json.encode(serving), 0)

    def token(self) -> str:
        """The token kept here; made at the first call."""
        path = self.path / "token"
        with contextlib.suppress(FileNotFoundError):
            kept = path.read_text(encoding="utf-8", errors="replace").strip()
            if kept:
                # Whoever made the file, nobody else is to read it.
                path.chmod(0o600)
                return kept
        made = secrets.token_urlsafe(32)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(made + "\n")
        return made


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"The state folder {str(path)!r} cannot be used: {error.strerror}.")


def serving_from(path: Path) -> Serving | None:
    """Who serves from a state folder now; None where nobody does."""
    try:
        serving = msgspec.json.decode((path / "lock").read_bytes(), type=Serving)
    except (OSError, msgspec.DecodeError):
        return None
    return serving if serving.process.is_running() else None


def note_state_folder(path: Path, folder: Path) -> None:
    """Write down, in a host's own private folder, where its state folder is; it is found by that."""
    folder.joinpath(_NOTE).write_text(str(path.absolute()), encoding="utf-8")


def noted_state_folders(runtime: Path) -> set[Path]:
    """The state folders of the hosts whose private folders are in this one; some may be gone."""
    found = set()
    for note in runtime.glob(f"{HOST_FOLDERS}*/{_NOTE}"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found.add(Path(note.read_text(encoding="utf-8")))
    return found


def _held(path: Path) -> str:
    serving = serving_from(path)
    if serving is None:
        return f"The state folder {str(path)!r} is in use by a gateway that is just starting or stopping."
    holder = f"process {serving.process.pid}, which serves {serving.url}"
    ways = f"'kernelway stop --state-dir {path}' ends it, another --state-dir goes beside it"
    return f"The state folder {str(path)!r} is in use by {holder}; {ways}."
