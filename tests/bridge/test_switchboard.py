"""Scripts of events and the actions that follow."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.bridge.own import OwnMessages
from kernelway.bridge.routes import Routes
from kernelway.bridge.switchboard import (
    Action,
    Asked,
    Drop,
    End,
    Forward,
    Interrupt,
    Publish,
    Send,
    ShutDown,
    Switchboard,
)
from kernelway.protocol.errors import Unreachable
from kernelway.protocol.message import EMPTY, Channel, Message
from kernelway.protocol.signing import Signer
from kernelway.protocol.zmq_framing import encode

SIGNER = Signer(b"secret")


def switchboard(*, owns: bool = True, most: int = 100) -> Switchboard:
    ids = count()
    own = OwnMessages(new_id=lambda: f"own-{next(ids)}", now=lambda: datetime(2026, 11, 20, tzinfo=UTC))
    return Switchboard(SIGNER, owns=owns, own=own, routes=Routes(most))


def message(
    channel: Channel,
    msg_type: str,
    *,
    msg_id: str = "1",
    parent: str | None = None,
    content: dict[str, Any] | None = None,
    buffers: tuple[bytes, ...] = (),
) -> Message:
    header = {"msg_id": msg_id, "msg_type": msg_type, "session": "s"}
    return Message(
        channel,
        msgspec.json.encode(header),
        EMPTY if parent is None else msgspec.json.encode({"msg_id": parent}),
        EMPTY,
        msgspec.json.encode(content or {}),
        buffers,
    )


def parts(request: Message, identity: bytes = b"a", signer: Signer = SIGNER) -> list[Any]:
    return [identity, *encode(request, signer)]


def state(name: str, parent: str, **more: str) -> Message:
    return message(Channel.IOPUB, "status", parent=parent, content={"execution_state": name, **more})


def told(actions: list[Action]) -> list[tuple[str, dict[str, Any]]]:
    """The types and contents of what is sent and published."""
    return [
        (each.message.read_header().msg_type, each.message.read_content())
        for each in actions
        if isinstance(each, Publish | Send)
    ]


@pytest.mark.parametrize("channel", [Channel.SHELL, Channel.CONTROL])
@pytest.mark.parametrize(
    "msg_type",
    ["is_complete_request", "kernel_info_request", "debug_request", "comm_msg", "create_subshell_request"],
)
def test_what_a_client_asks_is_forwarded_as_it_is(channel: Channel, msg_type: str) -> None:
    asked = message(channel, msg_type, buffers=(b"one", b""))
    assert switchboard().requested(channel, parts(asked)) == [Forward(asked)]


def test_code_is_busy_at_once_and_the_kernel_s_own_word_for_that_is_left_out() -> None:
    board = switchboard()
    code = message(Channel.SHELL, "execute_request")
    busy, forwarded = board.requested(Channel.SHELL, parts(code))
    assert told([busy]) == [("status", {"execution_state": "busy"})]
    assert isinstance(busy, Publish)
    assert busy.message.parent_header == code.header
    assert forwarded == Forward(code)
    assert board.came(state("busy", "1")) == []
    idle = state("idle", "1")
    assert board.came(idle) == [Publish(idle)]


def test_code_that_waits_for_something_else_is_busy_when_the_kernel_says_so() -> None:
    board = switchboard()
    board.requested(Channel.SHELL, parts(message(Channel.SHELL, "execute_request", msg_id="1")))
    code = message(Channel.SHELL, "execute_request", msg_id="2")
    assert board.requested(Channel.SHELL, parts(code)) == [Forward(code)]
    board.came(state("busy", "1"))
    busy = state("busy", "2")
    assert board.came(busy) == [Publish(busy)]


def test_the_kernel_s_own_word_counts_after_an_idle_of_something_else() -> None:
    board = switchboard()
    before = message(Channel.SHELL, "is_complete_request", msg_id="1")
    board.requested(Channel.SHELL, parts(before))
    board.came(message(Channel.SHELL, "is_complete_reply", parent="1"))
    busy, _ = board.requested(Channel.SHELL, parts(message(Channel.SHELL, "execute_request", msg_id="2")))
    assert isinstance(busy, Publish)
    for status in (state("idle", "1"), state("busy", "2")):
        assert board.came(status) == [Publish(status)]


def test_a_reply_goes_to_who_asked_and_to_nobody_else() -> None:
    board = switchboard()
    for identity, msg_id in ((b"a", "1"), (b"b", "2")):
        board.requested(
            Channel.SHELL, parts(message(Channel.SHELL, "execute_request", msg_id=msg_id), identity)
        )
    reply = message(Channel.SHELL, "execute_reply", parent="2")
    assert board.came(reply) == [Send(b"b", reply)]


def test_a_question_goes_to_who_runs_the_code_and_the_answer_back() -> None:
    board = switchboard()
    board.requested(Channel.SHELL, parts(message(Channel.SHELL, "execute_request"), b"b"))
    question = message(Channel.STDIN, "input_request", parent="1")
    assert board.came(question) == [Send(b"b", question)]
    answer = message(Channel.STDIN, "input_reply", msg_id="2")
    assert board.requested(Channel.STDIN, parts(answer, b"b")) == [Forward(answer)]


def test_a_reply_that_comes_after_its_idle_finds_its_way() -> None:
    board = switchboard()
    board.requested(Channel.SHELL, parts(message(Channel.SHELL, "execute_request")))
    board.came(state("busy", "1"))
    board.came(state("idle", "1"))
    reply = message(Channel.SHELL, "execute_reply", parent="1")
    assert board.came(reply) == [Send(b"a", reply)]
    assert isinstance(board.came(reply)[0], Drop)


def test_the_oldest_of_too_many_requests_is_given_up_in_words() -> None:
    board = switchboard(most=1)
    board.requested(Channel.SHELL, parts(message(Channel.SHELL, "execute_request", msg_id="1")))
    second = message(Channel.SHELL, "execute_request", msg_id="2")
    dropped, forwarded = board.requested(Channel.SHELL, parts(second))
    assert isinstance(dropped, Drop)
    assert "that to 1" in dropped.why
    assert forwarded == Forward(second)


def test_output_is_published_as_it_is() -> None:
    output = message(Channel.IOPUB, "stream", parent="1", content={"text": '"status" "aborted"'})
    assert switchboard().came(output) == [Publish(output)]


def test_the_welcome_that_the_host_was_given_is_not_passed_on() -> None:
    assert switchboard().came(message(Channel.IOPUB, "iopub_welcome")) == []


def test_a_subscriber_is_welcomed_on_its_topic() -> None:
    (welcome,) = switchboard().subscribed(b"kernel.1")
    assert isinstance(welcome, Publish)
    assert welcome.topic == b"kernel.1"
    assert told([welcome]) == [("iopub_welcome", {"subscription": "kernel.1"})]


@pytest.mark.parametrize("channel", [Channel.SHELL, Channel.CONTROL])
def test_an_interrupt_is_the_gateway_s_and_answered_after_it(channel: Channel) -> None:
    board = switchboard()
    request = message(channel, "interrupt_request")
    busy, interrupt = board.requested(channel, parts(request))
    assert told([busy]) == [("status", {"execution_state": "busy"})]
    assert interrupt == Interrupt(Asked(b"a", request, "interrupt_reply"))
    done = board.done(interrupt.asked)
    assert told(done) == [("interrupt_reply", {"status": "ok"}), ("status", {"execution_state": "idle"})]
    assert all(
        each.message.parent_header == request.header for each in done if isinstance(each, Send | Publish)
    )


def test_an_interrupt_that_did_not_come_through_is_answered_with_the_error() -> None:
    board = switchboard()
    asked = Asked(b"a", message(Channel.CONTROL, "interrupt_request"), "interrupt_reply")
    (reply, *_) = told(board.done(asked, Unreachable("Nobody answers.")))
    assert reply[1]["status"] == "error"
    assert (reply[1]["ename"], reply[1]["evalue"]) == ("Unreachable", "Nobody answers.")


@pytest.mark.parametrize("restart", [True, False])
def test_a_shutdown_is_the_gateway_s_and_told_to_everybody(restart: bool) -> None:
    board = switchboard()
    request = message(Channel.CONTROL, "shutdown_request", content={"restart": restart})
    _, ends = board.requested(Channel.CONTROL, parts(request))
    assert ends == ShutDown(Asked(b"a", request, "shutdown_reply"), restart)
    done = board.done(ends.asked, restart=restart)
    content = {"status": "ok", "restart": restart}
    assert [type(each) for each in done] == [Publish, Send, Publish]
    assert told(done)[:2] == [("shutdown_reply", content)] * 2


@pytest.mark.parametrize("name", ["restarting", "dead"])
def test_a_bridge_ends_with_the_kernel_that_it_started(name: str) -> None:
    died = state(name, "", reason="It was killed.")
    assert switchboard().came(died) == [Publish(died), End("It was killed.")]
    assert switchboard(owns=False).came(died) == [Publish(died)]


def test_a_kernel_that_somebody_starts_anew_is_still_the_bridge_s() -> None:
    starting = state("starting", "")
    assert switchboard().came(starting) == [Publish(starting)]


def test_what_a_dead_kernel_was_asked_has_failed() -> None:
    board = switchboard()
    request = message(Channel.SHELL, "execute_request")
    board.requested(Channel.SHELL, parts(request))
    end = {"status": "aborted", "ename": "KernelDied", "evalue": "It was killed.", "traceback": []}
    aborted = message(Channel.SHELL, "execute_reply", parent="1", content=end)
    actions = board.came(aborted)
    assert [(type(each), name) for each, (name, _) in zip(actions, told(actions), strict=True)] == [
        (Publish, "error"),
        (Send, "execute_reply"),
    ]
    assert told(actions)[1][1]["status"] == "error"
    assert told(actions)[0][1]["traceback"] == ["KernelDied: It was killed."]


def test_what_a_kernel_aborts_itself_is_passed_on() -> None:
    board = switchboard()
    board.requested(Channel.SHELL, parts(message(Channel.SHELL, "execute_request")))
    aborted = message(Channel.SHELL, "execute_reply", parent="1", content={"status": "aborted"})
    assert board.came(aborted) == [Send(b"a", aborted)]


def test_what_is_not_signed_with_the_key_is_dropped() -> None:
    request = message(Channel.SHELL, "execute_request")
    (dropped,) = switchboard().requested(Channel.SHELL, parts(request, signer=Signer(b"another")))
    assert isinstance(dropped, Drop)
    assert "signature" in dropped.why


@given(st.sampled_from(list(Channel)), st.lists(st.binary(max_size=40), max_size=12))
def test_garbage_is_dropped_in_words(channel: Channel, garbage: list[bytes]) -> None:
    board = switchboard()
    for front in ([], [b"a"], [b"a", b"<IDS|MSG>"]):
        (dropped,) = board.requested(channel, [*front, *garbage])
        assert isinstance(dropped, Drop)


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from(list(Channel)))
def test_what_no_kernel_should_send_raises_nothing(header: bytes, rest: bytes, channel: Channel) -> None:
    board = switchboard()
    for start in (b"", b'{"msg_type": "status"', b'{"msg_type": "iopub_welcome"}'):
        board.came(Message(channel, start + header, rest, rest, rest))


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([Channel.SHELL, Channel.CONTROL])),
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_every_reply_finds_its_client_in_whatever_order_answers_come(
    asked: list[tuple[bytes, Channel]], chance: Any
) -> None:
    board = switchboard()
    answers: list[tuple[bytes, Message]] = []
    for n, (identity, channel) in enumerate(asked):
        board.requested(channel, parts(message(channel, "execute_request", msg_id=str(n)), identity))
        answers.append((identity, message(channel, "execute_reply", parent=str(n))))
        answers.append((identity, state("idle", str(n))))
    chance.shuffle(answers)
    for identity, answer in answers:
        expected = Publish(answer) if answer.channel is Channel.IOPUB else Send(identity, answer)
        assert board.came(answer) == [expected]
    assert not len(board._routes)
