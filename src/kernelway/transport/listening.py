"""Listening sockets: the first free port from one on, or a Unix socket that nobody else serves."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from kernelway.protocol.errors import ConfigError, Conflict
from kernelway.transport.folders import LONGEST_SOCKET_PATH

BACKLOG = 4096
"""Connections that wait to be accepted: those of all clients at once, after a gateway has gone."""

_TAKEN = (errno.EADDRINUSE, errno.EACCES)


def listen_on_port(ip: str, port: int, *, retries: int) -> socket.socket:
    """Bind the port, or one of the ``retries`` that follow it.

    Raises :class:`Conflict` where all are taken, :class:`ConfigError` for an address that is not ours.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            ip or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        # The encoding of names refuses one such as "..", before anybody is asked for it.
        reason = error.strerror if isinstance(error, OSError) else "no machine can have such a name"
        raise ConfigError(f"--ip {ip}: this address is not known: {reason}.") from error
    last = port if port == 0 else min(port + retries, 65535)
    for candidate in range(port, last + 1):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address[0], candidate, *address[2:]))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno not in _TAKEN:
                raise ConfigError(f"--ip {ip}: cannot listen there: {error.strerror}.") from error
            continue
        return listener
    ports = f"port {port} is" if last == port else f"ports {port} to {last} are"
    where = ip or "any address"
    raise Conflict(
        f"On {where}, {ports} taken or not allowed; --port N takes another, --port 0 any free one."
    )


def listen_on_path(path: Path) -> socket.socket:
    """Bind a Unix socket that only this user can connect to; a dead one in its place is removed.

    Raises :class:`Conflict` where somebody serves it, :class:`ConfigError` where something else is there.
    """
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise ConfigError(f"--socket {path}: a Unix socket's path has at most {LONGEST_SOCKET_PATH} bytes.")
    try:
        _remove_dead(path)
        return _bound(path)
    except OSError as error:
        raise ConfigError(f"--socket {path}: cannot listen there: {error.strerror or error}.") from error


def _remove_dead(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if not path.is_socket():
        raise ConfigError(f"--socket {path}: something else is there, which is left as it is.")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            # Its queue is full: it is busy, and so it is not dead.
            pass
    raise Conflict(f"--socket {path}: another gateway serves it.")


def _bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def unlink_path(listener: socket.socket) -> None:
    """Take away the path of a Unix socket, which is to be done while it still listens and nobody follows.

    Nothing happens for a port, and for a listener that is closed already.
    """
    if listener.family == socket.AF_UNIX and listener.fileno() != -1:
        Path(listener.getsockname()).unlink(missing_ok=True)
