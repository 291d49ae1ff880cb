"""The REST models as stock servers of many versions answer them, read into our own.

What a server may leave out or call by another name, and where it does: kernel_gateway's sessions have no
``name`` and no ``type``, and their path inside ``notebook``; old and forked servers know execution states
that no client does.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from kernelway.protocol.models import ExecutionState, KernelId, KernelModel, RestSessionId, SessionModel

_STATES: Final = frozenset(state.value for state in ExecutionState)


class KernelAnswer(msgspec.Struct, frozen=True):
    """A kernel, as a server tells of it."""

    id: KernelId
    name: str = ""
    last_activity: str = ""
    execution_state: str = ""
    connections: int = 0
    reason: str | None = None

    def model(self) -> KernelModel:
        """The kernel in our terms; a state that no client knows counts as starting."""
        state = self.execution_state
        return KernelModel(
            id=self.id,
            name=self.name,
            last_activity=self.last_activity,
            execution_state=ExecutionState(state) if state in _STATES else ExecutionState.STARTING,
            connections=max(self.connections, 0),
            reason=self.reason or UNSET,
        )


class _Notebook(msgspec.Struct, frozen=True):
    path: str = ""
    name: str | None = None


class SessionAnswer(msgspec.Struct, frozen=True):
    """A session, as a server tells of it; ``kernel`` may be missing while it starts."""

    id: RestSessionId
    path: str = ""
    name: str | None = None
    type: str = "notebook"
    notebook: _Notebook | None = None
    kernel: KernelAnswer | None = None

    def model(self) -> SessionModel | None:
        """The session in our terms, or None while it has no kernel."""
        if self.kernel is None:
            return None
        old = self.notebook or _Notebook()
        path = self.path or old.path
        name = self.name or old.name or path.rpartition("/")[2]
        return SessionModel(id=self.id, path=path, name=name, type=self.type, kernel=self.kernel.model())


class VersionAnswer(msgspec.Struct, frozen=True):
    """What ``/api`` answers; ``kernelway`` and ``gateway_version`` tell whose answer it is."""

    version: str = ""
    kernelway: str | None = None
    gateway_version: str | None = None


def sparse(body: msgspec.Struct) -> dict[str, Any]:
    """A request's body without what is not asked for.

    kernel_gateway takes an empty ``env`` for the wish to have none of its own environment either, and
    jupyter_server a ``name`` of null for a kernelspec's name.
    """
    return {name: value for name, value in _fields(body) if value not in (None, {})}


def _fields(body: msgspec.Struct) -> list[tuple[str, Any]]:
    pairs = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return [(name, sparse(value) if isinstance(value, msgspec.Struct) else value) for name, value in pairs]
