"""Through a notebook server to a kernel on a gateway: small messages, many, and large ones both ways.

What is large is JSON here, since a notebook server with ``--gateway-url`` cannot carry buffers at all.
"""

from __future__ import annotations

import ast
import hashlib
import secrets

from benchmarks import sides
from benchmarks.exchange import Kernel, Request, Shortfall, evaluate, execute_request
from benchmarks.scenarios.messages import round_trips, stream
from benchmarks.scenarios.scenario import MEGABYTE, Measure, Scenario, Sizes, Unit, expect, on_kernel

_DEADLINE = 10.0
"""Seconds for what is large, which takes one or two where it arrives."""

_SIDES = (sides.NOTEBOOK, sides.GATEWAY_URL)


def notebook_scenarios(sizes: Sizes) -> list[Scenario]:
    """What a notebook does."""
    out, inwards = sizes.megabytes_out, sizes.megabytes_in
    return [
        Scenario(
            "notebook",
            f"execute round trip through a notebook server, median of {sizes.executions}",
            Unit.MILLISECONDS,
            5,
            _SIDES,
            on_kernel(lambda _, kernel: round_trips(kernel, sizes.executions)),
        ),
        Scenario(
            "notebook_stream",
            f"{sizes.outputs:,} outputs through a notebook server: display_data, one after another",
            Unit.OUTPUTS_PER_SECOND,
            3,
            _SIDES,
            on_kernel(lambda _, kernel: stream(kernel, sizes.outputs)),
        ),
        Scenario(
            "notebook_out",
            f"{out} MB out through a notebook server: the text of one display_data",
            Unit.MEGABYTES_PER_SECOND,
            3,
            _SIDES,
            on_kernel(lambda _, kernel: _output(kernel, out * MEGABYTE)),
        ),
        Scenario(
            "notebook_in",
            f"{inwards} MB in through a notebook server: the data of one comm message",
            Unit.MEGABYTES_PER_SECOND,
            3,
            _SIDES,
            on_kernel(lambda _, kernel: _input(kernel, inwards * MEGABYTE)),
        ),
    ]


async def _output(kernel: Kernel, size: int) -> Measure:
    code = f"import hashlib, secrets\ntext = secrets.token_hex({size // 2})"
    digest = ast.literal_eval(await evaluate(kernel, "hashlib.sha256(text.encode()).hexdigest()", code))

    async def measure() -> float:
        request = execute_request("display({'text/plain': text}, raw=True)")
        exchange = await kernel.exchange(request, deadline=_DEADLINE)
        exchange.read_reply()
        displays = [message for message in exchange.arrived if message.msg_type == "display_data"]
        if not displays:
            raise Shortfall("the output does not arrive")
        texts = [message.read_content()["data"]["text/plain"] for message in displays]
        expect("the output", [_digest(text) for text in texts], [digest])
        return size / MEGABYTE / exchange.seconds

    return measure


async def _input(kernel: Kernel, size: int) -> Measure:
    code = (
        "import hashlib\n"
        "received = []\n"
        "def opened(comm, message):\n"
        "    comm.on_msg(lambda message: received.append(message['content']['data']['text']))\n"
        "get_ipython().kernel.comm_manager.register_target('input', opened)"
    )
    await evaluate(kernel, "received", code)
    opening = {"comm_id": "input", "target_name": "input", "data": {}}
    await kernel.exchange(Request("comm_open", opening, reply=False))

    async def measure() -> float:
        text = secrets.token_hex(size // 2)
        request = Request("comm_msg", {"comm_id": "input", "data": {"text": text}}, reply=False)
        exchange = await kernel.exchange(request, deadline=_DEADLINE)
        digests = await evaluate(
            kernel, "[hashlib.sha256(received.pop().encode()).hexdigest() for _ in received[:]]"
        )
        expect("the input", ast.literal_eval(digests), [_digest(text)])
        return size / MEGABYTE / exchange.seconds

    return measure


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
