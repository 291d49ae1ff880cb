"""Clients that leave and come back, and requests whose kernel ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.host.runs import DEADLINE, Lives, attach, process_of
from tests.host.talk import Talk, turn

from kernelway.host import session_sockets as session_sockets_module
from kernelway.host.kernel import Kernel
from kernelway.host.lifeline import own_message
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.errors import FrameError, PositionGone
from kernelway.protocol.message import Channel, Message, MessageId, SessionId

SLEEPS = "show('runs')\nimport time\ntime.sleep(600)"


@pytest.fixture
async def kernel(lives: Lives) -> Kernel:
    return await lives.started()


def texts(talk: Talk) -> list[str]:
    """What was printed, of what was heard."""
    heard = (message for message in talk.heard if message.read_header().msg_type == "stream")
    return [message.read_content()["text"] for message in heard]


def replies(talk: Talk) -> list[Message]:
    """What was heard that was not for everybody."""
    return [message for message in talk.heard if message.channel is not Channel.IOPUB]


def request(code: str) -> Message:
    """A request to run code."""
    content: dict[str, object] = {"code": code, "silent": False}
    return own_message(Channel.SHELL, "execute_request", content, SessionId("me"))


async def everything(kernel: Kernel, session: str = "reader", **how: Any) -> Talk:
    """A client that joined and has everything that there is for it."""
    talk = attach(kernel, session, **how)
    talk.channels.close(1000, "read")
    await talk.hear_all()
    return talk


async def until(kernel: Kernel, text: str) -> None:
    """Wait until the kernel has printed something, without being its client."""
    wanted = text.encode()
    async with asyncio.timeout(DEADLINE):
        while not any(
            wanted in kept.frame
            for kept in kernel.clients.journal.recent(_start(kernel), limit=1 << 30) or ()
        ):
            await turn()


def _start(kernel: Kernel) -> Any:
    return kernel.clients.journal.oldest - 1


# Replay


async def test_a_late_client_may_have_everything_from_the_start(kernel: Kernel) -> None:
    talk = attach(kernel)
    await talk.run("show('first')")
    await talk.run("show('second')")
    late = attach(kernel, replay_all=True)
    assert [await late.hear_text(), await late.hear_text()] == ["first", "second"]
    # Then it is live, without a gap or a repeat.
    await talk.run("show('third')")
    assert await late.hear_text() == "third"
    assert late.positions == sorted(set(late.positions))
    assert late.holes == []


async def test_without_a_wish_a_client_hears_what_comes_from_now_on(kernel: Kernel) -> None:
    await attach(kernel).run("show('before')")
    late = attach(kernel)
    assert (await late.run("show('after')")).text == "after"
    assert texts(late) == ["after"]


async def test_each_session_sees_its_own_replies_only(kernel: Kernel) -> None:
    one, other = attach(kernel, "one"), attach(kernel, "other")
    mine = await one.execute("show('for one')")
    await one.result(mine)
    await other.run("show('for other')")
    again = await everything(kernel, "one", replay_all=True)
    assert texts(again) == ["for one", "for other"]
    assert [reply.read_parent_header().msg_id for reply in replies(again)] == [mine]
    assert replies(await everything(kernel, "stranger", replay_all=True)) == []


async def test_requests_are_replayed_to_those_who_ask_for_them(kernel: Kernel) -> None:
    talk = attach(kernel)
    asked = await talk.execute("show('x')")
    await talk.result(asked)
    reader = await everything(kernel, replay_all=True, requests=True)
    assert [request.read_header().msg_id for request in reader.requests] == [asked]
    assert reader.requests[0].read_content()["code"] == "show('x')"
    # Every request stands before what came of it.
    journal = kernel.clients.journal
    kept = journal.recent(_start(kernel), limit=1 << 30)
    assert kept is not None
    first = next(each for each in kept if asked.encode() in each.frame)
    assert first.position == reader.positions[0] or first.frame[0] == 3
    assert (await everything(kernel, replay_all=True)).requests == []


async def test_a_client_goes_on_after_a_position(kernel: Kernel) -> None:
    talk = attach(kernel, "me", link="mine")
    await talk.run("show('first')")
    position = talk.positions[-1]
    talk.channels.close(1000, "bye")
    await attach(kernel).run("show('meanwhile')")
    again = attach(kernel, "me", link="mine", position=position)
    assert await again.hear_text() == "meanwhile"
    assert again.positions[0] > position


async def test_a_position_that_is_no_longer_kept_is_refused_with_the_oldest(kernel: Kernel) -> None:
    talk = attach(kernel, "me")
    await talk.run("for n in range(60): show('x' * 100_000)")
    journal = kernel.clients.journal
    assert journal.oldest > 2
    with pytest.raises(PositionGone, match="no longer kept") as gone:
        attach(kernel, "me", position=journal.oldest - 2)
    assert gone.value.oldest == journal.oldest
    with pytest.raises(PositionGone, match="no position"):
        attach(kernel, "me", position=journal.newest + 1)
    # Whoever was refused has replaced nobody.
    assert kernel.attachments == [talk.channels]
    oldest = attach(kernel, position=journal.oldest - 1)
    await oldest.receive()
    await oldest.receive()
    assert oldest.positions[0] == journal.oldest
    assert (await everything(kernel, position=journal.newest)).positions == []


# Resuming


async def test_a_session_resumes_after_what_it_received(kernel: Kernel) -> None:
    talk = attach(kernel, "me", resume=True)
    await talk.run("show('first')")
    await talk.run("show('second')")
    await talk.tell_received(talk.positions[-1])
    talk.channels.close(1000, "cut")
    await attach(kernel).run("show('meanwhile')")
    again = attach(kernel, "me", resume=True)
    assert await again.hear_text() == "meanwhile"


async def test_what_a_session_did_not_say_it_received_comes_again(kernel: Kernel) -> None:
    await attach(kernel).run("show('before it came')")
    talk = attach(kernel, "me", resume=True)
    await talk.run("show('first')")
    again = attach(kernel, "me", resume=True)
    again.channels.close(1000, "read")
    await again.hear_all()
    assert texts(again) == ["first"]
    assert [reply.channel for reply in replies(again)] == [Channel.SHELL]


async def test_a_session_of_which_nothing_is_known_resumes_from_now_on(kernel: Kernel) -> None:
    await attach(kernel).run("show('before')")
    talk = await everything(kernel, "me", resume=True)
    assert talk.positions == []
    await attach(kernel).run("show('meanwhile')")
    assert texts(await everything(kernel, "me", resume=True)) == ["meanwhile"]


async def test_a_session_that_resumes_what_is_gone_is_told_of_the_hole(kernel: Kernel) -> None:
    talk = attach(kernel, "me", resume=True)
    await talk.run("x = 1")
    await talk.tell_received(1)
    talk.channels.close(1000, "cut")
    await attach(kernel).run("for n in range(60): show('x' * 100_000)")
    again = attach(kernel, "me", resume=True)
    again.channels.close(1000, "read")
    await again.hear_all()
    [(follows, hole)] = again.holes
    assert follows == again.positions[0] == kernel.clients.journal.oldest
    assert hole.reason


async def test_nobody_has_received_what_was_never_sent(kernel: Kernel) -> None:
    talk = attach(kernel)
    with pytest.raises(FrameError, match="never sent"):
        await talk.tell_received(10_000)


# While nobody is there


async def test_a_reply_that_came_while_nobody_was_there_is_found(kernel: Kernel, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    talk = attach(kernel, "me", resume=True)
    asked = await talk.execute(f"show('runs')\nopen({str(go)!r}).read()\nshow('done')")
    await talk.hear_text()
    talk.channels.close(1000, "cut")
    await asyncio.to_thread(go.write_text, "")
    await until(kernel, '"execute_reply"')
    again = attach(kernel, "me", resume=True)
    assert (await again.result(asked)).reply.status == "ok"


def input_reply(value: str, question: Message) -> Message:
    return own_message(
        Channel.STDIN, "input_reply", {"value": value}, SessionId("me"), parent_header=question.header
    )


async def test_a_question_is_answered_after_a_reconnect(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk = attach(kernel, "me", link="mine")
    asked = await talk.execute("print(input('name? '))")
    question = await talk.hear(lambda each: each.channel is Channel.STDIN)
    talk.channels.close(1000, "cut")
    again = attach(kernel, "me", link="mine", sent=1, position=talk.positions[-1])
    await again.send(2, input_reply("Ada", question))
    await again.send(2, input_reply("Ada", question))
    again.sent = 2
    assert (await again.result(asked)).text == "Ada\n"


async def test_a_question_that_is_replayed_is_answered_once(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk = attach(kernel, "me", resume=True)
    asked = await talk.execute("print(input('first? ')); print(input('second? '))")
    await talk.hear(lambda each: each.channel is Channel.STDIN)
    again = attach(kernel, "me", resume=True)
    first = await again.hear(lambda each: each.channel is Channel.STDIN)
    await again.send(1, input_reply("one", first))
    second = await again.hear(lambda each: each.channel is Channel.STDIN)
    # The page asks its user once more, who answers once more.
    await again.send(2, input_reply("one", first))
    await again.send(3, input_reply("two", second))
    again.sent = 3
    await again.result(asked)
    assert "".join(texts(again)).split() == ["one", "two"]
    assert again.taken[-1] == 3


async def test_what_is_typed_is_never_kept(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk = attach(kernel, "me")
    asked = await talk.execute("import getpass; len(getpass.getpass())")
    question = await talk.hear(lambda each: each.channel is Channel.STDIN)
    await talk.send(2, input_reply("secret", question))
    await talk.result(asked)
    # Nor where a client sends it on the wrong channel.
    wrong = own_message(Channel.SHELL, "input_reply", {"value": "secret"}, SessionId("me"))
    await talk.send(3, wrong)
    kept = kernel.clients.journal.recent(_start(kernel), limit=1 << 30)
    assert kept is not None
    assert not any(b"secret" in each.frame for each in kept)


async def test_of_sessions_without_clients_the_latest_keep_their_sockets(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_sockets_module, "_MOST_UNUSED", 2)
    sockets = kernel.clients._sockets
    for number in range(4):
        talk = attach(kernel, str(number))
        await talk.run("x = 1")
        talk.channels.close(1000, "bye")
    staying = attach(kernel, "staying")
    assert list(sockets._sockets) == [SessionId(name) for name in ("2", "3", "staying")]
    # One whose request is not answered keeps them, until it is.
    waiting = attach(kernel, "waiting")
    await waiting.execute(SLEEPS)
    await waiting.hear_text()
    waiting.channels.close(1000, "bye")
    assert len(sockets) == 4
    await kernel.interrupt()
    await staying.hear_status("idle")
    async with asyncio.timeout(DEADLINE):
        while len(sockets) > 3:
            await turn()
    # Those that have lost theirs get others.
    assert (await attach(kernel, "0").run("show(x)")).text == "1"


# Requests whose kernel ends


async def ask_thrice(talk: Talk) -> list[MessageId]:
    """Three requests, of which none will be answered."""
    first = await talk.execute(SLEEPS)
    await talk.hear_text()
    return [first, await talk.execute("x = 1"), await talk.ask("usage_request", {}, Channel.CONTROL)]


def aborted(talk: Talk) -> list[tuple[MessageId, str, str]]:
    """Of the aborted replies: what they answer, their channel, and whose fault it was."""
    found = [(reply, reply.read_content()) for reply in replies(talk)]
    return [
        (reply.read_parent_header().msg_id, reply.channel.value, content["ename"])
        for reply, content in found
        if content["status"] == "aborted"
    ]


def states(talk: Talk) -> list[str]:
    """The states that were heard, with ``*`` where one says that a request was aborted."""
    found: list[str] = []
    for message in talk.heard:
        if message.read_header().msg_type == "status":
            content = message.read_content()
            marked = "*" if "kernelway" in content else ""
            found.append(content["execution_state"] + marked)
    return found


async def test_requests_that_a_killed_kernel_leaves_are_answered_once_each(kernel: Kernel) -> None:
    talk, other = attach(kernel, "me"), attach(kernel)
    asked = await ask_thrice(talk)
    process_of(kernel).kill()
    await talk.hear_status("restarting")
    channels = ["shell", "shell", "control"]
    expected = [(each, channel, "KernelRestarted") for each, channel in zip(asked, channels, strict=True)]
    assert aborted(talk) == expected
    assert states(talk)[-4:] == ["idle*", "idle*", "idle*", "restarting"]
    reasons = {reply.read_content()["evalue"] for reply in replies(talk)}
    assert reasons == {"The kernel was ended by SIGKILL."}
    # They were not sent again, and are not answered again.
    assert (await talk.run("show('x' in globals())")).text == "False"
    await kernel.restart()
    await talk.run("pass")
    assert aborted(talk) == expected
    # Others hear that they are over, and nothing else of it.
    await other.hear_status("restarting")
    assert replies(other) == []
    assert states(other)[-4:] == ["idle*", "idle*", "idle*", "restarting"]


async def test_a_client_that_was_away_finds_what_became_of_its_requests(kernel: Kernel) -> None:
    talk = attach(kernel, "me", resume=True)
    asked = await ask_thrice(talk)
    talk.channels.close(1000, "cut")
    process_of(kernel).kill()
    again = attach(kernel, "me", resume=True)
    await again.hear_status("restarting")
    assert [each for each, _, _ in aborted(again)] == asked


async def test_requests_at_a_restart_are_answered_before_it_is_told(lives: Lives) -> None:
    kernel = await lives.started("python3")
    talk = attach(kernel)
    first = await talk.execute(
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('runs', flush=True)\nwhile True: pass"
    )
    await talk.hear_text()
    second = await talk.execute("1")
    await kernel.restart()
    await talk.hear_status("starting")
    assert [(each, ename) for each, _, ename in aborted(talk)][-2:] == [
        (first, "KernelRestarted"),
        (second, "KernelRestarted"),
    ]
    assert "was restarted" in replies(talk)[-1].read_content()["evalue"]


async def test_a_real_reply_that_an_interrupt_brought_is_the_only_one(kernel: Kernel) -> None:
    talk = attach(kernel)
    asked = await talk.execute(SLEEPS)
    await talk.hear_text()
    await kernel.restart()
    await talk.hear_status("starting")
    [reply] = replies(talk)
    assert reply.read_parent_header().msg_id == asked
    assert reply.read_content()["ename"] == "KeyboardInterrupt"


async def test_requests_at_a_shutdown_are_told_that_the_kernel_is_dead(kernel: Kernel) -> None:
    talk = attach(kernel)
    asked = await talk.execute(
        "import signal, time\nsignal.signal(2, signal.SIG_IGN)\nshow('runs')\ntime.sleep(600)"
    )
    await talk.hear_text()
    await kernel.shutdown()
    closed = await talk.hear_all()
    assert "was shut down" in closed.reason
    assert aborted(talk) == [(asked, "shell", "KernelDied")]
    assert states(talk)[-2:] == ["idle*", "dead"]


async def test_a_request_that_waits_during_a_restart_is_run_and_not_aborted(kernel: Kernel) -> None:
    talk = attach(kernel)
    restarting = asyncio.create_task(kernel.restart())
    while kernel._settled.is_set():
        await turn()
    assert (await talk.run("show('runs')")).text == "runs"
    await restarting
    assert aborted(talk) == []


async def test_what_is_said_to_a_dead_kernel_closes(kernel: Kernel) -> None:
    talk = attach(kernel)
    await kernel.shutdown()
    with pytest.raises(ChannelsClosed):
        await talk.execute("show(1)")


async def test_a_reply_that_came_before_a_death_was_noticed_counts(kernel: Kernel) -> None:
    talk = attach(kernel)
    process = process_of(kernel)
    code = "import os, threading\nthreading.Timer(0.3, os._exit, [7]).start()\nshow('replies')"
    asked = await talk.execute(code)
    # Nothing is heard meanwhile: the event loop stands still.
    process.wait(DEADLINE)
    assert (await talk.result(asked)).reply.status == "ok"
    await talk.hear_status("restarting")
    assert aborted(talk) == []


async def test_requests_under_random_cuts_run_once_each_and_in_order(kernel: Kernel) -> None:
    chance, count = Random(20261121), 60
    await attach(kernel).run("ran = []")
    requests = [request(f"ran.append({number})") for number in range(count)]
    taken = 0
    while taken < count:
        talk = attach(kernel, "me", link="mine")
        await talk.receive()
        taken = talk.taken[0]
        # Whatever is not known to be taken is sent again, and some that is, too.
        first = max(0, taken - chance.randrange(3))
        for number in range(first, min(count, first + chance.randrange(1, 6))):
            sending = asyncio.create_task(talk.send(number + 1, requests[number]))
            for _ in range(chance.randrange(3)):
                await turn()
            if chance.random() < 0.3:
                sending.cancel()
            await asyncio.wait({sending})
            if sending.cancelled():
                break
        if chance.random() < 0.5:
            talk.channels.close(1000, "cut")
    # The kernel takes what one session sends in order, and what others send when it likes.
    last = attach(kernel, "me", link="mine", sent=count)
    assert (await last.run("show(ran == list(range(60)))")).text == "True"
