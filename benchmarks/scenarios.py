"""What is measured: five pieces of work, each of which proves that it was done before its time counts."""

from __future__ import annotations

import ast
import hashlib
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from benchmarks.exchange import Exchange, Kernel, Request, Shortfall, Side, evaluate, execute_request
from benchmarks.exchange import expression_value as value_of

MEGABYTE = 1_000_000

Measure: TypeAlias = Callable[[], Awaitable[float]]
"""Do the work once, check it, return the value; :class:`Shortfall` if it was not done."""


class Unit(StrEnum):
    """What a value counts."""

    MILLISECONDS = "ms"
    OUTPUTS_PER_SECOND = "outputs/s"
    MEGABYTES_PER_SECOND = "MB/s"

    @property
    def better(self) -> str:
        """Whether lower or higher values are better."""
        return "lower" if self is Unit.MILLISECONDS else "higher"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work one measurement is."""

    executions: int
    outputs: int
    megabytes_out: int
    megabytes_in: int


FULL = Sizes(executions=25, outputs=10_000, megabytes_out=50, megabytes_in=20)
TINY = Sizes(executions=3, outputs=50, megabytes_out=1, megabytes_in=1)
"""Enough to see that every piece works, too little for a time that means anything."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A piece of work, and how to make a side ready to do it again and again."""

    name: str
    title: str
    unit: Unit
    rounds: int
    ready: Callable[[Side], AbstractAsyncContextManager[Measure]]


def all_scenarios(sizes: Sizes) -> list[Scenario]:
    """The scenarios in the order in which they run."""
    return [
        Scenario("start", "first result: new kernel to the reply of 1+1", Unit.MILLISECONDS, 7, _start),
        Scenario(
            "roundtrip",
            f"execute round trip: an assignment to reply and idle, median of {sizes.executions}",
            Unit.MILLISECONDS,
            9,
            _on_kernel(lambda kernel: _round_trips(kernel, sizes.executions)),
        ),
        Scenario(
            "stream",
            f"{sizes.outputs:,} outputs: display_data, one after another",
            Unit.OUTPUTS_PER_SECOND,
            7,
            _on_kernel(lambda kernel: _stream(kernel, sizes.outputs)),
        ),
        Scenario(
            "download",
            f"{sizes.megabytes_out} MB out: one comm message with a buffer",
            Unit.MEGABYTES_PER_SECOND,
            9,
            _on_kernel(lambda kernel: _download(kernel, sizes.megabytes_out * MEGABYTE)),
        ),
        Scenario(
            "upload",
            f"{sizes.megabytes_in} MB in: one comm message with a buffer",
            Unit.MEGABYTES_PER_SECOND,
            9,
            _on_kernel(lambda kernel: _upload(kernel, sizes.megabytes_in * MEGABYTE)),
        ),
    ]


@asynccontextmanager
async def _start(side: Side) -> AsyncIterator[Measure]:
    async def measure() -> float:
        began = time.perf_counter()
        kernel = await side.start_kernel()
        try:
            request = execute_request("1+1", sum="1+1")
            exchange = await kernel.exchange(Request(request.msg_type, request.content, idle=False))
            seconds = time.perf_counter() - began
            _expect("the sum", value_of(exchange.read_reply(), "sum"), "2")
        finally:
            await kernel.shutdown()
        return seconds * 1000

    yield measure


def _on_kernel(
    prepare: Callable[[Kernel], Awaitable[Measure]],
) -> Callable[[Side], AbstractAsyncContextManager[Measure]]:
    """Scenarios of one kernel that lasts: started, listened to and prepared before the first measurement."""

    @asynccontextmanager
    async def ready(side: Side) -> AsyncIterator[Measure]:
        kernel = await side.start_kernel()
        try:
            await _until_iopub_is_heard(kernel)
            python = ast.literal_eval(await evaluate(kernel, "sys.executable", "import sys"))
            _expect("the kernel's interpreter", python, sys.executable)
            yield await prepare(kernel)
        finally:
            await kernel.shutdown()

    return ready


async def _until_iopub_is_heard(kernel: Kernel) -> None:
    """A new subscription misses what is published before it arrives, so ask until a status comes."""
    for _ in range(20):
        try:
            await kernel.exchange(Request("kernel_info_request", {}), deadline=1)
        except Shortfall:
            continue
        return
    raise Shortfall("nothing arrives on iopub")


async def _round_trips(kernel: Kernel, executions: int) -> Measure:
    """As little work for the kernel as can be checked, so that the way there and back is what is measured."""
    count = 0

    async def measure() -> float:
        nonlocal count
        seconds = []
        for _ in range(executions):
            count += 1
            request = execute_request(f"count = {count}", store_history=False, count="count")
            exchange = await kernel.exchange(request)
            seconds.append(exchange.seconds)
            _expect("the count", value_of(exchange.read_reply(), "count"), str(count))
        return statistics.median(seconds) * 1000

    return measure


async def _stream(kernel: Kernel, outputs: int) -> Measure:
    code = f"for i in range({outputs}): display({{'text/plain': str(i)}}, raw=True)"

    async def measure() -> float:
        exchange = await kernel.exchange(execute_request(code))
        exchange.read_reply()
        displays = [message for message in exchange.arrived if message.msg_type == "display_data"]
        if len(displays) != outputs:
            raise Shortfall(f"of {outputs:,} arrive", arrived=len(displays))
        texts = [message.read_content()["data"]["text/plain"] for message in displays]
        _expect("the outputs", texts, [str(number) for number in range(outputs)])
        return outputs / exchange.seconds

    return measure


async def _download(kernel: Kernel, size: int) -> Measure:
    code = (
        "import comm, hashlib, os\n"
        f"data = os.urandom({size})\n"
        "downloads = comm.create_comm(target_name='download')"
    )
    digest = ast.literal_eval(await evaluate(kernel, "hashlib.sha256(data).hexdigest()", code))

    async def measure() -> float:
        exchange = await kernel.exchange(execute_request("downloads.send({}, buffers=[data])"))
        exchange.read_reply()
        _expect("the data", _digests(exchange), [digest])
        return size / MEGABYTE / exchange.seconds

    return measure


def _digests(exchange: Exchange) -> list[str]:
    """The hashes of all buffers in comm messages of the answer."""
    return [
        hashlib.sha256(buffer).hexdigest()
        for message in exchange.arrived
        if message.msg_type == "comm_msg"
        for buffer in message.buffers
    ]


async def _upload(kernel: Kernel, size: int) -> Measure:
    code = (
        "import hashlib\n"
        "received = []\n"
        "def opened(comm, message):\n"
        "    comm.on_msg(lambda message: received.extend(message['buffers']))\n"
        "get_ipython().kernel.comm_manager.register_target('upload', opened)"
    )
    await evaluate(kernel, "received", code)
    opening = {"comm_id": "upload", "target_name": "upload", "data": {}}
    await kernel.exchange(Request("comm_open", opening, reply=False))

    async def measure() -> float:
        data = os.urandom(size)
        content = {"comm_id": "upload", "data": {}}
        exchange = await kernel.exchange(Request("comm_msg", content, (data,), reply=False))
        digests = await evaluate(kernel, "[hashlib.sha256(received.pop()).hexdigest() for _ in received[:]]")
        _expect("the data", ast.literal_eval(digests), [hashlib.sha256(data).hexdigest()])
        return size / MEGABYTE / exchange.seconds

    return measure


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Shortfall(f"{what} came back wrong: {str(found)[:60]} instead of {str(expected)[:60]}")
