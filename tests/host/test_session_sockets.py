"""The sockets of all sessions of a kernel, with real runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import zmq
from tests.host.runs import DEADLINE, Runs

from kernelway.host import session_sockets
from kernelway.host.client_sockets import ClientSockets
from kernelway.host.lifeline import own_message
from kernelway.host.session_sockets import SessionSockets
from kernelway.protocol.errors import KernelError
from kernelway.protocol.message import Channel, Message, SessionId

ME, OTHER = SessionId("me"), SessionId("other")


class Sessions:
    """The sockets, with what was delivered, and those sessions that are in use."""

    def __init__(self) -> None:
        self.in_use: set[SessionId] = set()
        self.messages: asyncio.Queue[tuple[SessionId, str]] = asyncio.Queue()
        self.sockets = SessionSockets(self._deliver, self.in_use.__contains__)

    def _deliver(self, session: SessionId, message: Message) -> None:
        self.messages.put_nowait((session, message.read_header().msg_type))

    async def next(self) -> tuple[SessionId, str]:
        return await asyncio.wait_for(self.messages.get(), DEADLINE)


def ask(sockets: ClientSockets, channel: Channel, msg_type: str, session: SessionId) -> None:
    assert sockets.try_send(own_message(channel, msg_type, {}, session))


async def test_each_session_has_its_own_and_is_told_its_own_replies(runs: Runs) -> None:
    run, _ = await runs.ready()
    sessions = Sessions()
    mine, others = sessions.sockets.of(run, ME), sessions.sockets.of(run, OTHER)
    assert sessions.sockets.of(run, ME) is mine is not others
    assert len(sessions.sockets) == 2
    ask(mine, Channel.SHELL, "kernel_info_request", ME)
    assert await sessions.next() == (ME, "kernel_info_reply")
    ask(others, Channel.CONTROL, "usage_request", OTHER)
    assert await sessions.next() == (OTHER, "usage_reply")
    sessions.sockets.close()


async def test_what_a_kernel_replied_before_its_end_is_heard(runs: Runs) -> None:
    run, _ = await runs.ready()
    sessions = Sessions()
    ask(sessions.sockets.of(run, ME), Channel.CONTROL, "shutdown_request", ME)
    await asyncio.wait_for(run.exited(), DEADLINE)
    await sessions.sockets.finish()
    assert sessions.messages.get_nowait() == (ME, "shutdown_reply")
    sessions.sockets.close()


async def test_the_next_run_is_spoken_to_through_other_sockets(runs: Runs) -> None:
    run, _ = await runs.ready()
    sessions = Sessions()
    before = sessions.sockets.of(run, ME)
    sessions.sockets.close()
    assert len(sessions.sockets) == 0
    with pytest.raises(ConnectionError):
        ask(before, Channel.SHELL, "kernel_info_request", ME)
    following, _ = await runs.ready()
    ask(sessions.sockets.of(following, ME), Channel.SHELL, "kernel_info_request", ME)
    assert await sessions.next() == (ME, "kernel_info_reply")
    assert sessions.messages.empty()
    sessions.sockets.close()
    sessions.sockets.close()


async def test_of_those_not_in_use_the_ones_used_last_are_kept(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_sockets, "_MOST_UNUSED", 2)
    run, _ = await runs.ready()
    sessions = Sessions()
    made = {name: sessions.sockets.of(run, SessionId(name)) for name in "abcde"}
    assert sessions.sockets.of(run, SessionId("a")) is made["a"]
    sessions.in_use.add(SessionId("b"))
    sessions.sockets.tidy()
    sessions.sockets.tidy()
    assert len(sessions.sockets) == 3
    assert {name for name in made if is_open(made[name])} == {"a", "b", "e"}
    sessions.sockets.close()


def is_open(sockets: ClientSockets) -> bool:
    try:
        return sockets.try_send(own_message(Channel.SHELL, "kernel_info_request", {}, ME))
    except ConnectionError:
        return False


async def test_a_session_whose_sockets_cannot_be_opened_has_none(runs: Runs) -> None:
    with zmq.Context() as context:
        # One is the launcher's, two are the session's stdin and control.
        context.max_sockets = 3
        runs.surroundings = replace(runs.surroundings, context=context)
        run = await runs.started()
        sessions = Sessions()
        with pytest.raises(KernelError, match="Too many open files"):
            sessions.sockets.of(run, ME)
        assert len(sessions.sockets) == 0
        await runs.end()
