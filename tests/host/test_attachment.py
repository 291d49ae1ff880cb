"""One client's connection to a kernel: what it is sent, what it is spared, and how it ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.host.runs import DEADLINE, Lives, attach, process_of
from tests.host.talk import Talk, turn

from kernelway.host.kernel import Kernel
from kernelway.host.lifeline import own_message
from kernelway.host.sockets import KernelSocket
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError
from kernelway.protocol.link_framing import FrameKind, encode_frame
from kernelway.protocol.message import Channel, Message, SessionId


@pytest.fixture
async def kernel(lives: Lives) -> Kernel:
    return await lives.started()


def request(code: str, session: str = "me") -> Message:
    """A request to run code."""
    content: dict[str, object] = {"code": code, "silent": False, "allow_stdin": True}
    return own_message(Channel.SHELL, "execute_request", content, SessionId(session))


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
    assert await other.hear_line() == "Ada\n"
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
kernel.send("shell", [b"{talk.session}"], "forged", {{}})
{right} = kept
"""
    ran = await talk.run(code)
    assert ran.reply.status == "ok"
    assert "is not passed on: A message's signature" in caplog.text
    assert not any(message.read_header().msg_type == "forged" for message in talk.heard)


# Receiving


async def test_a_welcome_comes_first_and_tells_what_there_is(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.receive()
    assert talk.welcome is not None
    journal = kernel.clients.journal
    assert (talk.welcome.newest, talk.welcome.oldest, talk.welcome.ended) == (journal.newest, 1, False)
    assert talk.taken == [0]


async def test_giving_up_receiving_loses_nothing(kernel: Kernel) -> None:
    talk = attach(kernel)
    asked = await talk.execute("for n in range(500): show(f'{n} ')")
    frames: list[bytes] = []
    while not any(b'"499 "' in frame for frame in frames):
        receiving = asyncio.create_task(talk.channels.receive())
        await turn()
        receiving.cancel()
        await asyncio.wait({receiving})
        if not receiving.cancelled():
            frames += receiving.result()
        await turn()
    for frame in frames:
        talk._take_in(frame)
    outputs = [each for each in talk._unread if each.read_header().msg_type == "stream"]
    assert [int(each.read_content()["text"]) for each in outputs] == list(range(500))
    assert outputs[0].read_parent_header().msg_id == asked


async def test_what_is_handed_over_at_a_time_is_bounded(kernel: Kernel) -> None:
    talk, other = attach(kernel), attach(kernel)
    await talk.run("for n in range(30): show('x' * 100_000)")
    portions = [await other.channels.receive() for _ in range(3)]
    assert all(sum(map(len, portion)) < 1.2 * 2**20 for portion in portions)
    assert sum(map(len, portions)) > 25


async def test_frames_are_the_same_objects_for_all_clients(kernel: Kernel) -> None:
    one, other = attach(kernel), attach(kernel)
    kernel._publish(own_message(Channel.IOPUB, "stream", {"text": "x"}, SessionId("kernel")))
    assert (await one.channels.receive())[-1] is (await other.channels.receive())[-1]


async def test_a_slow_reader_finds_a_hole_where_nothing_is_kept_on_disk(kernel: Kernel) -> None:
    slow, reading = attach(kernel), attach(kernel)
    asked = await reading.execute("for n in range(80): show(str(n) + ' ' * 100_000)")
    await reading.result(asked)
    await slow.hear_status("idle")
    [(follows, hole)] = slow.holes
    assert follows == slow.positions[0] > 1
    assert hole.messages == follows - 1 - (slow.welcome.newest if slow.welcome else 0)


# Taking, exactly once


async def test_what_is_taken_is_told(kernel: Kernel) -> None:
    talk = attach(kernel)
    for _ in range(3):
        await talk.ask("kernel_info_request", {})
    await talk.hear_until(3)
    assert talk.taken == [0, 3]


async def test_a_number_that_was_taken_is_not_taken_again_but_told(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.run("x = 0")
    add = request("x += 1")
    for _ in range(3):
        await talk.send(2, add)
    await talk.send(1, request("x = 100"))
    await talk.hear_until(2)
    talk.sent = 2
    assert (await talk.run("show(x)")).text == "1"
    assert set(talk.taken) == {0, 1, 2, 3}


async def test_a_number_that_leaves_out_others_is_refused_and_nothing_is_taken(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.run("x = 0")
    with pytest.raises(FrameError, match="Request 3 leaves out others: 1 came last"):
        await talk.send(3, request("x += 1"))
    assert (await talk.run("show(x)")).text == "0"


async def test_a_link_goes_on_in_another_connection(kernel: Kernel) -> None:
    talk = attach(kernel, "me", link="mine")
    await talk.run("x = 0")
    await talk.run("x += 1")
    talk.channels.close(1000, "bye")
    again = attach(kernel, "me", link="mine", sent=2)
    await again.send(2, request("x += 1"))
    assert (await again.run("show(x)")).text == "1"
    assert again.taken[0] == 2
    # Another link of the same session counts from its own beginning: stock clients' frames always run.
    anew = attach(kernel, "me")
    assert (await anew.run("x += 1\nshow(x)")).text == "2"
    assert anew.taken[0] == 0


async def test_what_waited_in_a_replaced_connection_is_not_sent_by_it(kernel: Kernel) -> None:
    older = attach(kernel, "me", link="mine")
    await older.run("x = 0")
    restarting = asyncio.create_task(kernel.restart())
    while kernel._settled.is_set():
        await turn()
    waiting = asyncio.create_task(older.send(2, request("x = globals().get('x', 0) + 1")))
    await turn()
    newer = attach(kernel, "me", link="mine", sent=1)
    with pytest.raises(ChannelsClosed, match="newer connection"):
        await waiting
    again = asyncio.create_task(newer.run("x = globals().get('x', 0) + 1"))
    await restarting
    await again
    assert (await newer.run("show(x)")).text == "1"
    assert newer.taken[0] == 1


async def test_a_cancelled_sender_has_not_taken_the_request(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.run("x = 0")
    restarting = asyncio.create_task(kernel.restart())
    while kernel._settled.is_set():
        await turn()
    waiting = asyncio.create_task(talk.send(2, request("show('sent')")))
    await turn()
    waiting.cancel()
    await asyncio.wait({waiting})
    await restarting
    assert (await talk.run("show('another')")).text == "another"


@pytest.mark.parametrize("kind", [FrameKind.WELCOME, FrameKind.MESSAGE, FrameKind.HOLE, FrameKind.TAKEN])
async def test_what_no_client_sends_is_refused(kernel: Kernel, kind: FrameKind) -> None:
    with pytest.raises(FrameError, match=kind.name):
        await attach(kernel).channels.send(encode_frame(kind, 1))


async def test_a_request_that_holds_no_message_is_refused(kernel: Kernel) -> None:
    with pytest.raises(FrameError):
        await attach(kernel).channels.send(encode_frame(FrameKind.REQUEST, 1, b"nonsense"))


async def test_a_header_that_is_none_goes_to_the_kernel_and_is_not_kept(kernel: Kernel) -> None:
    talk, reader = attach(kernel), attach(kernel, requests=True)
    message = Message(Channel.CONTROL, b'"no header"')
    before = kernel.clients.journal.newest
    await talk.send(1, message)
    assert kernel.clients.journal.newest == before
    await talk.hear_until(1)
    reader.channels.close(1000, "bye")
    await reader.hear_all()
    assert reader.requests == []


# Sending, and pushing back


def shell_of(talk: Talk) -> KernelSocket:
    return talk.attachment._clients._sockets._sockets[talk.session]._sockets[Channel.SHELL]


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
    asked = await older.execute(f"show('runs')\nopen({str(go)!r}).read()")
    await older.hear_text()
    newer = attach(kernel, "same")
    await asyncio.to_thread(go.write_text, "")
    assert (await newer.result(asked)).reply.status == "ok"


async def test_a_sender_that_waits_is_told_that_it_was_replaced(kernel: Kernel) -> None:
    older = attach(kernel, "same")
    await older.execute("show('runs')\nimport time\ntime.sleep(600)")
    await older.hear_text()
    sending = await crowd(older)
    attach(kernel, "same")
    with pytest.raises(ChannelsClosed, match="newer connection"):
        await sending


async def test_what_was_there_at_the_close_is_still_received_and_no_more(kernel: Kernel) -> None:
    talk, other = attach(kernel), attach(kernel)
    await other.run("show('before')")
    talk.channels.close(1000, "first")
    talk.channels.close(1001, "second")
    await other.run("show('after')")
    closed = await talk.hear_all()
    assert (closed.code, closed.reason) == (1000, "first")
    texts = [each.read_content()["text"] for each in talk.heard if each.read_header().msg_type == "stream"]
    assert texts == ["before"]
    with pytest.raises(ChannelsClosed, match="first"):
        await talk.channels.receive()
    with pytest.raises(ChannelsClosed, match="first"):
        await talk.execute("show(1)")
    with pytest.raises(ChannelsClosed, match="first"):
        await talk.tell_received(1)


async def test_a_close_wakes_who_waits(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.receive()
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
    assert len(kernel.clients._sockets) == 0
    assert shell._socket.closed
    assert not talk.attachment._end.is_set()
