"""The line to a gateway, which breaks and comes back as a test wants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from tests.support.relay import Relay

DEADLINE = 30.0


class Line:
    """A relay to a port, in a thread of its own: what drives a browser has no event loop to lend."""

    def __init__(self, target: int) -> None:
        self._relay = Relay(target)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line")

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._relay.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._relay.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    @property
    def port(self) -> int:
        return self._relay.port

    @contextmanager
    def broken(self) -> Iterator[None]:
        """What goes through is reset, and new connections are refused meanwhile."""
        refusing = self._relay.refusing()
        self._do(refusing.__aenter__())
        self._loop.call_soon_threadsafe(self._relay.cut)
        try:
            yield
        finally:
            self._do(refusing.__aexit__(None, None, None))

    def _do(self, work: Coroutine[None, None, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)
