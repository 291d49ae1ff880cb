"""When a warm pool has refilled."""

from __future__ import annotations

import asyncio

from benchmarks.exchange import Shortfall, Side
from benchmarks.processes import ipykernels, processor_seconds

_DEADLINE = 30.0
_INTERVAL = 0.1


async def pooled_kernels(side: Side) -> frozenset[int]:
    """The processes of a server that has no kernel but that which waits, once there is one and it rests.

    Nothing tells of a kernel in the pool, on purpose; so its processor time has to be looked at.
    """
    before: dict[int, float] = {}
    try:
        async with asyncio.timeout(_DEADLINE):
            while True:
                times = {pid: processor_seconds([pid]) for pid in ipykernels(side.processes().kernels)}
                if times and times == before:
                    return frozenset(times)
                before = times
                await asyncio.sleep(_INTERVAL)
    except TimeoutError:
        raise Shortfall("no kernel waits in the pool") from None
