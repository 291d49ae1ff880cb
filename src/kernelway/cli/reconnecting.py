"""What a person is told while a kernel cannot be reached: since when, and why; and when it can be again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from kernelway.cli.show.paint import Paint, Tone
from kernelway.cli.show.terminal import Terminal
from kernelway.cli.show.view import StandingView, View
from kernelway.client import Feed, LinkEvent, LinkStatus
from kernelway.source.terminal import clipped

_FLICKER: Final = 0.3
"""Seconds for which a row on a terminal is held back: many breaks are over by then."""

_NEWS: Final = 2.0
"""Seconds after which a break is worth a line in a log."""

_KNOWN: Final = re.compile(r"The (?:server closed the )?connection to kernel [\w-]+(?: broke)?: ")
"""What a reason begins with that says no more than the sentence it stands in."""


class Linked(Protocol):
    """What has a link: a kernel, or its log."""

    @property
    def link(self) -> LinkEvent:
        """How it is now."""

    def link_events(self) -> Feed[LinkEvent]:
        """How it changes from now on."""


class Reconnecting:
    """Follows a link while the context is open.

    ``stand`` shows a row that stays until it is given another, or nothing; without it whole lines go to
    ``say``, one for a break that lasts and one for its end. ``where`` is what people call the other side.
    """

    def __init__(
        self,
        linked: Linked,
        where: str,
        *,
        stand: Callable[[str], None] | None,
        say: Callable[[str], None],
    ) -> None:
        self._linked = linked
        self._where = where
        self._stand = stand
        self._say = say
        self._now = linked.link
        self._told = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow(self._linked.link_events()), name="tell of the link")
        self._take(self._linked.link)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._settle()

    async def _follow(self, events: Feed[LinkEvent]) -> None:
        async for event in events:
            self._take(event)

    def _take(self, event: LinkEvent) -> None:
        self._now = event
        if event.status is not LinkStatus.RECONNECTING:
            self._settle()
        elif self._told and self._stand is not None:
            self._stand(self._sentence())
        elif not self._told and self._timer is None:
            after = _NEWS if self._stand is None else _FLICKER
            self._timer = asyncio.get_running_loop().call_later(after, self._tell)

    def _tell(self) -> None:
        self._timer, self._told = None, True
        (self._say if self._stand is None else self._stand)(self._sentence())

    def _settle(self) -> None:
        """Take back what was told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._told:
            return
        self._told = False
        if self._stand is not None:
            self._stand("")
        elif self._now.status is LinkStatus.CONNECTED:
            self._say(f"Connected to {self._where} again.")

    def _sentence(self) -> str:
        reason = _KNOWN.sub("", self._now.reason).rstrip(".")
        why = f" ({reason})" if reason else ""
        return f"⟳ Reconnecting to {self._where} since {self._now.since.astimezone():%H:%M:%S}{why} …"


def telling(
    linked: Linked, where: str, view: View | None, stderr: TextIO, terminal: Terminal
) -> Reconnecting:
    """Tell of a link at the foot of a live view, else on stderr, whose ``terminal`` it is."""

    def say(text: str) -> None:
        print(text, file=stderr, flush=True)

    def row(text: str) -> None:
        paint = Paint(colours=terminal.colours)
        stderr.write("\r\x1b[K" + paint(clipped(text, terminal.size().columns - 1), Tone.WARNING))
        stderr.flush()

    if isinstance(view, StandingView):
        return Reconnecting(linked, where, stand=view.stand, say=say)
    return Reconnecting(linked, where, stand=row if terminal.moves else None, say=say)
