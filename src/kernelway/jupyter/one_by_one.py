"""Telling the shutdown of one kernel, which is meant, from that of all there are, which is not.

"Shut Down All" of a page that does not have our extension is one request for each kernel, all at once. What
others started is not meant by it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from kernelway.protocol.errors import Conflict

LISTENS_FOR: Final = 0.25
"""Seconds in which another such request makes it many."""


class OneByOne:
    """Lets the end of a kernel pass that others started, unless that of another one is asked for meanwhile.

    ``within`` is in seconds.
    """

    def __init__(self, *, within: float = LISTENS_FOR) -> None:
        self._within = within
        self._asked: dict[str, tuple[float, asyncio.Future[None]]] = {}
        """By the kernel's id: when its end was asked for last, and what those who asked wait for."""

    async def admit(self, kernel_id: str) -> None:
        """Return after the wait; :class:`Conflict` where the end of another kernel is asked for within it.

        Several requests for one kernel are one.
        """
        asked = self._ask(kernel_id)
        loop = asyncio.get_running_loop()
        held_up = True
        while held_up and not asked.done():
            # What came while the event loop was held up has not been read yet.
            began = loop.time()
            await asyncio.wait({asked}, timeout=self._within)
            held_up = loop.time() - began > 2 * self._within
        if asked.done():
            raise Conflict(
                "Several kernels that this server did not start were to be shut down at once, and none of "
                "them was: others may be using them. Shut them down one after another."
            )

    def _ask(self, kernel_id: str) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._asked = {id_: one for id_, one in self._asked.items() if now - one[0] <= self._within}
        # A browser sends a few at a time: what was refused counts on, or the last of many would be alone.
        earlier = self._asked.get(kernel_id)
        self._asked[kernel_id] = (now, loop.create_future() if earlier is None else earlier[1])
        if len(self._asked) > 1:
            for _, waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_result(None)
        return self._asked[kernel_id][1]
