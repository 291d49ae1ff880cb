"""The sessions of a notebook server: those of local kernels in its table, the others at their gateways."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from jupyter_core.utils import ensure_async

from kernelway.jupyter.assembly import Assembly
from kernelway.jupyter.http_errors import told
from kernelway.jupyter.kernels import KernelwayKernelManager
from kernelway.jupyter.place import Place
from kernelway.jupyter.places import LISTS_WITHIN
from kernelway.jupyter.remote_kernels import Model, environ_at
from kernelway.jupyter.remote_sessions import RemoteSession
from kernelway.jupyter.upstream import SessionManager
from kernelway.protocol.models import KernelId, SessionKernel


class KernelwaySessionManager(SessionManager):
    """Keeps the sessions of remote kernels where those are.

    Those of a gateway that keeps none are in the table, as local ones; they end with this server.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._being_made: set[asyncio.Future[None]] = set()

    @property
    def kernels(self) -> KernelwayKernelManager:
        """The kernels beside this; the extension puts both in their places, or none."""
        manager = self.kernel_manager
        assert isinstance(manager, KernelwayKernelManager)
        return manager

    @property
    def assembly(self) -> Assembly:
        """What is remote."""
        return self.kernels.assembly

    async def list_sessions(self) -> list[Model]:
        """All sessions; it waits for less than a second for gateways, and as long for those being made there.

        Notebook 7 opens the page of a new notebook before its kernel has started, which would ask for one.
        """
        if self._being_made:
            await asyncio.wait(tuple(self._being_made), timeout=LISTS_WITHIN)
        await self.assembly.kernels.refresh()
        sessions = self.assembly.sessions
        return [*await super().list_sessions(), *(sessions.shown(each) for each in sessions.all())]

    async def session_exists(self, path: str) -> bool:
        """Whether a path has a session, here or at a gateway."""
        if await super().session_exists(path):
            return True
        await self.assembly.kernels.settled()
        return self.assembly.sessions.at(path) is not None

    async def get_session(self, **kwargs: str) -> Model:
        """The session with these values (``session_id``, ``path``, ``name``, ``type``, ``kernel_id``)."""
        found = self._remote(kwargs)
        if found is None and not self._is_in_table(kwargs):
            await self.assembly.kernels.refresh()
            found = self._remote(kwargs)
        return await super().get_session(**kwargs) if found is None else self.assembly.sessions.shown(found)

    async def create_session(
        self,
        path: str | None = None,
        name: str | None = None,
        type: str | None = None,  # noqa: A002
        kernel_name: str | None = None,
        kernel_id: str | None = None,
    ) -> Model:
        """Make a session where its kernel is, of a new kernel or of one that runs."""
        remote = await self._place_for(kernel_name, kernel_id)
        if remote is None or path is None or not await self._are_kept_at(remote[0]):
            return await super().create_session(
                path=path, name=name, type=type, kernel_name=kernel_name, kernel_id=kernel_id
            )
        place, kernel = remote
        if kernel.id is None:
            kernel = await self._new_kernel(place, kernel.name, path, name)
        with told(), self._making():
            session = await self.assembly.sessions.open(
                place, path, name=name or "", type_=type or "notebook", kernel=kernel
            )
        return self.assembly.sessions.shown(session)

    @contextlib.contextmanager
    def _making(self) -> Iterator[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._being_made.add(done)
        try:
            yield
        finally:
            self._being_made.discard(done)
            done.set_result(None)

    async def start_kernel_for_session(self, session_id: str, **kwargs: str | None) -> str:
        """Start a kernel for a session that is to get another one."""
        found = self.assembly.sessions.with_id(session_id)
        if found is not None:
            with told():
                self.assembly.sessions.check_is_own(found)
        return await super().start_kernel_for_session(session_id, **kwargs)

    async def update_session(self, session_id: str, **kwargs: str) -> None:
        """Change a session's ``path``, ``name``, ``type`` or ``kernel_id``; it goes where its kernel is."""
        found = self.assembly.sessions.with_id(session_id)
        kernel_id = kwargs.pop("kernel_id", None)
        if found is None:
            await self._update_in_table(session_id, kwargs, kernel_id)
            return
        with told():
            changed = await self.assembly.sessions.change(
                found, path=kwargs.get("path"), name=kwargs.get("name"), type_=kwargs.get("type")
            )
            if kernel_id not in (None, changed.kernel_id):
                await self._move(changed, kernel_id)

    async def delete_session(self, session_id: str) -> None:
        """End a session and its kernel."""
        found = self.assembly.sessions.with_id(session_id)
        if found is None:
            await super().delete_session(session_id)
            return
        with told():
            await self.assembly.kernels.may_end(found.kernel_id)
            await self.assembly.sessions.close(found)

    async def _are_kept_at(self, place: Place) -> bool:
        with told():
            return await self.assembly.sessions.are_kept_at(place)

    def _remote(self, values: dict[str, Any]) -> RemoteSession | None:
        """The session at a gateway with these values; those of this server's own files come first."""
        sessions = self.assembly.sessions
        if set(values) == {"session_id"}:
            return sessions.with_id(values["session_id"])
        for each in sorted(sessions.all(), key=lambda each: not each.is_own):
            shown = sessions.shown(each)
            known = {**shown, "session_id": each.id, "kernel_id": each.kernel_id}
            if all(known.get(key) == value for key, value in values.items()):
                return each
        return None

    def _is_in_table(self, values: dict[str, Any]) -> bool:
        rows = self.cursor.execute("SELECT * FROM session").fetchall()
        return any(all(dict(row).get(key) == value for key, value in values.items()) for row in rows)

    async def _place_for(
        self, kernel_name: str | None, kernel_id: str | None
    ) -> tuple[Place, SessionKernel] | None:
        """Where a session's kernel is or will be, and what is asked for there; None for a local one."""
        if kernel_id is not None and self.kernels.is_local(kernel_id):
            return None
        meant = await self.kernels.meant(kernel_name)
        if kernel_id is not None and (kernel_name is None or meant is not None):
            with told():
                place = await self.assembly.places.find(kernel_id)
            if place is not None:
                return place, SessionKernel(id=KernelId(kernel_id))
        return None if meant is None else (meant[0], SessionKernel(name=meant[1]))

    async def _new_kernel(
        self, place: Place, kernelspec: str | None, path: str, name: str | None
    ) -> SessionKernel:
        """What is asked of a gateway for a new kernel of a file."""
        folder = await ensure_async(self.contents_manager.get_kernel_path(path=path))
        environ = environ_at(place, self.get_kernel_env(path, name))
        return SessionKernel(name=kernelspec, env=environ, path=self.kernels.folder_at(place, folder))

    async def _update_in_table(self, session_id: str, changes: dict[str, Any], kernel_id: str | None) -> None:
        before = await super().get_session(session_id=session_id)
        after = {key: before[key] for key in ("path", "name", "type")} | changes
        place = None if kernel_id is None else self.assembly.places.place_of(kernel_id)
        if place is not None and await self._are_kept_at(place):
            await self._open(place, session_id, after, KernelId(kernel_id or ""))
            self._delete_row(session_id)
        else:
            new = {} if kernel_id is None else {"kernel_id": kernel_id}
            await super().update_session(session_id, **changes, **new)
        old = before["kernel"]["id"]
        if kernel_id in (None, old) or self.kernels.is_local(old):
            return
        if self._is_in_table({"kernel_id": old}):
            self.assembly.kernels.note_left(old)
            return
        with told():
            await self.assembly.kernels.leave(old)

    async def _move(self, session: RemoteSession, kernel_id: str) -> None:
        """Have a session at a gateway leave its kernel for another one, wherever that is."""
        sessions = self.assembly.sessions
        sessions.check_is_own(session)
        self.assembly.kernels.note_left(session.kernel_id)
        place = self.assembly.places.place_of(kernel_id)
        if place is session.place:
            await sessions.give(session, KernelId(kernel_id))
            return
        values = {"path": session.path, "name": session.model.name, "type": session.model.type}
        kept = place is not None and await self._are_kept_at(place)
        if place is not None and kept:
            await self._open(place, session.id, values, KernelId(kernel_id))
        await sessions.leave(session)
        if not kept:
            await self.save_session(session.id, kernel_id=kernel_id, **values)

    async def _open(self, place: Place, session_id: str, values: dict[str, Any], kernel_id: KernelId) -> None:
        with told():
            await self.assembly.sessions.open(
                place,
                values["path"],
                name=values["name"] or "",
                type_=values["type"] or "notebook",
                kernel=SessionKernel(id=kernel_id),
                called=session_id,
            )

    def _delete_row(self, session_id: str) -> None:
        self.cursor.execute("DELETE FROM session WHERE session_id=?", (session_id,))
