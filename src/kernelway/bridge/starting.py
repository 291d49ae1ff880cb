"""The kernel that a bridge starts for its client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from kernelway.client import Gateway
from kernelway.client.session import join, own_session_path
from kernelway.protocol.errors import Forbidden, NotFound
from kernelway.protocol.models import (
    KernelId,
    OpenSession,
    RestSessionId,
    SessionKernel,
    StartKernel,
    UpdateSession,
)

_HANDED_ON: Final = ("JPY_", "KERNEL_")
"""What the names of variables begin with that clients set for their kernels."""

_OF_THIS_PROCESS: Final = frozenset({"JPY_PARENT_PID", "JPY_INTERRUPT_EVENT"})
_SECRET: Final = frozenset({"JPY_API_TOKEN", "JPY_COOKIE_SECRET"})
"""JupyterHub's own, under old names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The kernel that is to be started."""

    file: Path
    """The connection file, which makes the session one of this client alone."""
    kernel: str | None
    """The kernelspec; the gateway's default one where it is None."""
    name: str
    """What people read in lists of sessions."""
    cwd: str | None
    env: Mapping[str, str]
    lease: float | None
    """Seconds for which it may be without anybody who is connected."""


def handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the client's that are meant for the kernel."""
    left_out = _OF_THIS_PROCESS | _SECRET
    return {
        name: value for name, value in environ.items() if name.startswith(_HANDED_ON) and name not in left_out
    }


def name_for(file: Path, environ: Mapping[str, str]) -> str:
    """The name of the notebook that the client says it is for; else that of the connection file."""
    return PurePath(environ.get("JPY_SESSION_NAME", "")).name or file.stem


async def start(gateway: Gateway, wanted: Wanted) -> tuple[KernelId, RestSessionId | None]:
    """Start the kernel in a session of its own; the session is None on servers that list none.

    A bridge of the same connection file may have been killed, as clients do that restart a kernel at once,
    and have left its kernel: that one ends, unless another session has it too.
    """
    path = own_session_path(wanted.file)
    kernel = SessionKernel(name=wanted.kernel, path=wanted.cwd, env=dict(wanted.env), lease=wanted.lease)
    try:
        before = join(await gateway.sessions(), path, kernel=None)
    except (Forbidden, NotFound):
        plain = await gateway.rest.start_kernel(
            StartKernel(name=wanted.kernel, path=wanted.cwd, env=dict(wanted.env), lease=wanted.lease)
        )
        return plain.id, None
    if before is None:
        made = await gateway.rest.open_session(
            OpenSession(path=path, type="file", name=wanted.name, kernel=kernel)
        )
        return made.kernel.id, made.id
    # Only a kernel that is named is a new one.
    named = SessionKernel(
        name=wanted.kernel or before.kernel.name, path=kernel.path, env=kernel.env, lease=kernel.lease
    )
    changed = await gateway.rest.update_session(before.id, UpdateSession(name=wanted.name, kernel=named))
    return changed.kernel.id, changed.id
