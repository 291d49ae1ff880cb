"""Sessions of the REST API: paths joined to kernels."""

from __future__ import annotations

import asyncio
import uuid
import weakref
from dataclasses import dataclass, replace

from kernelway.host.journals import Journals
from kernelway.host.kernel import Kernel
from kernelway.host.kernels import Kernels
from kernelway.protocol.errors import InvalidRequest, NotFound
from kernelway.protocol.models import (
    EndedSession,
    KernelId,
    OpenSession,
    RestSessionId,
    SessionKernel,
    SessionModel,
    StartKernel,
    UpdateSession,
)


@dataclass(frozen=True, slots=True)
class _Session:
    id: RestSessionId
    path: str
    name: str
    type: str
    kernel_id: KernelId


class Sessions:
    """Opens, changes and closes sessions. A session whose kernel was shut down is gone."""

    def __init__(self, kernels: Kernels, journals: Journals) -> None:
        self._kernels = kernels
        self._journals = journals
        self._sessions: dict[RestSessionId, _Session] = {}
        # A lock is here for as long as somebody holds it or waits for it.
        self._opening: weakref.WeakValueDictionary[tuple[str, str], asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    def all(self) -> list[SessionModel]:
        """Every session with its kernel's present model."""
        return [self._model(session) for session in self._living()]

    def get(self, session_id: RestSessionId) -> SessionModel:
        """One session; :class:`NotFound` where there is none."""
        return self._model(self._find(session_id))

    async def open(self, request: OpenSession) -> SessionModel:
        """The session of that path and type, as it is; or a new one with the kernel that was asked for.

        Two opened at once for one path are one. Errors as for starting a kernel.
        """
        key = (request.path, request.type)
        lock = self._opening.setdefault(key, asyncio.Lock())
        async with lock:
            return self._model(self._of_path(*key) or await self._create(request))

    async def _create(self, request: OpenSession) -> _Session:
        kernel = await self._kernel(request.kernel)
        session_id = RestSessionId(str(uuid.uuid4()))
        session = _Session(session_id, request.path, request.name, request.type, kernel.id)
        self._sessions[session_id] = session
        self._note(kernel.id)
        return session

    async def _kernel(self, wanted: SessionKernel) -> Kernel:
        if wanted.id is not None:
            kernel = self._kernels.get(wanted.id)
            # Whoever started it is not the only one to have it any more.
            kernel.lease.void()
            return kernel
        return await self._kernels.start(
            StartKernel(name=wanted.name, path=wanted.path, env=wanted.env, lease=wanted.lease)
        )

    async def update(self, session_id: RestSessionId, request: UpdateSession) -> SessionModel:
        """Change what the request names.

        A session that gets another kernel leaves its old one, which ends unless another session has it: that
        is how "change kernel" works in Jupyter's interfaces.
        """
        self._find(session_id)
        kernel_id = await self._new_kernel(session_id, request.kernel)
        before = self._find(session_id)
        after = replace(
            before,
            path=before.path if request.path is None else request.path,
            name=before.name if request.name is None else request.name,
            type=before.type if request.type is None else request.type,
            kernel_id=kernel_id or before.kernel_id,
        )
        self._sessions[session_id] = after
        self._note(after.kernel_id)
        if after.kernel_id != before.kernel_id:
            await self._leave(before.kernel_id)
        return self._model(after)

    async def _leave(self, kernel_id: KernelId) -> None:
        if self._is_used(kernel_id):
            self._note(kernel_id)
        else:
            # Its journal goes on to name the session that it ends with.
            await self._kernels.shutdown(kernel_id)

    async def _new_kernel(self, session_id: RestSessionId, wanted: SessionKernel | None) -> KernelId | None:
        if wanted is None or not (wanted.id or wanted.name):
            return None
        if wanted.id == self._find(session_id).kernel_id:
            return wanted.id
        kernel = await self._kernel(wanted)
        if session_id not in self._sessions and not wanted.id:
            # The session was closed while its kernel started, which nobody else knows of.
            await self._kernels.shutdown(kernel.id)
        return kernel.id

    async def close(self, session_id: RestSessionId) -> None:
        """End the session and its kernel, as Jupyter does; :class:`NotFound` where there is none."""
        session = self._find(session_id)
        await self._kernels.shutdown(session.kernel_id)
        self._sessions.pop(session_id, None)

    def _living(self) -> list[_Session]:
        there = {kernel.id for kernel in self._kernels}
        for session in tuple(self._sessions.values()):
            if session.kernel_id not in there:
                del self._sessions[session.id]
        return list(self._sessions.values())

    def _find(self, session_id: RestSessionId) -> _Session:
        for session in self._living():
            if session.id == session_id:
                return session
        raise NotFound(f"There is no session {session_id!r} here.")

    def _of_path(self, path: str, type_: str) -> _Session | None:
        if not path:
            raise InvalidRequest("A session needs a path.")
        return next((each for each in self._living() if (each.path, each.type) == (path, type_)), None)

    def _is_used(self, kernel_id: KernelId) -> bool:
        return any(session.kernel_id == kernel_id for session in self._living())

    def _note(self, kernel_id: KernelId) -> None:
        """Write down in the kernel's journal which sessions have it."""
        having = [session for session in self._living() if session.kernel_id == kernel_id]
        noted = [EndedSession(each.id, each.path, each.name, each.type) for each in having]
        self._journals.note_sessions(kernel_id, noted)

    def _model(self, session: _Session) -> SessionModel:
        kernel = self._kernels.get(session.kernel_id).model()
        return SessionModel(session.id, session.path, session.name, session.type, kernel)
