"""A gateway that is stopped for longer than a ping may take: it is there, and says nothing."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.faults.conftest import Note
from tests.faults.links import Links, now
from tests.faults.load import Counted
from tests.faults.serving import Serving

from kernelway.client.gateway import MoreOptions

_PINGS = ("--ping-interval", "1", "--ping-timeout", "1")
_OUR_PINGS = MoreOptions(ping_after=1, pong_within=1)
_PAUSE = 0.002


async def test_a_gateway_that_is_stopped_for_a_while_costs_nothing(
    serving: Serving, long: bool, note: Note
) -> None:
    executions, lines, seconds = (200, 100, 10) if long else (20, 50, 2)
    middle, stop, resumed = executions * lines // 2, asyncio.Event(), asyncio.Event()
    with serving.running(*_PINGS) as running:
        async with (
            running.client(**_OUR_PINGS) as gateway,
            asyncio.timeout(200 if long else 100),
        ):
            kernel = await gateway.start_kernel("small")
            counted = Counted(
                kernel, lines, _PAUSE, seen=lambda number: stop.set() if number == middle else None
            )
            async with asyncio.TaskGroup() as working, Links.of([kernel]) as links:
                working.create_task(counted.run(executions, until=resumed))
                await stop.wait()
                stopped = await running.gateway()
                stopped.send_signal(signal.SIGSTOP)
                began = time.monotonic()
                await links.all_reconnecting()
                noticed = time.monotonic() - began
                await asyncio.sleep(seconds)
                continued = now()
                stopped.send_signal(signal.SIGCONT)
                began = time.monotonic()
                await links.all_connected_since(continued)
                took = time.monotonic() - began
                resumed.set()
            await counted.check()
            await kernel.shutdown()
    note("seconds until the client said that it reconnects", f"{noticed:.1f}")
    note("seconds from SIGCONT until it was connected", f"{took:.1f}")
    note("numbered outputs, each once and in order", len(counted.numbers))
    note("executions, each run once", counted.executions)
