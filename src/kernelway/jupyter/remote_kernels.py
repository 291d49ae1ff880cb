"""What a notebook server does with remote kernels: asked in its terms, done at their gateways."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

from msgspec import UNSET

from kernelway.client.names import remote_name
from kernelway.jupyter.offers import Offers
from kernelway.jupyter.one_by_one import OneByOne
from kernelway.jupyter.place import Place
from kernelway.jupyter.places import Places
from kernelway.jupyter.session_paths import OwnPaths
from kernelway.protocol.errors import LinkError, NotFound, Unreachable
from kernelway.protocol.models import KernelId, KernelModel, SessionModel, StartKernel

Model: TypeAlias = dict[str, Any]
"""What Jupyter's REST API answers, as plain values."""

JOINED: Final = "//joined"
"""What the path of a session at a gateway ends with whose kernel was there before, and so is not ours."""


class RemoteKernels:
    """The kernels of all places. Its errors are those of :mod:`kernelway.protocol.errors`.

    ``changed`` is called with the name of a place that offers other kernelspecs than it did.
    """

    def __init__(
        self, places: Places, own: OwnPaths, *, changed: Callable[[str], None] = lambda _: None
    ) -> None:
        self.places = places
        self.own = own
        self._changed = changed
        self._offers = Offers()
        self._started: set[str] = set()
        """The kernels that were started here since this server runs."""
        self._one_by_one = OneByOne()
        self._left: ContextVar[frozenset[str]] = ContextVar("left", default=frozenset())
        self._asked = False

    async def settled(self) -> None:
        """Return once every place has been asked for the first time, or has taken too long."""
        if not self._asked:
            await self.refresh()

    async def refresh(self) -> None:
        """Ask what runs where, and wait for less than a second."""
        await self.places.refresh()
        self._asked = True
        for name in self._offers.changed(self.places.all()):
            self._changed(name)

    def all(self) -> list[Model]:
        """The models of all kernels, as they were last known."""
        return [self.shown(place, model) for place in self.places.all() for model in place.kernels.values()]

    async def model(self, kernel_id: str) -> Model:
        """A kernel as it is now; :class:`NotFound`, or :class:`Unreachable` where that cannot be known."""
        place = await self._place(kernel_id)
        with self.asking(place):
            try:
                model = await place.gateway.rest.kernel(kernel_id)
            except NotFound:
                self.forget(kernel_id)
                raise
        self.places.note_kernel(place, model)
        return self.shown(place, model)

    def shown(self, place: Place, model: KernelModel) -> Model:
        """A kernel as this server's API tells of it."""
        shown: Model = {
            "id": model.id,
            "name": remote_name(model.name, place.label),
            "last_activity": model.last_activity,
            "execution_state": model.execution_state.value,
            "connections": model.connections,
            "kernelway": {"place": place.name, "ours": self.is_ours(model.id)},
        }
        reason = place.unreachable or (None if model.reason is UNSET else model.reason)
        return shown if reason is None else shown | {"reason": reason}

    def is_ours(self, kernel_id: str) -> bool:
        """Whether this server started it, now or before it was started again itself."""
        return kernel_id in self._started or any(
            self.own.to_local(session.path) is not None and not session.path.endswith(JOINED)
            for session in self.sessions_of(kernel_id)
        )

    def was_started_here(self, kernel_id: str) -> bool:
        """Whether this server has started it since it runs."""
        return kernel_id in self._started

    def sessions_of(self, kernel_id: str) -> list[SessionModel]:
        """The sessions at its gateway that have a kernel, as they were last known."""
        place = self.places.place_of(kernel_id)
        known = () if place is None else place.sessions.values()
        return [session for session in known if session.kernel.id == kernel_id]

    async def start(self, place: Place, request: StartKernel) -> KernelId:
        """Start a kernel at a place; the kernel's name in the request is that at the place."""
        with self.asking(place):
            model = await place.gateway.rest.start_kernel(request)
        self.note_started(place, model)
        return model.id

    def note_started(self, place: Place, model: KernelModel) -> None:
        """This server started the kernel, by whatever request."""
        self._started.add(model.id)
        self.places.note_kernel(place, model)

    async def interrupt(self, kernel_id: str) -> None:
        """Interrupt what a kernel runs."""
        place = await self._place(kernel_id)
        with self.asking(place):
            await place.gateway.rest.interrupt_kernel(kernel_id)

    async def restart(self, kernel_id: str) -> None:
        """Start a kernel anew."""
        place = await self._place(kernel_id)
        with self.asking(place):
            model = await place.gateway.rest.restart_kernel(kernel_id)
        self.places.note_kernel(place, model)

    async def shut_down(self, kernel_id: str) -> None:
        """End a kernel because somebody asked for its end; of several that others started none ends.

        A kernel that was just left by a session of the same request is left alone.
        """
        if kernel_id in self._left.get():
            return
        await self.may_end(kernel_id)
        await self.end(kernel_id)

    async def may_end(self, kernel_id: str) -> None:
        """Return where the end of a kernel is meant; :class:`Conflict` where it is one of many."""
        if not self.is_ours(kernel_id):
            await self._one_by_one.admit(kernel_id)

    async def end(self, kernel_id: str) -> None:
        """End a kernel."""
        place = await self._place(kernel_id)
        with self.asking(place):
            try:
                await place.gateway.rest.shutdown_kernel(kernel_id)
            finally:
                # Where it is not known whether it ended, the next list tells.
                self.forget(kernel_id)

    def note_left(self, kernel_id: str) -> None:
        """A session has another kernel now, and what is to happen to this one has happened.

        jupyter_server goes on to shut it down in the same request, which is not meant for a remote kernel.
        """
        self._left.set(self._left.get() | {kernel_id})

    async def leave(self, kernel_id: str) -> None:
        """No session here has the kernel any more: it ends if it is ours, and no other session has it."""
        self.note_left(kernel_id)
        if self.is_ours(kernel_id) and not self.sessions_of(kernel_id):
            await self.end(kernel_id)

    def forget(self, kernel_id: str) -> None:
        """The kernel is gone."""
        self._started.discard(kernel_id)
        self.places.forget_kernel(kernel_id)

    @contextlib.contextmanager
    def asking(self, place: Place) -> Iterator[None]:
        """Around a request to a place: what it meets on the way is told to the place too."""
        try:
            yield
        except LinkError as error:
            place.trouble(error)
            raise

    async def _place(self, kernel_id: str) -> Place:
        place = await self.places.find(kernel_id)
        if place is None:
            raise NotFound(f"Kernel does not exist: {kernel_id}")
        return place

    def absence(self, kernel_id: str) -> NotFound | Unreachable:
        """Why a kernel is not known here: it is nowhere, or a place that was never heard from may have it."""
        for place in self.places.all():
            if not place.answered:
                why = place.unreachable or f"{place.name} has not answered yet."
                return Unreachable(f"The kernel {kernel_id} may be on {place.name}. {why}")
        if not self._asked:
            return Unreachable("The gateways have not been asked yet.")
        return NotFound(f"Kernel does not exist: {kernel_id}")


def environ_at(place: Place, environ: Mapping[str, str]) -> dict[str, str]:
    """What of a local kernel's environment one at a place is given: what means something elsewhere."""
    passed = {
        name: value
        for name, value in environ.items()
        if name == "JPY_SESSION_NAME" or name.startswith("KERNEL_")
    }
    return place.env | passed
