"""What several connections say of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kernelway.client import Kernel
from kernelway.client.link_status import LinkEvent, LinkStatus


@dataclass(frozen=True, slots=True)
class Links:
    """Listens to the links of some kernels from now on."""

    latest: dict[Kernel, LinkEvent]
    _changed: asyncio.Event
    _tasks: list[asyncio.Task[None]]

    @classmethod
    def of(cls, kernels: Sequence[Kernel]) -> Links:
        """Entered in ``async with``, which ends the listening."""
        return cls({kernel: kernel.link for kernel in kernels}, asyncio.Event(), [])

    async def __aenter__(self) -> Links:
        self._tasks.extend(asyncio.create_task(self._listen(kernel)) for kernel in self.latest)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def all_reconnecting(self) -> None:
        """Wait until every link says that it reconnects."""
        await self._all(lambda event: event.status is LinkStatus.RECONNECTING)

    async def all_connected_since(self, moment: datetime) -> None:
        """Wait until every link says that it was connected after this moment."""
        await self._all(lambda event: event.status is LinkStatus.CONNECTED and event.since > moment)

    async def _all(self, wanted: Callable[[LinkEvent], bool]) -> None:
        while not all(wanted(event) for event in self.latest.values()):
            self._changed.clear()
            await self._changed.wait()

    async def _listen(self, kernel: Kernel) -> None:
        async for event in kernel.link_events():
            self.latest[kernel] = event
            self._changed.set()


def now() -> datetime:
    """This moment, on the clock of link events."""
    return datetime.now(UTC)
