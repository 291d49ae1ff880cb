"""Cuts at random bytes of a connection, in both directions, while everything that goes over it is counted."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from tests.faults.conftest import Note
from tests.faults.load import Counted, difference
from tests.faults.serving import Serving
from tests.support.relay import Relay, random_faults, suffer

from kernelway.client import Gateway, Kernel

_PAUSE = 0.002


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_cuts_neither_lose_nor_repeat_anything(
    serving: Serving, long: bool, note: Note, seed: int
) -> None:
    executions, lines, cuts = (200, 100, 100) if long else (20, 50, 12)
    # An output is about 500 bytes and a request about 600: so the cuts are spread over all of the run.
    faults = random_faults(
        seed, cuts, to_client=900 * executions * lines // cuts, to_server=900 * executions // cuts
    )
    with serving.running() as running:
        async with Relay(running.port) as relay, running.client(relay.port) as gateway:
            async with asyncio.timeout(900 if long else 100):
                kernel = await gateway.start_kernel("small")
                counted, done, began = Counted(kernel, lines, _PAUSE), asyncio.Event(), time.monotonic()
                suffering = asyncio.create_task(suffer(relay, faults))
                suffering.add_done_callback(lambda _: done.set())
                try:
                    await counted.run(executions, until=done)
                finally:
                    suffering.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await suffering
                took = time.monotonic() - began
                await counted.check()
                await kernel.shutdown()
    assert relay.cuts >= cuts
    note("cuts", relay.cuts)
    note("numbered outputs, each once and in order", len(counted.numbers))
    note("executions, each run once", counted.executions)
    note("seconds", f"{took:.1f}")


async def test_a_log_that_is_followed_through_random_cuts_has_every_entry_once(
    serving: Serving, long: bool, note: Note
) -> None:
    executions, lines, cuts = (200, 100, 100) if long else (20, 50, 10)
    faults = random_faults(5, cuts, to_client=900 * executions * lines // cuts, to_server=300)
    with serving.running() as running:
        async with (
            asyncio.timeout(600 if long else 100),
            Relay(running.port) as relay,
            running.client() as direct,
            running.client(relay.port) as far,
            asyncio.TaskGroup() as working,
        ):
            kernel, done = await direct.start_kernel("small"), asyncio.Event()
            counted = Counted(kernel, lines, _PAUSE)
            following = working.create_task(followed(far, kernel))
            suffering = working.create_task(suffer(relay, faults))
            suffering.add_done_callback(lambda _: done.set())
            await counted.run(executions, until=done)
            # The log ends when the kernel does.
            await kernel.shutdown()
    numbers, requests = following.result()
    assert numbers == counted.numbers == list(range(len(numbers))), difference(numbers, counted.numbers)
    assert requests == 1 + counted.executions
    note("cuts", relay.cuts)
    note("numbered outputs, each once and in order", len(numbers))


async def followed(gateway: Gateway, kernel: Kernel) -> tuple[list[int], int]:
    """The numbers in a log up to the kernel's end, and how many executions were asked for."""
    numbers: list[int] = []
    requests = before = 0
    async with gateway.log(kernel.id, follow=True) as log:
        async for entry in log:
            assert entry.message is not None
            assert entry.position > before
            before = entry.position
            msg_type = entry.message.read_header().msg_type
            requests += entry.is_request and msg_type == "execute_request"
            if msg_type == "stream":
                numbers += [int(line) for line in entry.message.read_content()["text"].split()]
    return numbers, requests
