"""Comms, told by a server that follows a script; with real kernels in test_kernel."""

from __future__ import annotations

import asyncio

import pytest
from tests.client.scripted import Wire, scripted_kernel

from kernelway.client.comm import Comm, CommId, CommMessage
from kernelway.client.outbox import Outbox
from kernelway.protocol.errors import InvalidRequest, KernelRestarted, LimitReached, LinkLost
from kernelway.protocol.message import Channel, Message


async def test_messages_that_nobody_reads_are_bounded() -> None:
    sample = _message(1000)
    comm = Comm(CommId("c"), "target", CommMessage({}, {}), unread=10 * sample.size, outbox=Outbox())
    for _ in range(20):
        comm.receive("comm_msg", sample.read_content(), sample)
    iteration = aiter(comm)
    for _ in range(10):
        assert (await anext(iteration)).data == {"x": "x" * 1000}
    with pytest.raises(LimitReached, match="the comm 'target'"):
        await anext(iteration)


def _message(size: int) -> Message:
    content = b'{"comm_id":"c","data":{"x":"%b"}}' % (b"x" * size)
    return Message(Channel.IOPUB, b'{"msg_type":"comm_msg"}', content=content)


async def test_leaving_the_iteration_closes_nothing() -> None:
    async def script(wire: Wire) -> None:
        opening = await wire.request()
        comm_id = opening.read_content()["comm_id"]
        for number in range(3):
            data = {"n": number}
            await wire.say(Channel.IOPUB, "comm_msg", {"comm_id": comm_id, "data": data}, opening)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        comm = await kernel.open_comm("target")
        got = []
        for _ in range(3):
            async for message in comm:
                got.append(message.data["n"])
                break
        assert got == [0, 1, 2]
        assert not comm.closed


async def test_a_closed_comm_takes_no_messages() -> None:
    async def script(wire: Wire) -> None:
        assert (await wire.request()).read_header().msg_type == "comm_open"
        closing = await wire.request()
        assert closing.read_header().msg_type == "comm_close"
        assert closing.read_content()["data"] == {"bye": 1}
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        comm = await kernel.open_comm("target")
        await comm.close({"bye": 1})
        await comm.close()
        with pytest.raises(InvalidRequest, match="is closed"):
            await comm.send({})
        assert [message async for message in comm] == []


@pytest.mark.parametrize(("ending", "kind"), [("restarting", KernelRestarted), ("close", LinkLost)])
async def test_a_kernels_end_and_a_lost_link_end_its_comms(ending: str, kind: type[Exception]) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        if ending == "close":
            await wire.websocket.close(code=1012, message=b"stopping")
            return
        await wire.request()
        await wire.status(ending, reason="somebody wanted it")
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        comm = await kernel.open_comm("target")
        if ending != "close":
            kernel.execute("1")
        with pytest.raises(kind):
            await asyncio.wait_for(anext(aiter(comm)), 10)
        assert comm.closed


async def test_a_kernel_that_restarts_with_nothing_waiting_ends_its_comms_too() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.status("restarting")
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        comm = await kernel.open_comm("target")
        with pytest.raises(KernelRestarted):
            await asyncio.wait_for(anext(aiter(comm)), 10)


async def test_one_reader_for_each_target() -> None:
    async def script(wire: Wire) -> None:
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        opened = kernel.comms("target")
        with pytest.raises(InvalidRequest, match="waits for comms of the target 'target' already"):
            kernel.comms("target")
        opened.close()
        kernel.comms("target").close()
