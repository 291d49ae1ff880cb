"""A client's own sockets to a run of a kernel."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import zmq
from tests.host.runs import DEADLINE, Runs

from kernelway.host.client_sockets import ClientSockets
from kernelway.host.lifeline import own_message
from kernelway.protocol.errors import KernelError
from kernelway.protocol.message import Channel, Message, SessionId

SESSION = SessionId("me")


class Replies:
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    def deliver(self, message: Message) -> None:
        self.messages.put_nowait(message)

    async def next(self) -> Message:
        async with asyncio.timeout(DEADLINE):
            return await self.messages.get()


@pytest.mark.parametrize(
    ("channel", "request_type", "reply_type"),
    [
        (Channel.SHELL, "kernel_info_request", "kernel_info_reply"),
        (Channel.CONTROL, "usage_request", "usage_reply"),
    ],
)
async def test_a_reply_comes_on_the_channel_of_its_request(
    runs: Runs, channel: Channel, request_type: str, reply_type: str
) -> None:
    run, _ = await runs.ready()
    replies = Replies()
    sockets = ClientSockets(run, SESSION, replies.deliver)
    assert sockets.try_send(own_message(channel, request_type, {}, SESSION))
    await sockets.writable(channel)
    reply = await replies.next()
    assert reply.channel is channel
    assert reply.read_header().msg_type == reply_type
    sockets.close(deliver=True)
    sockets.close(deliver=False)


async def test_sockets_that_cannot_all_be_opened_are_closed(runs: Runs) -> None:
    with zmq.Context() as context:
        # One is the launcher's, two are the client's stdin and control.
        context.max_sockets = 3
        runs.surroundings = replace(runs.surroundings, context=context)
        run = await runs.started()
        with pytest.raises(KernelError, match="shell channel cannot be opened: Too many open files"):
            ClientSockets(run, SESSION, Replies().deliver)
        await runs.end()
