"""Requests that wait for their replies."""

from __future__ import annotations

import msgspec
import pytest

from kernelway.host import unanswered as unanswered_module
from kernelway.host.lifeline import own_message
from kernelway.host.unanswered import Unanswered, aborted
from kernelway.protocol.errors import KernelDied, KernelRestarted
from kernelway.protocol.message import Channel, Message, SessionId

ME, YOU, KERNEL = SessionId("me"), SessionId("you"), SessionId("kernel")


def ask(
    unanswered: Unanswered,
    msg_type: str = "execute_request",
    channel: Channel = Channel.SHELL,
    session: SessionId = ME,
) -> Message:
    message = own_message(channel, msg_type, {}, session)
    unanswered.note(session, message, message.read_header())
    return message


def reply_to(request: Message) -> Message:
    return own_message(request.channel, "any_reply", {}, KERNEL, parent_header=request.header)


def test_what_was_answered_is_no_longer_noted() -> None:
    unanswered = Unanswered()
    first, second = ask(unanswered), ask(unanswered, "usage_request", Channel.CONTROL)
    assert ME in unanswered
    unanswered.note_reply(ME, reply_to(first))
    assert [each.header for each in unanswered.take()] == [second.header]
    assert len(unanswered) == 0
    assert ME not in unanswered
    assert unanswered.take() == []


def test_what_asks_for_no_reply_is_not_noted() -> None:
    unanswered = Unanswered()
    ask(unanswered, "comm_msg")
    ask(unanswered, "input_reply", Channel.STDIN)
    assert len(unanswered) == 0


def test_a_reply_answers_its_own_session_and_channel_only() -> None:
    unanswered = Unanswered()
    request = ask(unanswered)
    unanswered.note_reply(YOU, reply_to(request))
    ask(unanswered, session=YOU)
    unanswered.note_reply(YOU, reply_to(request))
    on_control = msgspec.structs.replace(reply_to(request), channel=Channel.CONTROL)
    unanswered.note_reply(ME, on_control)
    unanswered.note_reply(ME, msgspec.structs.replace(reply_to(request), channel=Channel.STDIN))
    assert len(unanswered) == 2


def test_each_of_several_requests_under_one_id_has_its_reply() -> None:
    unanswered = Unanswered()
    request = ask(unanswered)
    unanswered.note(ME, request, request.read_header())
    unanswered.note_reply(ME, reply_to(request))
    assert len(unanswered) == 1
    unanswered.note_reply(ME, reply_to(request))
    unanswered.note_reply(ME, reply_to(request))
    assert len(unanswered) == 0


def test_a_reply_that_cannot_be_read_answers_nothing(caplog: pytest.LogCaptureFixture) -> None:
    unanswered = Unanswered()
    request = ask(unanswered)
    unanswered.note_reply(ME, msgspec.structs.replace(reply_to(request), parent_header=b"[]"))
    assert len(unanswered) == 1
    assert "answers nothing that is known" in caplog.text


def test_beyond_the_bound_the_oldest_is_forgotten_with_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unanswered_module, "_MOST", 3)
    unanswered = Unanswered()
    requests = [ask(unanswered) for _ in range(4)]
    assert [each.header for each in unanswered.take()] == [each.header for each in requests[1:]]
    assert "More than 3 requests" in caplog.text


@pytest.mark.parametrize("error", [KernelRestarted, KernelDied])
def test_an_aborted_request_has_a_reply_for_its_session_and_an_idle_for_all(
    error: type[KernelRestarted] | type[KernelDied],
) -> None:
    unanswered = Unanswered()
    request = ask(unanswered, "inspect_request")
    [asked] = unanswered.take()
    (to, reply), (everybody, idle) = aborted(asked, error("It is so."), KERNEL)
    assert (to, everybody) == (ME, "")
    assert (reply.channel, idle.channel) == (Channel.SHELL, Channel.IOPUB)
    assert reply.parent_header == idle.parent_header == request.header
    assert (reply.read_header().msg_type, idle.read_header().msg_type) == ("inspect_reply", "status")
    assert {message.read_header().session for message in (reply, idle)} == {KERNEL}
    assert reply.read_content() == {
        "status": "aborted",
        "ename": error.__name__,
        "evalue": "It is so.",
        "traceback": [],
    }
    assert idle.read_content() == {"execution_state": "idle", "kernelway": {"aborted": "It is so."}}
