"""What is known of one gateway: its kernelspecs, kernels and sessions, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from kernelway.protocol.models import (
    KernelId,
    KernelModel,
    KernelSpecModel,
    RestSessionId,
    SessionModel,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What a gateway has; each change makes another value."""

    kernelspecs: Mapping[str, KernelSpecModel] = field(default_factory=dict)
    default_kernelspec: str | None = None
    kernels: Mapping[KernelId, KernelModel] = field(default_factory=dict)
    sessions: Mapping[RestSessionId, SessionModel] = field(default_factory=dict)

    def with_kernel(self, model: KernelModel) -> Lists:
        """A kernel was started, or has another state; its sessions have it so too."""
        sessions = {
            each.id: _having(each, model) if each.kernel.id == model.id else each
            for each in self.sessions.values()
        }
        return replace(self, kernels={**self.kernels, model.id: model}, sessions=sessions)

    def with_session(self, model: SessionModel) -> Lists:
        """A session was made or changed."""
        sessions = {**self.sessions, model.id: model}
        return replace(self, kernels={**self.kernels, model.kernel.id: model.kernel}, sessions=sessions)

    def without_kernel(self, kernel_id: KernelId) -> Lists:
        """A kernel was ended, and with it the sessions that had it."""
        kernels = {each: model for each, model in self.kernels.items() if each != kernel_id}
        sessions = {each: model for each, model in self.sessions.items() if model.kernel.id != kernel_id}
        return replace(self, kernels=kernels, sessions=sessions)

    def without_session(self, session_id: RestSessionId) -> Lists:
        """A session was ended, and with it its kernel, unless another session has that."""
        ended = self.sessions.get(session_id)
        if ended is None:
            return self
        left = {each: model for each, model in self.sessions.items() if each != session_id}
        if any(model.kernel.id == ended.kernel.id for model in left.values()):
            return replace(self, sessions=left)
        return replace(self, sessions=left).without_kernel(ended.kernel.id)


Change: TypeAlias = Callable[[Lists], Lists]
"""What this server did itself; to be made again in answers to questions that were asked before it."""


def by_id(kernels: Iterable[KernelModel], sessions: Iterable[SessionModel]) -> Lists:
    """The lists of a server, which it told one after the other: a kernel may be in one of them alone."""
    sessions_by_id = {each.id: each for each in sessions}
    of_sessions = {each.kernel.id: each.kernel for each in sessions_by_id.values()}
    return Lists(kernels={**of_sessions, **{each.id: each for each in kernels}}, sessions=sessions_by_id)


def _having(session: SessionModel, kernel: KernelModel) -> SessionModel:
    return SessionModel(id=session.id, path=session.path, name=session.name, type=session.type, kernel=kernel)
