"""The end of the gateway, by kill -9 or for another one, while everything that goes through it is counted."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
import uuid
from asyncio.subprocess import DEVNULL

from aiohttp import ClientSession
from tests.faults.conftest import Note
from tests.faults.load import Counted, run
from tests.faults.serving import DEADLINE, Running, Serving
from tests.faults.stock import END, StockClient
from tests.support.processes import environ_in

_PAUSE = 0.002


async def test_a_gateway_that_is_killed_again_and_again_costs_nothing(
    serving: Serving, long: bool, note: Note
) -> None:
    executions, lines, kills = (200, 100, 20) if long else (20, 50, 3)
    moments = set(random.Random(3).sample(range(executions * lines), kills))
    reached = asyncio.Semaphore(0)

    def seen(number: int) -> None:
        if number in moments:
            reached.release()

    with serving.running() as running:
        host, port = running.host, running.port
        async with running.client() as gateway, asyncio.timeout(600 if long else 100):
            kernel = await gateway.start_kernel("small")
            counted, done = Counted(kernel, lines, _PAUSE, seen), asyncio.Event()
            stock = StockClient(running.base_url, kernel.id, uuid.uuid4().hex)
            async with asyncio.TaskGroup() as working:
                working.create_task(stock.read())
                await stock.connected.wait()
                killing = working.create_task(kill_often(running, reached, kills))
                killing.add_done_callback(lambda _: done.set())
                began = time.monotonic()
                await counted.run(executions, until=done)
                took = time.monotonic() - began
                await run(kernel, f"show({END})")
            answered = killing.result()
            await counted.check()
            assert running.host == host
            await kernel.shutdown()
    assert len(answered) == kills
    repeats = stock.check(len(counted.numbers))
    note("kills", kills)
    note("numbered outputs, each once and in order", len(counted.numbers))
    note("executions, each run once", counted.executions)
    note("seconds", f"{took:.1f}")
    note("stock client: outputs at least once and in order", f"{len(counted.numbers)}, and {repeats} repeats")
    note("seconds until the port answers, median", f"{statistics.median(answered):.2f}")
    note("seconds until the port answers, most", f"{max(answered):.2f}")
    assert port == running.port


async def test_a_gateway_that_is_replaced_costs_nothing(serving: Serving, long: bool, note: Note) -> None:
    executions, lines = (200, 100) if long else (20, 50)
    middle, replaced = asyncio.Event(), asyncio.Event()
    half = executions * lines // 2
    with serving.running() as running:
        async with running.client() as gateway, asyncio.timeout(200 if long else 100):
            kernel = await gateway.start_kernel("small")
            counted = Counted(
                kernel, lines, _PAUSE, seen=lambda number: middle.set() if number == half else None
            )
            before = await running.gateway()
            async with asyncio.TaskGroup() as working:
                working.create_task(counted.run(executions, until=replaced))
                await middle.wait()
                replacing = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "kernelway", "serve", "--replace"),
                    *("--state-dir", str(serving.state)),
                    env=environ_in(serving.folder),
                    stdout=DEVNULL,
                )
                assert await replacing.wait() == 0
                replaced.set()
            await counted.check()
            assert running.gateways() == [await running.gateway(other_than=before)]
            await kernel.shutdown()
    note("numbered outputs, each once and in order", len(counted.numbers))
    note("executions, each run once", counted.executions)


async def kill_often(running: Running, reached: asyncio.Semaphore, kills: int) -> list[float]:
    """Kill the gateway each time a moment is reached; the seconds until the next one answered."""
    answered = []
    killed = None
    for _ in range(kills):
        await reached.acquire()
        gateway = await running.gateway(other_than=killed)
        began = time.monotonic()
        gateway.kill()
        await until_answered(running)
        answered.append(time.monotonic() - began)
        killed = gateway
    return answered


async def until_answered(running: Running) -> None:
    """Ask until the gateway answers: a connection made meanwhile may break with the old one."""
    async with ClientSession() as http, asyncio.timeout(DEADLINE):
        while True:
            try:
                async with http.get(f"{running.base_url}api") as answer:
                    assert answer.status == 200
                    return
            except OSError:
                continue
