"""The sessions at gateways, as a notebook server shows and changes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import uuid4
from weakref import WeakKeyDictionary

import msgspec

from kernelway.client.gateway import ServerKind
from kernelway.client.session import another_path
from kernelway.jupyter.place import Place
from kernelway.jupyter.remote_kernels import JOINED, Model, RemoteKernels
from kernelway.jupyter.session_paths import foreign_path
from kernelway.protocol.errors import Conflict, NotFound
from kernelway.protocol.models import (
    KernelId,
    OpenSession,
    SessionKernel,
    SessionModel,
    UpdateSession,
)

_LEFT: Final = "#left#"
"""In the path of what is left of a session whose kernel was not to end; shown while nobody else has that."""

_KEEPING: Final = frozenset({ServerKind.KERNELWAY, ServerKind.JUPYTER_SERVER})

_SHOWN_TYPE: Final = "console"
"""The type under which others' sessions are shown, so that a page can open them."""


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """A session at a gateway, and what clients of this server call it."""

    place: Place
    model: SessionModel
    """As the gateway has it."""
    id: str
    """What clients call it: the gateway's own id, or the one it had before it came there."""
    path: str
    is_own: bool
    """Whether it is one of this server's files'."""

    @property
    def joined(self) -> bool:
        """Whether its kernel was there before."""
        return self.model.path.endswith(JOINED)

    @property
    def kernel_id(self) -> KernelId:
        """Its kernel's id."""
        return self.model.kernel.id


class RemoteSessions:
    """Finds, opens, changes and closes sessions at gateways. Its errors are the gateways' own.

    A session keeps the id that its clients know wherever it moves, for as long as this server runs.
    """

    def __init__(self, kernels: RemoteKernels) -> None:
        self._kernels = kernels
        self._places = kernels.places
        self._ids: dict[str, str] = {}
        """What clients call a session, by the gateway's own id, where that is not the same."""
        self._kinds: WeakKeyDictionary[Place, ServerKind] = WeakKeyDictionary()

    def all(self) -> Iterator[RemoteSession]:
        """Every session that is shown, as it was last known."""
        for place in self._places.all():
            used = [each.kernel.id for each in place.sessions.values()]
            for model in place.sessions.values():
                if _LEFT not in model.path or used.count(model.kernel.id) == 1:
                    yield self._seen(place, model)

    def shown(self, session: RemoteSession) -> Model:
        """A session as this server's API tells of it."""
        place, model = session.place, session.model
        shown: Model = {
            "id": session.id,
            "path": session.path,
            "name": model.name,
            "type": model.type if session.is_own else _SHOWN_TYPE,
            "kernel": self._kernels.shown(place, place.kernels.get(session.kernel_id, model.kernel)),
        }
        if shown["type"] == "notebook":
            shown["notebook"] = {"path": shown["path"], "name": shown["name"]}
        return shown

    def with_id(self, session_id: str) -> RemoteSession | None:
        """The session that clients call so."""
        return next((each for each in self.all() if each.id == session_id), None)

    def at(self, path: str) -> RemoteSession | None:
        """The session of a path."""
        return next((each for each in self.all() if each.path == path), None)

    async def are_kept_at(self, place: Place) -> bool:
        """Whether a place can have this server's sessions.

        A kernel_gateway cannot, even where it lists some: it joins no kernel that runs, and changes none.
        """
        return place.keeps_sessions and await self._kind(place) in _KEEPING

    async def open(
        self,
        place: Place,
        path: str,
        *,
        name: str,
        type_: str,
        kernel: SessionKernel,
        called: str | None = None,
    ) -> RemoteSession:
        """The session of a file at a place, made where there is none.

        Its kernel is a new one, or that with the id. ``called`` is what clients call it already.
        """
        joins = kernel.id is not None and not self._kernels.was_started_here(kernel.id)
        request = OpenSession(path=self._own_path(path, joins=joins), type=type_, name=name, kernel=kernel)
        with self._kernels.asking(place):
            model = await place.gateway.rest.open_session(request)
        if kernel.id is None and model.kernel.id not in place.kernels:
            self._kernels.note_started(place, model.kernel)
        elif kernel.id is not None and model.kernel.id != kernel.id:
            raise Conflict(f"{path} has a session with another kernel on {place.name} already.")
        self._places.note_session(place, model)
        if called is not None:
            self._ids[model.id] = called
        return self._seen(place, model)

    def check_is_own(self, session: RemoteSession) -> None:
        """Raise :class:`Conflict` for a session that was made elsewhere: it is not to get another kernel."""
        if not session.is_own:
            raise Conflict(
                f"The session {session.path} was not made here, so it keeps its kernel: open a console or a "
                "notebook of your own."
            )

    async def change(
        self, session: RemoteSession, *, path: str | None, name: str | None, type_: str | None
    ) -> RemoteSession:
        """Change what a session is called; of those of others only the name can be changed."""
        if not session.is_own:
            if path not in (None, session.path):
                raise Conflict(
                    f"The session {session.path} was not made here, so its path cannot be changed."
                )
            path = type_ = None
        request = UpdateSession(
            path=None if path is None else self._own_path(path, joins=session.joined), name=name, type=type_
        )
        if request == UpdateSession():
            return session
        return await self._update(session, request)

    async def give(self, session: RemoteSession, kernel_id: KernelId) -> RemoteSession:
        """Have a session leave its kernel for another one of the same place."""
        left = session.kernel_id
        joins = not self._kernels.was_started_here(kernel_id)
        if await self._may_be_left(session):
            request = UpdateSession(kernel=SessionKernel(id=kernel_id))
            if session.is_own and joins != session.joined:
                request = msgspec.structs.replace(request, path=self._own_path(session.path, joins=joins))
            session = await self._update(session, request)
            if not self._kernels.sessions_of(left):
                self._kernels.forget(left)
            return session
        await self.leave(session)
        kernel = SessionKernel(id=kernel_id)
        model = session.model
        return await self.open(
            session.place, session.path, name=model.name, type_=model.type, kernel=kernel, called=session.id
        )

    async def leave(self, session: RemoteSession) -> None:
        """End a session here. Its kernel ends if this server started it and no other session has it."""
        if self._ends_with(session):
            await self.close(session)
            return
        # There is no request that ends a session and not its kernel: so it becomes one that is nobody's.
        path = session.model.path.removesuffix(JOINED).replace("//", "/")
        left = another_path(path + _LEFT.rstrip("#"))
        await self._update(session, UpdateSession(path=left, type=_SHOWN_TYPE))
        # The id that clients know goes with the session that they have.
        self._ids[session.model.id] = str(uuid4())

    async def close(self, session: RemoteSession) -> None:
        """End a session and its kernel."""
        with self._kernels.asking(session.place):
            try:
                await session.place.gateway.rest.close_session(session.model.id)
            finally:
                self._places.forget_session(session.model.id)
                self._kernels.forget(session.kernel_id)
        self._ids.pop(session.model.id, None)

    def _ends_with(self, session: RemoteSession) -> bool:
        others = [
            each for each in self._kernels.sessions_of(session.kernel_id) if each.id != session.model.id
        ]
        return not others and self._kernels.is_ours(session.kernel_id)

    async def _may_be_left(self, session: RemoteSession) -> bool:
        """Whether a gateway does what is wanted with the kernel of a session that gets another one.

        A stock server ends it whoever has it.
        """
        if self._ends_with(session):
            return True
        if len(self._kernels.sessions_of(session.kernel_id)) < 2:
            return False
        return await self._kind(session.place) is ServerKind.KERNELWAY

    async def _kind(self, place: Place) -> ServerKind:
        """What answers at a place, asked once."""
        if (known := self._kinds.get(place)) is not None:
            return known
        with self._kernels.asking(place):
            kind = self._kinds[place] = (await place.gateway.check()).kind
        return kind

    async def _update(self, session: RemoteSession, request: UpdateSession) -> RemoteSession:
        with self._kernels.asking(session.place):
            try:
                model = await session.place.gateway.rest.update_session(session.model.id, request)
            except NotFound:
                self._places.forget_session(session.model.id)
                raise
        self._places.note_session(session.place, model)
        return self._seen(session.place, model)

    def _own_path(self, path: str, *, joins: bool) -> str:
        return self._kernels.own.to_gateway(path) + (JOINED if joins else "")

    def _seen(self, place: Place, model: SessionModel) -> RemoteSession:
        local = self._kernels.own.to_local(model.path)
        return RemoteSession(
            place=place,
            model=model,
            id=self._ids.get(model.id, model.id),
            path=foreign_path(place.name, model.path) if local is None else local.removesuffix(JOINED),
            is_own=local is not None,
        )
