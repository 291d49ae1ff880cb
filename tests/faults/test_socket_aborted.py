"""A socket that is aborted while a kernel prints, and refused for a second after that."""

from __future__ import annotations

import asyncio
import uuid

from tests.faults.conftest import Note
from tests.faults.links import Links, now
from tests.faults.load import difference, numbers_in
from tests.faults.serving import Serving
from tests.faults.stock import StockClient
from tests.support.relay import Relay

from kernelway.protocol.execution import InputRequest, Stream

LINES = 300

_PRINT = f"""
import time
for i in range({LINES}):
    print(i, flush=True)
    time.sleep(0.01)
"""


async def test_300_lines_are_all_there_after_a_socket_was_aborted_for_a_second(
    serving: Serving, note: Note
) -> None:
    expected = list(range(LINES))
    with serving.running() as running:
        async with Relay(running.port) as relay, running.client(relay.port) as gateway, asyncio.timeout(60):
            kernel = await gateway.start_kernel("python3")
            url = running.base_url.replace(str(running.port), str(relay.port))
            positioned = StockClient(url, kernel.id, uuid.uuid4().hex, positioned=True)
            stock = StockClient(url, kernel.id, uuid.uuid4().hex)
            late = StockClient(url, kernel.id, uuid.uuid4().hex, replay_all=True)
            numbers: list[int] = []
            async with asyncio.TaskGroup() as others:
                for each in (positioned, stock):
                    others.create_task(each.read(LINES - 1))
                    await each.connected.wait()
                execution = kernel.execute(_PRINT)
                async for output in execution:
                    numbers += numbers_in(output)
                    if numbers[-1] >= 100 and not relay.cuts:
                        relay.cut()
                        async with relay.refusing():
                            await asyncio.sleep(1)
            await late.read(LINES - 1)
            assert (await execution.reply).status == "ok"
            await kernel.shutdown()
    assert relay.cuts >= 3
    assert numbers == expected, difference(numbers, expected)
    assert positioned.numbers == expected, difference(positioned.numbers, expected)
    assert late.numbers == expected, difference(late.numbers, expected)
    assert list(dict.fromkeys(stock.numbers)) == expected, difference(stock.numbers, expected)
    assert positioned.sockets == stock.sockets == 2
    note("our client", f"{len(set(numbers))} of {LINES}, each once")
    note("stock client, same session, after=", f"{len(set(positioned.numbers))} of {LINES}, each once")
    note("stock client, new session, replay=all", f"{len(set(late.numbers))} of {LINES}, each once")
    note(
        "stock client, same session",
        f"{len(set(stock.numbers))} of {LINES}, {len(stock.numbers) - LINES} repeats",
    )


async def test_a_question_survives_a_cut_and_is_answered_once(serving: Serving) -> None:
    questions, text = [], ""
    with serving.running() as running:
        async with Relay(running.port) as relay, running.client(relay.port) as gateway, asyncio.timeout(60):
            kernel = await gateway.start_kernel("python3")
            execution = kernel.execute("print(input('one? '), input('two? '))")
            async with Links.of([kernel]) as links:
                async for output in execution:
                    if isinstance(output, InputRequest):
                        questions.append(output.prompt)
                        cut = now()
                        relay.cut()
                        await links.all_connected_since(cut)
                        await execution.answer(output, f"answer {len(questions)}")
                        relay.cut()
                    elif isinstance(output, Stream):
                        text += output.text
            assert (await execution.reply).status == "ok"
            await kernel.shutdown()
    assert questions == ["one? ", "two? "]
    assert text.strip() == "answer 1 answer 2"
