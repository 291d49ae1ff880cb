"""Which session is a file's own, and that session.

A session's identity is its path: ``user@host`` and the absolute path of the file, as in
``ada@laptop/home/ada/project/analysis.py``. Two projects' ``main.py``, or everybody's ``Untitled.ipynb``,
never meet by accident, on whatever gateway they run.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from uuid import uuid4

from kernelway.client.http import HttpClient
from kernelway.client.kernel import Kernel
from kernelway.client.rest import RestApi
from kernelway.protocol.errors import Conflict, InvalidRequest, NotFound
from kernelway.protocol.models import RestSessionId, SessionModel

if sys.platform == "win32":
    import getpass
else:
    import pwd


def session_path(file: PurePath, *, user: str, host: str) -> str:
    """The path of a file's session; ``file`` must be absolute, and the host is named without its domain.

    >>> session_path(PurePath("/home/ada/analysis.py"), user="ada", host="laptop.example.com")
    'ada@laptop/home/ada/analysis.py'
    """
    if not file.is_absolute():
        raise InvalidRequest(f"The identity of a session needs an absolute path, and {file} is none.")
    return f"{user}@{host.partition('.')[0]}/{file.as_posix().lstrip('/')}"


def own_session_path(file: str | os.PathLike[str]) -> str:
    """The path of the session of a file of this user on this machine; relative to the current folder.

    Symbolic links are not followed: a file is what its user calls it.
    """
    path = Path(os.path.abspath(file))  # noqa: PTH100 - Path.absolute keeps the dots in a path.
    return session_path(path, user=_user(), host=socket.gethostname())


def another_path(path: str) -> str:
    """A path for one more session of the same file, which nobody joins by accident."""
    return f"{path}#{uuid4().hex[:8]}"


def join(sessions: Iterable[SessionModel], path: str, *, kernel: str | None) -> SessionModel | None:
    """The session of exactly this path, or None; the first of several.

    Raises :class:`Conflict` where it has another kernelspec than the one that was asked for by name.
    """
    found = next((session for session in sessions if session.path == path), None)
    if found is not None and kernel is not None and found.kernel.name != kernel:
        raise Conflict(
            f"The session {found.path} has a {found.kernel.name} kernel, not {kernel}: leave the kernel out "
            "to join it, ask for a new session, or shut this one down first."
        )
    return found


def find(sessions: Sequence[SessionModel], wanted: str) -> SessionModel:
    """The one session with this id, path or name; the id of its kernel will do too.

    Raises :class:`NotFound`, or :class:`Conflict` for a name that several have, with the choices.
    """
    for session in sessions:
        if wanted in (session.id, session.path):
            return session
    named = [session for session in sessions if wanted in (session.name, session.kernel.id)]
    if len(named) == 1:
        return named[0]
    if not named:
        raise NotFound(f"There is no session {wanted!r} here. {_choices(sessions)}")
    raise Conflict(f"{len(named)} sessions are named {wanted!r}: say which by its id. {_choices(named)}")


class Session:
    """A path joined to a kernel, and the connection to that kernel.

    Closing it, or leaving the gateway's block, never ends the kernel; :meth:`shutdown` does. ``id`` is None
    where the server refuses to list sessions: the kernel is then a plain one that no other client can find
    by its path.
    """

    def __init__(
        self, http: HttpClient, kernel: Kernel, *, path: str, name: str, session_id: RestSessionId | None
    ) -> None:
        self._rest = RestApi(http)
        self.kernel = kernel
        self.path = path
        self.name = name
        self.id = session_id

    async def close(self) -> None:
        """End the connection; the kernel goes on, and can be joined again."""
        await self.kernel.close()

    async def shutdown(self) -> None:
        """End the session and its kernel; what waits for the kernel fails with :class:`KernelDied`."""
        if self.id is None:
            await self.kernel.shutdown()
            return
        await self._rest.close_session(self.id)
        await self.kernel.ended()


def _choices(sessions: Sequence[SessionModel]) -> str:
    if not sessions:
        return "There are no sessions."
    lines = (f"  {session.id}  {session.path} ({session.kernel.name})" for session in sessions)
    return "The sessions are:\n" + "\n".join(lines)


def _user() -> str:
    if sys.platform == "win32":
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run as a user who has no name.
        return str(os.getuid())
