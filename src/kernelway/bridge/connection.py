"""Connection files: where a client that knows ZeroMQ finds a kernel, and with which key.

Source of the format: jupyter_client's documentation, "Making kernels for Jupyter", "Connection files".
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from kernelway.protocol.errors import ConfigError
from kernelway.protocol.message import UNREADABLE, told

PORTS: Final = ("shell", "control", "stdin", "iopub", "hb")
"""What a kernel binds, by the names that a connection file has before ``_port``."""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection file says; a port of 0 is one that is to be chosen.

    With ``ipc``, ``ip`` is the beginning of the sockets' paths, and a port what stands behind it.
    """

    ip: str = "127.0.0.1"
    transport: str = "tcp"
    key: str = ""
    """Of the signatures; nothing is signed where it is empty."""
    signature_scheme: str = "hmac-sha256"
    shell_port: int = 0
    control_port: int = 0
    stdin_port: int = 0
    iopub_port: int = 0
    hb_port: int = 0
    curve_publickey: str = ""
    """With the secret key: the sockets take encrypted connections alone."""
    curve_secretkey: str = ""

    def port(self, name: str) -> int:
        """The port of one of :data:`PORTS`."""
        return self.ports[name]

    @property
    def ports(self) -> Mapping[str, int]:
        """All five."""
        return {
            "shell": self.shell_port,
            "control": self.control_port,
            "stdin": self.stdin_port,
            "iopub": self.iopub_port,
            "hb": self.hb_port,
        }

    def fields(self) -> dict[str, object]:
        """As a connection file has them; clients take an empty key of the encryption for one."""
        fields: dict[str, object] = msgspec.to_builtins(self)
        return {name: value for name, value in fields.items() if value or not name.startswith("curve_")}


def new_connection() -> Connection:
    """One for this machine alone, with a new key and no ports yet."""
    return Connection(key=secrets.token_hex(32))


def read_connection(path: Path) -> Connection | None:
    """What a connection file says; None where there is none, or an empty one that waits to be filled.

    Raises :class:`ConfigError` for what is no connection file.
    """
    data = _content(path)
    if not data:
        return None
    try:
        found = msgspec.json.decode(data, type=Connection)
    except UNREADABLE as error:
        raise ConfigError(f"{path} is not a connection file of Jupyter: {told(error)}.") from error
    if found.transport not in ("tcp", "ipc"):
        raise ConfigError(f"{path} names the transport {found.transport!r}; the bridge has tcp and ipc.")
    return found


def write_connection(path: Path, connection: Connection, *, kernel_name: str) -> None:
    """Write a connection file that only this user may read; what else a file says that is there stays.

    It is in its place as a whole: a client that waits for it reads no half of it.
    """
    try:
        before: dict[str, object] = msgspec.json.decode(_content(path) or b"{}", type=dict[str, object])
        said = {"kernel_name": kernel_name} | before | connection.fields()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(said), indent=2))
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"The connection file {path} cannot be written: {error.strerror}.") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"The connection file {path} cannot be read: {error.strerror}.") from error
