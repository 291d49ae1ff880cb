"""The gateways of a notebook server, and what runs on which."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from kernelway.client.inbox import Feed
from kernelway.client.names import find_remote
from kernelway.client.saved import GatewaysFile
from kernelway.jupyter.changes import Changes
from kernelway.jupyter.naming_gateways import NamedGateway
from kernelway.jupyter.place import Patience, Place, PlaceChange
from kernelway.jupyter.wanted import Wanted, WantedPlaces
from kernelway.protocol.errors import Unreachable
from kernelway.protocol.models import KernelId, KernelModel, RestSessionId, SessionModel

LISTS_WITHIN: Final = 0.7
"""Seconds that a list waits for the gateways at most."""

FINDS_WITHIN: Final = 5.0
"""Seconds that looking for one kernel waits for the gateways at most."""

MOST_RETIRED: Final = 16
"""Connections to gateways that are no longer saved, kept for who is linked there; the oldest goes."""


class Places:
    """The saved gateways, those that settings name, and this machine's own where it runs, in this order.

    ``named`` is what :mod:`kernelway.jupyter.naming_gateways` made of the settings. One of the same URL as a
    saved gateway is left out. Where two places know a kernel (one gateway under two names) it is the first
    one's.

    It is entered with ``async with``, or begins with the first :meth:`refresh`; :meth:`aclose` ends it.
    Leaving it ends no kernel. A gateway that is taken out of the file is no longer here, but what is linked
    to its kernels stays so.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        file: GatewaysFile | None = None,
        named: Sequence[NamedGateway] = (),
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._wanted = WantedPlaces(environ, file=file or GatewaysFile(), named=named)
        self._places: dict[str, tuple[Wanted, Place]] = {}
        self._retired: list[Place] = []
        self._retiring: set[asyncio.Task[None]] = set()
        self._changes = Changes()
        self._started = False
        self._over = False

    async def start(self) -> None:
        """Read which places there are; the second time it does nothing."""
        if not self._started:
            self._started = True
            self._look()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End everything that is under way, and the connections; no kernel ends. Twice is no error."""
        self._over = True
        self._changes.end()
        while self._retiring:
            await asyncio.wait(self._retiring)
        places = [place for _, place in self._places.values()] + self._retired
        self._places, self._retired = {}, []
        await asyncio.gather(*(place.aclose() for place in places))

    def all(self) -> tuple[Place, ...]:
        """Every place, whether it answers or not; this machine's own only while it runs."""
        return tuple(place for wanted, place in self._places.values() if not _is_gone(wanted, place))

    async def refresh(self, *, within: float = LISTS_WITHIN) -> None:
        """Ask every place that is not known to be unreachable, and wait so many seconds at most.

        What has not answered so long after it was asked is as it was last known, and goes on being asked.
        What has answered within the last half a second, and was not changed by this server since, is not
        asked. Two at once ask once. It never raises for a place.
        """
        pending, until = set[asyncio.Task[None]](), _now()
        for place, asking in self._ask():
            # One that hangs is waited for by the first who asks it, and not by each who comes after.
            if (patience := place.asked_at + within) > _now():
                pending.add(asking)
                until = max(until, patience)
        if pending:
            await asyncio.wait(pending, timeout=until - _now())

    def place_of(self, kernel_id: str) -> Place | None:
        """Where a kernel is, from what is known."""
        return next((place for place in self.all() if kernel_id in place.kernels), None)

    async def find(self, kernel_id: str, *, within: float = FINDS_WITHIN) -> Place | None:
        """Where a kernel is, asked anew where that is not known; None where no place has it.

        Raises :class:`Unreachable` where a place that has never answered may have it.
        """
        found, until = self.place_of(kernel_id), _now() + within
        if found is not None:
            return found
        pending = {asking for _, asking in self._ask(anew=True)}
        while pending and found is None and (left := until - _now()) > 0:
            _, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            found = self.place_of(kernel_id)
        if found is None:
            await asyncio.gather(*(place.look_for(KernelId(kernel_id)) for place in self.all()))
            found = self.place_of(kernel_id)
        if found is None:
            self._check_all_were_heard(kernel_id)
        return found

    def kernelspec(self, name: str) -> tuple[Place, str] | None:
        """The place in a name such as ``python3.gpu-box``, and the kernelspec's name there.

        The place need not be known to have it; one that offers no kernelspecs is never meant.
        """
        places = {place.name: place for place in self.all() if place.offers_kernelspecs}
        found = find_remote(name, places)
        return None if found is None else (places[found.gateway], found.kernelspec)

    def session(self, session_id: str) -> tuple[Place, SessionModel] | None:
        """A session of a gateway, from what is known."""
        wanted = RestSessionId(session_id)
        return next(
            ((place, place.sessions[wanted]) for place in self.all() if wanted in place.sessions), None
        )

    def note_kernel(self, place: Place, model: KernelModel) -> None:
        """This server started the kernel, or has just heard from it: it is known at once.

        Where the gateway lists no kernels it is asked for this one from now on.
        """
        place.note(lambda lists: lists.with_kernel(model), kernel=model.id)

    def note_session(self, place: Place, model: SessionModel) -> None:
        """This server made or changed the session: it and its kernel are known at once."""
        place.note(lambda lists: lists.with_session(model))

    def forget_kernel(self, kernel_id: str) -> None:
        """This server ended the kernel: it and its sessions are gone at once."""
        ended = KernelId(kernel_id)
        for place in self.all():
            if ended in place.kernels:
                place.note(lambda lists: lists.without_kernel(ended))

    def forget_session(self, session_id: str) -> None:
        """This server ended the session: it is gone at once, and its kernel unless another has that."""
        ended = RestSessionId(session_id)
        for place in self.all():
            if ended in place.sessions:
                place.note(lambda lists: lists.without_session(ended))

    def changes(self) -> Feed[PlaceChange]:
        """The places that are lost or back from now on; who reads slowly gets the latest of each place.

        A place that never answered is not lost. The feed ends when the places do.
        """
        return self._changes.follow()

    def _ask(self, *, anew: bool = False) -> Iterator[tuple[Place, asyncio.Task[None]]]:
        """The questions to those places that may answer, and whose last answer will not do."""
        if self._over:
            return
        self._look()
        for _, place in self._places.values():
            asking = place.ask(anew=anew) if place.error is None else None
            if asking is not None:
                yield place, asking

    def _check_all_were_heard(self, kernel_id: str) -> None:
        for place in self.all():
            if not place.answered:
                why = place.unreachable or "it is still being asked"
                raise Unreachable(
                    f"Kernel {kernel_id} may be on {place.name}, which has not answered yet: {why}."
                )

    def _look(self) -> None:
        """Make the places that are wanted now; who is wanted no longer retires."""
        wanted = self._wanted.look()
        if wanted == tuple(each for each, _ in self._places.values()):
            return
        before, self._places = self._places, {}
        for each in wanted:
            same = each.name in before and before[each.name][0] == each
            self._places[each.name] = before.pop(each.name) if same else (each, self._made(each))
        for _, place in before.values():
            self._retire(place)

    def _made(self, wanted: Wanted) -> Place:
        return Place(
            wanted.name,
            wanted.options,
            offers_kernelspecs=not wanted.is_local,
            is_here=wanted.is_here,
            env=wanted.env,
            told=self._changes.tell,
            patience=self._patience,
        )

    def _retire(self, place: Place) -> None:
        self._retired.append(place)
        self._own(place.retire(), f"retire {place.name}")
        if len(self._retired) > MOST_RETIRED:
            oldest = self._retired.pop(0)
            self._own(oldest.aclose(), f"close {oldest.name}")

    def _own(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


def _is_gone(wanted: Wanted, place: Place) -> bool:
    """Whether nobody listens on the socket of this machine's own gateway: it has ended, and its kernels."""
    return wanted.is_local and isinstance(place.error, Unreachable)


def _now() -> float:
    return asyncio.get_running_loop().time()
