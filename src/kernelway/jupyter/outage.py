"""What a browser and people are told while the link to a kernel is broken, and once it is back.

A browser is told that the kernel is busy: JupyterLab shows that, and goes on sending. At ``restarting`` and
``dead`` it would let go of whatever waits for an answer, and ``starting`` is shown of kernels that are new.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

from kernelway.client.backoff import delay
from kernelway.client.gateway import Gateway
from kernelway.client.link import Link
from kernelway.client.link_status import LinkEvent, LinkStatus
from kernelway.jupyter.notices import Notices
from kernelway.protocol.errors import KernelwayError, LinkLost, NotFound
from kernelway.protocol.link_framing import START, Position
from kernelway.protocol.models import ExecutionState, KernelId

log = logging.getLogger(__name__)

GRACE: Final = 1.0
"""Seconds that a break lasts before anybody is told of it."""

_TELLS: Final = frozenset({ExecutionState.IDLE, ExecutionState.BUSY, ExecutionState.STARTING})
"""States that can be told after a break; where another one is true, the kernel's own journal tells it."""


class Place(Protocol):
    """The gateway of a kernel, as :class:`kernelway.jupyter.place.Place` is one."""

    name: str

    @property
    def gateway(self) -> Gateway:
        """Entered; raises a :class:`KernelwayError` where it could not be."""

    def trouble(self, error: KernelwayError) -> None:
        """A link or a request met this."""


class Outage:
    """Follows one link; ``tell`` writes a state to the browser.

    ``link_id`` tells it from the place's other links, which break with it: people hear of all of them once.
    """

    def __init__(
        self,
        place: Place,
        kernel_id: KernelId,
        link: Link,
        *,
        link_id: str,
        notices: Notices,
        tell: Callable[[ExecutionState], None],
    ) -> None:
        self._place = place
        self._kernel_id = kernel_id
        self._link = link
        self._link_id = link_id
        self._notices = notices
        self._tell = tell
        self._following: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._broken = False
        self._told_busy = False
        """Whether the browser was told that the kernel is busy, and not yet what it is."""
        self._newest = START
        self._up_to_date = asyncio.Event()
        self._statuses = 0

    def follow(self) -> None:
        """Tell from now on."""
        self._following = self._start(self._follow())

    async def close(self) -> None:
        """Tell nothing more."""
        self._cancel_grace()
        tasks = [task for task in (self._following, self._restoring) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._notices.forget(self._place.name, self._link_id)

    def opened(self) -> None:
        """The link is there for the first time."""
        self._notices.mended(self._place.name, self._link_id)

    def joined(self, newest: Position) -> None:
        """A socket was joined; with this position it is up to date."""
        self._newest = newest
        self._up_to_date.clear()

    def reached(self, position: Position | None) -> None:
        """Everything up to a position has come."""
        if position is not None and position >= self._newest:
            self._up_to_date.set()

    def is_up_to_date(self) -> None:
        """Nothing that was missed is left to come."""
        self._up_to_date.set()

    def status_came(self) -> None:
        """The kernel has told its state."""
        self._statuses += 1

    def kernel_ended(self) -> None:
        """The link is gone because there is no kernel: its gateway has answered."""
        self._cancel_grace()
        self._notices.mended(self._place.name, self._link_id)

    def lost(self, error: KernelwayError) -> None:
        """The link is gone though the kernel may be there."""
        self._cancel_grace()
        self._place.trouble(error)
        self._notices.broken(self._place.name, self._link_id, str(error))

    async def _follow(self) -> None:
        self._heard(self._link.now)
        async for event in self._link.events():
            self._heard(event)

    def _heard(self, event: LinkEvent) -> None:
        if event.status is LinkStatus.RECONNECTING and not self._broken:
            self._broken = True
            if self._restoring is not None:
                self._restoring.cancel()
            self._place.trouble(LinkLost(event.reason))
            self._grace = asyncio.get_running_loop().call_later(GRACE, self._tell_broken)
        elif event.status is LinkStatus.CONNECTED and self._broken:
            self._broken = False
            self._cancel_grace()
            self._notices.mended(self._place.name, self._link_id)
            if self._told_busy:
                self._restoring = self._start(self._restore())

    def _tell_broken(self) -> None:
        self._grace = None
        if self._link.now.status is not LinkStatus.RECONNECTING:
            return
        self._notices.broken(self._place.name, self._link_id, self._link.now.reason)
        if not self._told_busy:
            self._told_busy = True
            self._tell(ExecutionState.BUSY)

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    async def _restore(self) -> None:
        """Tell the true state, once everything that was missed has come."""
        await self._up_to_date.wait()
        attempt = 0
        while True:
            # What comes while the gateway is asked is newer than its answer.
            statuses = self._statuses
            try:
                model = await self._place.gateway.rest.kernel(self._kernel_id)
            except NotFound:
                # The link is about to hear that too.
                return
            except KernelwayError as error:
                self._place.trouble(error)
            else:
                if self._statuses == statuses:
                    self._told_busy = False
                    if model.execution_state in _TELLS:
                        self._tell(model.execution_state)
                    return
            attempt += 1
            await asyncio.sleep(delay(attempt, 1.0))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"outages of kernel {self._kernel_id}")
        task.add_done_callback(_looked_at)
        return task


def _looked_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("What is told of a broken link failed.", exc_info=error)
