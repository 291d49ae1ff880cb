"""Clients that know nothing of Kernelway, through random cuts."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from tests.faults.conftest import Note
from tests.faults.load import Counted, run
from tests.faults.serving import Serving
from tests.faults.stock import END, StockClient
from tests.support.relay import Relay, random_faults, suffer

_PAUSE = 0.002


@pytest.mark.parametrize("positioned", [False, True], ids=["same session", "same session, after="])
async def test_random_cuts_lose_nothing_of_what_a_stock_client_reads(
    serving: Serving, long: bool, note: Note, *, positioned: bool
) -> None:
    executions, lines, cuts = (200, 100, 100) if long else (20, 50, 10)
    # Upwards there are only handshakes and pongs.
    faults = random_faults(4, cuts, to_client=900 * executions * lines // cuts, to_server=300)
    with serving.running() as running:
        async with (
            asyncio.timeout(600 if long else 100),
            Relay(running.port) as relay,
            running.client() as gateway,
            asyncio.TaskGroup() as reading,
        ):
            kernel = await gateway.start_kernel("small")
            url = running.base_url.replace(str(running.port), str(relay.port))
            client = StockClient(url, kernel.id, uuid.uuid4().hex, positioned=positioned)
            reader = reading.create_task(client.read())
            await client.connected.wait()
            done = asyncio.Event()
            suffering = reading.create_task(suffer(relay, faults))
            suffering.add_done_callback(lambda _: done.set())
            counted = Counted(kernel, lines, _PAUSE)
            await counted.run(executions, until=done)
            await run(kernel, f"show({END})")
            await reader
            await kernel.shutdown()
    assert relay.cuts >= cuts
    repeats = client.check(len(counted.numbers))
    note("cuts, and sockets that it took", f"{relay.cuts}, {client.sockets}")
    note("numbered outputs, each at least once and in order", len(counted.numbers))
    note("repeats", repeats)
