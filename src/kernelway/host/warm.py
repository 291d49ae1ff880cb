"""A kernel that waits: started and ready, and nobody's."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec

from kernelway.host.handing_out import hand_out, prepare
from kernelway.host.lifeline import Lifeline
from kernelway.host.pool_rules import Started, changes, obstacle
from kernelway.host.run import KernelRun, Order, Surroundings
from kernelway.protocol.errors import KernelError
from kernelway.protocol.message import Message, SessionId
from kernelway.protocol.models import KernelId
from kernelway.transport import deadlines

_BECOMES_WITHIN = 5.0
"""Seconds; a kernel that waits does it in a few milliseconds, and a fresh start is the way out."""

_ENDS_WITHIN = 2.0
"""Seconds that one which is killed may take to be gone."""


class Warm:
    """A run that has nobody yet, and a kernel's id already. :meth:`end` or hand it to a kernel, never both.

    What it publishes while it waits is heard, so that nothing piles up, and is nobody's.
    """

    def __init__(
        self,
        name: str,
        spec: KernelSpec,
        surroundings: Surroundings,
        *,
        home: Path,
        preloaded: Sequence[str] = (),
    ) -> None:
        self.id = KernelId(str(uuid.uuid4()))
        self.spec = spec
        self._forks = surroundings.forks
        self.run = KernelRun(Order(self.id, name, home), spec, surroundings, number=1)
        self.lifeline = Lifeline(self.run, SessionId(f"kernelway-{uuid.uuid4().hex}"), _to_nobody)
        self._started = Started(spec, home, surroundings.environ, is_plain=False, preloaded=preloaded)

    async def get_ready(self) -> None:
        """Start it, and wait until it can be handed out; raises as the start of a kernel does."""
        await self.run.start()
        await self.lifeline.until_ready()
        reads = frozenset() if self._forks is None else self._forks.reads
        self._started = replace(self._started, is_plain=await prepare(self.lifeline), reads=reads)

    def obstacle(self, cwd: Path, env: Mapping[str, str]) -> str | None:
        """Why it cannot become what is asked for; None where it can."""
        return obstacle(self._started, cwd, changes(self._started, env))

    async def become(self, order: Order) -> None:
        """Make it the kernel that is ordered; :class:`KernelError` with the reason where it cannot be."""
        env = changes(self._started, order.env)
        try:
            async with deadlines.timeout(_BECOMES_WITHIN):
                await hand_out(self.lifeline, order.cwd or self._started.cwd, env)
        except TimeoutError:
            raise KernelError(f"It did not answer within {_BECOMES_WITHIN:g} s.") from None

    async def end(self) -> None:
        """Kill it: there is nothing in it that anybody could lose."""
        try:
            await self.run.end(shutdown=None, patience=_ENDS_WITHIN)
        finally:
            self.lifeline.close()


def _to_nobody(_: Message) -> None:
    """Nobody has asked for the kernel yet."""
