"""One client's connection to a kernel: what it is sent, what it is spared, and how it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.host.runs import DEADLINE, Lives, attach, process_of
from tests.host.talk import LIMITS, Talk, turn

from kernelway.host.attachment import Attachment
from kernelway.host.kernel import Kernel
from kernelway.host.lifeline import own_message
from kernelway.host.sockets import KernelSocket
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Channel, Message, SessionId

EMPTY = b"{}"


@pytest.fixture
async def kernel(lives: Lives) -> Kernel:
    return await lives.started()


def output(size: int, number: int = 0) -> Message:
    """A message of so many bytes."""
    header = b"%d" % number
    return Message(Channel.IOPUB, header, content=bytes(size - len(header) - 4))


def bounded(lives: Lives, bound: int) -> Attachment:
    """A client of a kernel that was never started; nothing is needed of it here."""
    return lives.new(limits=replace(LIMITS, client_buffer=bound)).attach(SessionId("me"))


async def received(channels: Attachment) -> list[Message]:
    """Everything that waits, until the end if it has ended."""
    messages: list[Message] = []
    while channels._waiting:
        messages += await channels.receive()
    return messages


# Who hears what


async def test_replies_go_to_who_asked_and_outputs_to_all(kernel: Kernel) -> None:
    asking, other = attach(kernel), attach(kernel)
    ran = await asking.run("show('heard by all')")
    assert ran.reply.status == "ok"
    assert await other.hear_text() == "heard by all"
    await other.hear_status("idle")
    assert {message.channel for message in other.heard} == {Channel.IOPUB}
    assert {message.channel for message in asking.heard} == {Channel.IOPUB, Channel.SHELL}


async def test_buffers_reach_the_client_as_they_are(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk = attach(kernel)
    code = (
        "from ipykernel.comm import Comm\n"
        "Comm(target_name='t', data={}, buffers=[b'abc', bytes(200_000), b''])"
    )
    await talk.execute(code)
    message = await talk.hear(lambda each: each.read_header().msg_type == "comm_open")
    assert [bytes(buffer) for buffer in message.buffers] == [b"abc", bytes(200_000), b""]


async def test_a_kernel_that_asks_for_input_at_once_is_answered(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk, other = attach(kernel), attach(kernel)
    request = await talk.execute("print(input('name? '))")
    assert (await talk.hear_type("input_request"))["prompt"] == "name? "
    await talk.ask("input_reply", {"value": "Ada"}, Channel.STDIN)
    assert (await talk.result(request)).text == "Ada\n"
    assert await other.hear_text() == "Ada\n"
    assert all(message.channel is Channel.IOPUB for message in other.heard)


async def test_control_requests_are_answered_on_control(kernel: Kernel) -> None:
    talk = attach(kernel)
    request = await talk.ask("usage_request", {}, Channel.CONTROL)
    reply = await talk.hear(lambda each: each.channel is Channel.CONTROL)
    assert reply.read_parent_header().msg_id == request


async def test_ten_thousand_outputs_arrive_in_order(kernel: Kernel) -> None:
    talk = attach(kernel)
    ran = await talk.run("for n in range(10_000): show(f'{n} ')")
    assert ran.text.split() == [str(n) for n in range(10_000)]


async def test_nobody_publishes_on_iopub_but_the_kernel(kernel: Kernel) -> None:
    with pytest.raises(FrameError, match="cannot send on iopub"):
        await attach(kernel).ask("stream", {"name": "stdout", "text": "forged"}, Channel.IOPUB)


async def test_a_message_that_cannot_be_understood_is_not_passed_on(
    kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    talk = attach(kernel)
    right = "kernel.key"
    code = f"""
import gc
kernel = next(each for each in gc.get_objects() if type(each).__name__ == "SmallKernel")
kept, {right} = {right}, b"wrong"
kernel.send("shell", [b"{talk.channels.session}"], "forged", {{}})
{right} = kept
"""
    ran = await talk.run(code)
    assert ran.reply.status == "ok"
    assert "is not passed on: A message's signature" in caplog.text
    assert not any(message.read_header().msg_type == "forged" for message in talk.heard)


# Waiting, and the bound


async def test_what_waits_is_handed_over_in_portions_in_order(lives: Lives) -> None:
    channels = bounded(lives, 100 << 20)
    for number in range(1000):
        message = output(10_000, number)
        channels.deliver(message, message.size)
    portions: list[Sequence[Message]] = []
    while channels._waiting:
        portions.append(await channels.receive())
    assert max(map(len, portions)) <= 105
    assert [int(message.header) for portion in portions for message in portion] == list(range(1000))
    assert channels._waiting_bytes == 0


async def test_a_slow_reader_is_closed_with_a_code_and_a_reason(lives: Lives) -> None:
    channels = bounded(lives, 10 << 20)
    for _ in range(11):
        message = output(1 << 20)
        channels.deliver(message, message.size)
    closed = await channels.wait_closed()
    assert closed.code == CloseCode.SLOW_READER
    assert closed.reason == "Too slow a reader: 10 MiB of output wait for it."
    assert channels not in channels._kernel.attachments
    with pytest.raises(ChannelsClosed):
        await channels.receive()


async def test_a_thousand_small_messages_count_for_more_than_their_bytes(lives: Lives) -> None:
    channels = bounded(lives, 1 << 20)
    sent = 0
    while channels._closed is None:
        channels.deliver(output(10), 10)
        sent += 1
    assert sent < 3000


async def test_one_message_may_be_larger_than_the_bound(lives: Lives) -> None:
    channels = bounded(lives, 1 << 20)
    large = output(5 << 20)
    for _ in range(2):
        channels.deliver(large, large.size)
        assert list(await channels.receive()) == [large]
    channels.deliver(large, large.size)
    channels.deliver(output(10), 10)
    assert (await channels.wait_closed()).code == CloseCode.SLOW_READER


async def test_a_slow_reader_costs_the_kernel_and_other_clients_nothing(lives: Lives) -> None:
    kernel = await lives.started(limits=replace(LIMITS, client_buffer=1 << 20))
    slow, reading = attach(kernel), attach(kernel)
    ran = await reading.run("for n in range(3000): show('x' * 1000)")
    assert len(ran.text) == 3_000_000
    async with asyncio.timeout(DEADLINE):
        assert (await slow.channels.wait_closed()).code == CloseCode.SLOW_READER
    assert kernel.attachments == [reading.channels]


async def test_giving_up_receiving_loses_nothing(kernel: Kernel) -> None:
    talk = attach(kernel)
    request = await talk.execute("for n in range(500): show(f'{n} ')")
    messages: list[Message] = []
    while not any(b'"499 "' in message.content for message in messages):
        receiving = asyncio.create_task(talk.channels.receive())
        await turn()
        receiving.cancel()
        await asyncio.wait({receiving})
        if not receiving.cancelled():
            messages += receiving.result()
        await turn()
    outputs = [each for each in messages if each.read_header().msg_type == "stream"]
    assert [int(each.read_content()["text"]) for each in outputs] == list(range(500))
    assert outputs[0].read_parent_header().msg_id == request


# Sending, and pushing back


def shell_of(talk: Talk) -> KernelSocket:
    sockets = talk.channels._sockets
    assert sockets is not None
    return sockets._sockets[Channel.SHELL]


async def crowd(talk: Talk) -> asyncio.Task[None]:
    """Send to a kernel that takes nothing, until sending waits; the sender that waits."""

    async def send() -> None:
        # Large enough that the buffers of the connection between take few of them.
        code = "x = 1 #" + "x" * 100_000
        for _ in range(10_000):
            await talk.execute(code)

    sending = asyncio.create_task(send())
    async with asyncio.timeout(DEADLINE):
        while shell_of(talk)._writable is None:
            await turn()
    return sending


async def test_a_sender_waits_while_the_kernel_takes_no_more(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.execute("show('runs')\nimport time\ntime.sleep(600)")
    await talk.hear_text()
    sending = await crowd(talk)
    assert not sending.done()
    # Other channels, and other clients, are not held back by it.
    other = attach(kernel)
    await other.ask("usage_request", {}, Channel.CONTROL)
    # A restart lets it go on, to a kernel that takes it.
    restarting = asyncio.create_task(kernel.restart())
    await restarting
    sending.cancel()
    await asyncio.wait({sending})
    assert (await talk.run("show('works')")).reply.status == "ok"


async def test_closing_ends_a_sender_that_waits(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.execute("show('runs')\nimport time\ntime.sleep(600)")
    await talk.hear_text()
    sending = await crowd(talk)
    talk.channels.close(1000, "enough")
    with pytest.raises(ChannelsClosed, match="enough"):
        await sending


async def test_a_death_lets_a_sender_that_waits_go_on(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.execute("show('runs')\nimport time\ntime.sleep(600)")
    await talk.hear_text()
    sending = await crowd(talk)
    process_of(kernel).kill()
    await talk.hear_status("restarting")
    await talk.hear_status("idle")
    sending.cancel()
    await asyncio.wait({sending})
    assert (await talk.run("show('works')")).reply.status == "ok"


# Ends


async def test_a_newer_connection_of_a_session_replaces_the_older(kernel: Kernel) -> None:
    older, bystander = attach(kernel, "same"), attach(kernel, "another")
    await older.run("x = 1")
    newer = attach(kernel, "same")
    closed = await older.channels.wait_closed()
    assert (closed.code, closed.reason[:12]) == (CloseCode.REPLACED, "A newer conn")
    assert kernel.attachments == [bystander.channels, newer.channels]
    # The kernel's answers go to the newer one under the same name.
    assert (await newer.run("show(x)")).text == "1"


async def test_a_reply_to_what_a_replaced_connection_asked_reaches_the_newer(
    kernel: Kernel, tmp_path: Path
) -> None:
    older = attach(kernel, "same")
    go = tmp_path / "go"
    os.mkfifo(go)
    request = await older.execute(f"show('runs')\nopen({str(go)!r}).read()")
    await older.hear_text()
    newer = attach(kernel, "same")
    await asyncio.to_thread(go.write_text, "")
    assert (await newer.result(request)).reply.status == "ok"


async def test_what_waits_for_a_replaced_connection_waits_for_the_newer(lives: Lives) -> None:
    kernel = lives.new()
    older = kernel.attach(SessionId("same"))
    for number in range(3):
        older.deliver(output(10, number), 10)
    newer = kernel.attach(SessionId("same"))
    newer.deliver(output(10, 3), 10)
    assert [int(message.header) for message in await newer.receive()] == [0, 1, 2, 3]
    assert newer._waiting_bytes == 0
    with pytest.raises(ChannelsClosed, match="newer connection"):
        await older.receive()


async def test_a_sender_that_waits_is_told_that_it_was_replaced(kernel: Kernel) -> None:
    older = attach(kernel, "same")
    await older.execute("show('runs')\nimport time\ntime.sleep(600)")
    await older.hear_text()
    sending = await crowd(older)
    attach(kernel, "same")
    with pytest.raises(ChannelsClosed, match="newer connection"):
        await sending


async def test_what_waits_at_the_close_can_still_be_received(lives: Lives) -> None:
    channels = bounded(lives, 1 << 20)
    channels.deliver(output(10), 10)
    channels.close(1000, "first")
    channels.close(1001, "second")
    channels.deliver(output(10), 10)
    assert len(await channels.receive()) == 1
    for _ in range(2):
        with pytest.raises(ChannelsClosed, match="first") as closed:
            await channels.receive()
        assert closed.value.code == 1000
    with pytest.raises(ChannelsClosed):
        await channels.send(own_message(Channel.SHELL, "execute_request", {}, SessionId("me")))


async def test_a_close_wakes_who_waits(kernel: Kernel) -> None:
    talk = attach(kernel)
    receiving = asyncio.create_task(talk.channels.receive())
    waiting = asyncio.create_task(talk.channels.wait_closed())
    await turn()
    talk.channels.close(1000, "bye")
    with pytest.raises(ChannelsClosed, match="bye"):
        await receiving
    assert (await waiting).reason == "bye"


async def test_leaving_does_not_end_the_kernel_nor_what_it_runs(kernel: Kernel) -> None:
    leaving, staying = attach(kernel), attach(kernel)
    await leaving.execute("show('begun')\nshow('done')")
    leaving.channels.close(1000, "bye")
    assert [await staying.hear_text(), await staying.hear_text()] == ["begun", "done"]


async def test_after_a_restart_no_socket_looks_for_the_run_that_is_gone(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.run("x = 1")
    shell = shell_of(talk)
    await kernel.restart()
    assert talk.channels._sockets is None
    assert shell._socket.closed
    assert not talk.channels._end.is_set()


async def test_a_message_is_the_same_object_for_all_clients(kernel: Kernel) -> None:
    one, other = attach(kernel), attach(kernel)
    message = msgspec.structs.replace(output(100), header=b'{"msg_type":"stream"}')
    kernel._publish(message)
    assert (await received(one.channels))[-1] is message
    assert (await received(other.channels))[-1] is message
