"""Messages of one kernel and one client: small ones there and back, many, and large ones both ways."""

from __future__ import annotations

import ast
import hashlib
import os
import statistics
import sys

from benchmarks import sides
from benchmarks.exchange import Exchange, Kernel, Request, Shortfall, Side, evaluate, execute_request
from benchmarks.exchange import expression_value as value_of
from benchmarks.processes import forget_peaks, peak_megabytes, resident_megabytes
from benchmarks.scenarios.scenario import MEGABYTE, Measure, Scenario, Sizes, Unit, expect, on_kernel

_ALL = (sides.BARE, sides.KERNELWAY, *sides.PEERS)


def message_scenarios(sizes: Sizes) -> list[Scenario]:
    """Round trips, outputs, and what is large."""
    out, inwards = sizes.megabytes_out, sizes.megabytes_in
    return [
        Scenario(
            "roundtrip",
            f"execute round trip: an assignment to reply and idle, median of {sizes.executions}",
            Unit.MILLISECONDS,
            7,
            _ALL,
            on_kernel(lambda _, kernel: round_trips(kernel, sizes.executions)),
        ),
        Scenario(
            "stream",
            f"{sizes.outputs:,} outputs: display_data, one after another",
            Unit.OUTPUTS_PER_SECOND,
            5,
            _ALL,
            on_kernel(lambda _, kernel: stream(kernel, sizes.outputs)),
        ),
        Scenario(
            "download",
            f"{out} MB out: one comm message with a buffer",
            Unit.MEGABYTES_PER_SECOND,
            9,
            (sides.BARE, sides.KERNELWAY, sides.NO_JOURNAL, *sides.PEERS),
            on_kernel(lambda _, kernel: _download(kernel, out * MEGABYTE)),
        ),
        Scenario(
            "upload",
            f"{inwards} MB in: one comm message with a buffer",
            Unit.MEGABYTES_PER_SECOND,
            9,
            _ALL,
            on_kernel(lambda _, kernel: _upload(kernel, inwards * MEGABYTE)),
        ),
        Scenario(
            "peak",
            f"{out} MB out: what the server's own processes take at most, over what they took before, "
            "as a multiple of the message",
            Unit.TIMES,
            3,
            (sides.KERNELWAY, *sides.PEERS),
            on_kernel(lambda side, kernel: _peak(side, kernel, out)),
            fresh=True,
        ),
    ]


async def round_trips(kernel: Kernel, executions: int) -> Measure:
    """As little work for the kernel as can be checked, so that the way there and back is what is measured."""
    await _check_interpreter(kernel)
    count = 0

    async def measure() -> float:
        nonlocal count
        seconds = []
        for _ in range(executions):
            count += 1
            request = execute_request(f"count = {count}", store_history=False, count="count")
            exchange = await kernel.exchange(request)
            seconds.append(exchange.seconds)
            expect("the count", value_of(exchange.read_reply(), "count"), str(count))
        return statistics.median(seconds) * 1000

    return measure


async def _check_interpreter(kernel: Kernel) -> None:
    """Every side is to run the same ipykernel on the same Python."""
    python = ast.literal_eval(await evaluate(kernel, "sys.executable", "import sys"))
    expect("the kernel's interpreter", python, sys.executable)


async def stream(kernel: Kernel, outputs: int) -> Measure:
    """Displays that are published one after another, all of which have to come."""
    code = f"for i in range({outputs}): display({{'text/plain': str(i)}}, raw=True)"

    async def measure() -> float:
        exchange = await kernel.exchange(execute_request(code))
        exchange.read_reply()
        displays = [message for message in exchange.arrived if message.msg_type == "display_data"]
        if len(displays) != outputs:
            raise Shortfall(f"of {outputs:,} arrive", arrived=len(displays))
        texts = [message.read_content()["data"]["text/plain"] for message in displays]
        expect("the outputs", texts, [str(number) for number in range(outputs)])
        return outputs / exchange.seconds

    return measure


async def _download(kernel: Kernel, size: int) -> Measure:
    digest = await _prepare_download(kernel, size)

    async def measure() -> float:
        return size / MEGABYTE / await _download_once(kernel, digest)

    return measure


async def _peak(side: Side, kernel: Kernel, megabytes: int) -> Measure:
    """Peaks that may have come one after the other are added, so this is no less than the truth."""
    digest = await _prepare_download(kernel, megabytes * MEGABYTE)
    own = side.processes().own
    before = resident_megabytes(own)

    async def measure() -> float:
        forget_peaks(own)
        await _download_once(kernel, digest)
        return max(peak_megabytes(own) - before, 0) / megabytes

    return measure


async def _prepare_download(kernel: Kernel, size: int) -> str:
    code = (
        "import comm, hashlib, os\n"
        f"data = os.urandom({size})\n"
        "downloads = comm.create_comm(target_name='download')"
    )
    digest: str = ast.literal_eval(await evaluate(kernel, "hashlib.sha256(data).hexdigest()", code))
    return digest


async def _download_once(kernel: Kernel, digest: str) -> float:
    """Seconds."""
    exchange = await kernel.exchange(execute_request("downloads.send({}, buffers=[data])"))
    exchange.read_reply()
    expect("the data", _digests(exchange), [digest])
    return exchange.seconds


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
        expect("the data", ast.literal_eval(digests), [hashlib.sha256(data).hexdigest()])
        return size / MEGABYTE / exchange.seconds

    return measure
