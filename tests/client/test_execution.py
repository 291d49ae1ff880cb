"""The handle of one execution: its end in every way, and what is left behind."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import WSMsgType
from tests.client.scripted import Wire, collect, scripted_kernel

from kernelway.client import Execution, Kernel
from kernelway.protocol.errors import FrameError, InvalidRequest, LimitReached, TimedOut
from kernelway.protocol.execution import Output, Stream
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.websocket_framing import V1


def waiting(kernel: Kernel) -> int:
    return len(kernel._conversation._waiting)


async def first_of(execution: Execution) -> object:
    async for output in execution:
        return output
    return None


async def quiet(wire: Wire) -> None:
    """Code that prints once and goes on, as often as it is sent."""
    while True:
        frame = await wire.websocket.receive(timeout=20)
        if frame.type is not WSMsgType.BINARY:
            return
        await wire.stream("once", V1.decode(frame.data))


async def test_leaving_the_iteration_forgets_the_request() -> None:
    async with scripted_kernel(quiet) as kernel:
        execution = kernel.execute("1")
        assert waiting(kernel) == 1
        assert await first_of(execution) == Stream("stdout", "once")
        # The event loop closes the generator that was left before it comes to what follows.
        assert await first_of(kernel.execute("2")) == Stream("stdout", "once")
        assert execution.msg_id not in kernel._conversation._waiting
        with pytest.raises(InvalidRequest, match="left before its end"):
            await execution.reply
        with pytest.raises(InvalidRequest, match="left before its end"):
            await first_of(execution)


async def test_cancelling_the_iteration_forgets_the_request() -> None:
    seen = asyncio.Event()

    async def run(execution: Execution) -> None:
        async for _ in execution:
            seen.set()

    async with scripted_kernel(quiet) as kernel:
        task = asyncio.create_task(run(kernel.execute("1")))
        await asyncio.wait_for(seen.wait(), 5)
        task.cancel()
        await asyncio.wait([task])
        assert waiting(kernel) == 0


async def test_cancelling_the_wait_for_the_reply_forgets_nothing() -> None:
    go_on = asyncio.Event()

    async def script(wire: Wire) -> None:
        request = await wire.request()
        await go_on.wait()
        await wire.reply(request)
        await wire.status("idle", request)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        execution = kernel.execute("1")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(execution.reply, 0.05)
        go_on.set()
        assert (await execution.reply).status == "ok"
        assert [output async for output in execution] == []


async def test_unread_outputs_are_bounded_and_hold_up_no_other_execution() -> None:
    async def script(wire: Wire) -> None:
        unread = await wire.request()
        other = await wire.request()
        for _ in range(200):
            await wire.stream("x" * 1000, unread)
        await wire.stream("other", other)
        for each in (unread, other):
            await wire.reply(each)
            await wire.status("idle", each)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        unread = kernel.execute("1", unread=100_000)
        other = kernel.execute("2")
        assert [output async for output in other] == [Stream("stdout", "other")]
        outputs: list[Output] = []
        with pytest.raises(LimitReached, match="more than 100000 bytes unread"):
            await collect(unread, outputs)
        assert 50 < len(outputs) < 100
        with pytest.raises(LimitReached):
            await unread.reply
        assert waiting(kernel) == 0


async def test_an_execution_with_a_deadline() -> None:
    async with scripted_kernel(quiet) as kernel:
        execution = kernel.execute("1", timeout=0.2)
        outputs: list[Output] = []
        with pytest.raises(TimedOut, match=r"within 0\.2 seconds. The kernel goes on"):
            await collect(execution, outputs)
        assert outputs == [Stream("stdout", "once")]
        assert waiting(kernel) == 0


async def test_a_deadline_that_is_kept_leaves_no_timer() -> None:
    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.reply(request)
        await wire.status("idle", request)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        execution = kernel.execute("1", timeout=100)
        assert [output async for output in execution] == []
        assert not execution._timers
        execution.close()
        assert (await execution.reply).status == "ok"


async def test_garbage_in_one_execution_ends_that_one_alone() -> None:
    async def script(wire: Wire) -> None:
        one, two = await wire.request(), await wire.request()
        await wire.send(Message(Channel.IOPUB, b'{"msg_type":"stream"}', one.header, b"{}", b"[1"))
        await wire.stream("fine", two)
        await wire.reply(two)
        await wire.status("idle", two)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        one, two = kernel.execute("1"), kernel.execute("2")
        assert [output async for output in two] == [Stream("stdout", "fine")]
        with pytest.raises(FrameError, match="content of a message"):
            await first_of(one)
