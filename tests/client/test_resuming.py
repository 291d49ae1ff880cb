"""Links to a real kernelway through a relay that cuts them, and logs of real kernels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.client.gateways import Place
from tests.client.scripted import collect
from tests.support.relay import Relay, random_faults, suffer
from yarl import URL

from kernelway.client import Gateway, InputRequest, Kernel, LinkStatus, Output, Stream
from kernelway.client.sync import Gateway as SyncGateway
from kernelway.protocol.errors import KernelDied, KernelRestarted
from kernelway.protocol.message import MessageId

DEADLINE = 60


@asynccontextmanager
async def relayed(place: Place) -> AsyncIterator[tuple[Kernel, Relay]]:
    """A kernel whose connection goes through a relay; it ends with the test, if it has not."""
    url = URL(place.base_url)
    assert url.port is not None
    async with (
        Relay(url.port) as relay,
        Gateway(str(url.with_port(relay.port)), token=place.token) as gateway,
        asyncio.timeout(2 * DEADLINE),
    ):
        kernel = await gateway.start_kernel("python3")
        yield kernel, relay
        if kernel.link.status is not LinkStatus.GONE:
            await kernel.shutdown()


async def outputs_of(kernel: Kernel, code: str) -> list[Output]:
    outputs: list[Output] = []
    await collect(kernel.execute(code), outputs)
    return outputs


async def test_every_output_comes_once_in_order_over_random_cuts(own_gateway: Place) -> None:
    faults = random_faults(11, 25, to_client=30_000, to_server=200)
    async with relayed(own_gateway) as (kernel, relay):
        execution = kernel.execute(
            "import time\nfor i in range(2000):\n    print(i, flush=True)\n    time.sleep(0.0005)"
        )
        suffering = asyncio.create_task(suffer(relay, faults))
        text = ""
        async for output in execution:
            assert isinstance(output, Stream), output
            text += output.text
        suffering.cancel()
        await asyncio.gather(suffering, return_exceptions=True)
        assert relay.cuts > 2
    assert text.split() == [str(number) for number in range(2000)]


async def test_every_request_runs_once_over_random_cuts(own_gateway: Place) -> None:
    faults = random_faults(12, 40, to_client=3000, to_server=2000)
    async with relayed(own_gateway) as (kernel, relay):
        await outputs_of(kernel, "counter = 0")
        suffering = asyncio.create_task(suffer(relay, faults))
        for _ in range(10):
            executions = [kernel.execute("counter += 1") for _ in range(5)]
            for execution in executions:
                assert (await execution.reply).status == "ok"
        suffering.cancel()
        await asyncio.gather(suffering, return_exceptions=True)
        assert relay.cuts > 5
        assert await outputs_of(kernel, "print(counter)") == [Stream("stdout", "50\n")]


async def test_an_input_request_is_answered_after_a_break(own_gateway: Place) -> None:
    async with relayed(own_gateway) as (kernel, relay):
        execution = kernel.execute("print('hello', input('name? '))")
        outputs = []
        async for output in execution:
            outputs.append(output)
            if isinstance(output, InputRequest):
                events = kernel.link_events()
                relay.cut()
                async for event in events:
                    if event.status is LinkStatus.RECONNECTING:
                        break
                await execution.answer(output, "Ada")
        assert outputs[-1] == Stream("stdout", "hello Ada\n")
        assert sum(isinstance(output, InputRequest) for output in outputs) == 1


async def test_what_is_delivered_runs_without_this_side(own_gateway: Place) -> None:
    async with own_gateway.gateway() as gateway:
        kernel = await gateway.start_kernel("python3")
        kernel.execute("x = 'ran'")
        kernel.execute("print(x)")
        await kernel.delivered(timeout=DEADLINE)
        await kernel.close()
    async with own_gateway.gateway() as gateway:
        again = await gateway.connect(kernel.id)
        # A kernel keeps the order of each client's requests, and none between clients.
        async with asyncio.timeout(DEADLINE):
            while await outputs_of(again, "print(x)") != [Stream("stdout", "ran\n")]:
                pass
        await again.shutdown()


EXITING = """
import os, pathlib, time
print('x', flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.02)
os._exit(7)
"""


async def test_a_kernel_that_dies_while_the_link_is_broken_fails_what_waits_once(
    own_gateway: Place, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    async with relayed(own_gateway) as (kernel, relay):
        execution = kernel.execute(EXITING.format(go=str(go)))
        async for _ in execution:
            break
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        async with relay.refusing():
            relay.cut()
            later = kernel.execute("print('later')")
            async with own_gateway.gateway(alone=False) as other, asyncio.timeout(DEADLINE):
                feed = (await other.connect(kernel.id)).messages()
                go.touch()
                async for message in feed:
                    if message.read_content().get("execution_state") == "restarting":
                        break
        with pytest.raises(KernelRestarted, match="status 7"):
            await execution.reply
        # What the dead run never took is the next one's.
        outputs: list[Output] = []
        await collect(later, outputs)
        assert outputs == [Stream("stdout", "later\n")]


def told(entries) -> list[str]:
    """The code and the text in log entries."""
    found = []
    for entry in entries:
        content = entry.message.read_content()
        if entry.is_request and "code" in content:
            found.append(f"> {content['code']}")
        elif content.get("name") == "stdout":
            found.append(content["text"])
    return found


async def test_the_log_of_a_running_kernel_and_of_an_ended_one(own_gateway: Place) -> None:
    async with own_gateway.gateway() as gateway, asyncio.timeout(DEADLINE):
        kernel = await gateway.start_kernel("python3")
        for number in range(3):
            await outputs_of(kernel, f"print({number})")
        expected = ["> print(0)", "0\n", "> print(1)", "1\n", "> print(2)", "2\n"]
        async with gateway.log(kernel.id) as log:
            entries = [entry async for entry in log]
        assert told(entries) == expected
        positions = [entry.position for entry in entries]
        assert positions == sorted(set(positions))
        [third] = [entry for entry in entries if entry.is_request and told([entry]) == ["> print(2)"]]
        msg_id = MessageId(third.message.read_header().msg_id)
        async with gateway.log(kernel.id, after=msg_id) as log:
            assert told([entry async for entry in log]) == ["2\n"]
        with_follow = gateway.log(kernel.id, follow=True)
        async with with_follow as log:
            ended = asyncio.create_task(kernel.shutdown())
            assert told([entry async for entry in log]) == expected
            await ended
        async with gateway.log(kernel.id) as log:
            assert told([entry async for entry in log]) == expected
        assert kernel.id in [each.id for each in await gateway.ended()]


async def test_a_shutdown_by_somebody_else_ends_the_link_with_the_reason(own_gateway: Place) -> None:
    async with relayed(own_gateway) as (kernel, relay):
        events = kernel.link_events()
        # A shutdown interrupts the kernel first, and code that the interrupt ends has an answer of its own.
        stubborn = (
            "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('on', flush=True)\n"
        )
        execution = kernel.execute(stubborn + "time.sleep(600)")
        outputs = aiter(execution)
        assert await anext(outputs) == Stream("stdout", "on\n")
        async with relay.refusing():
            relay.cut()
            async with own_gateway.gateway(alone=False) as other:
                await (await other.connect(kernel.id)).shutdown()
        with pytest.raises(KernelDied, match="shut down"):
            await execution.reply
        last = [event async for event in events][-1]
        assert (last.status, "shut down" in last.reason) == (LinkStatus.GONE, True)
        assert kernel.link == last


def test_the_synchronous_client_has_the_same(own_gateway: Place) -> None:
    with SyncGateway(own_gateway.base_url, token=own_gateway.token) as gateway:
        kernel = gateway.start_kernel("python3")
        list(kernel.execute("print(1)"))
        kernel.delivered(timeout=DEADLINE)
        assert kernel.link.status is LinkStatus.CONNECTED
        assert told(gateway.log(kernel.id)) == ["> print(1)", "1\n"]
        kernel.shutdown()
        assert kernel.id in [each.id for each in gateway.ended()]
