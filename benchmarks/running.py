"""The sides that are started, each when a scenario first wants it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks import sides
from benchmarks.exchange import Side
from benchmarks.workspace import Workspace


class RunningSides:
    """Starts sides on demand; :meth:`stop` ends them all."""

    def __init__(self, workspace: Workspace, peers_python: Path | None) -> None:
        self._workspace = workspace
        self._peers_python = peers_python
        self._started: dict[str, Side] = {}

    async def started(self, names: Iterable[str]) -> list[Side]:
        """The sides of these names, and no other, running: what waits beside costs the others something."""
        wanted = list(names)
        for name in [name for name in self._started if name not in wanted]:
            await self._started.pop(name).stop()
        for name in wanted:
            if name not in self._started:
                self._started[name] = sides.new_side(name, self._workspace, self._peers_python)
                await self._started[name].start()
        return [self._started[name] for name in wanted]

    async def stopped(self, names: Iterable[str]) -> list[Side]:
        """The sides of these names, none of them running."""
        await self.stop()
        return [sides.new_side(name, self._workspace, self._peers_python) for name in names]

    async def stop(self) -> None:
        """End all, also where one of them does not want to."""
        while self._started:
            _, side = self._started.popitem()
            await side.stop()
