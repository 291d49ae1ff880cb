"""Who waits for which answer, and what ends the wait."""

from __future__ import annotations

import pytest

from kernelway.client.waiting import Answer, Waiters, aborted_by_an_end, fail_each
from kernelway.protocol.errors import KernelDied, KernelRestarted, KernelwayError, LinkLost
from kernelway.protocol.link_framing import Hole
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message

ONE, TWO = MessageId("one"), MessageId("two")


def about(request: str, channel: Channel, msg_type: str, **content: object) -> Message:
    parent = new_message(Channel.SHELL, "r", {}, msg_id=MessageId(request), session=SessionId("s"), date="")
    return new_message(
        channel,
        msg_type,
        content,
        msg_id=MessageId("m"),
        session=SessionId("kernel"),
        date="",
        parent_header=parent.header,
    )


def reply(request: str = ONE, **content: object) -> Message:
    return about(request, Channel.SHELL, "kernel_info_reply", **content)


def idle(request: str = ONE) -> Message:
    return about(request, Channel.IOPUB, "status", execution_state="idle")


class Taker:
    """A request that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.settled: list[KernelwayError] = []
        self.failed: list[KernelwayError] = []

    def receive(self, message: Message) -> None:
        self.messages.append(message)

    def missing(self, hole: Hole) -> None:
        raise AssertionError(hole)

    def settle(self, error: KernelwayError) -> None:
        self.settled.append(error)

    def fail(self, error: KernelwayError) -> None:
        self.failed.append(error)


@pytest.fixture
def one() -> Taker:
    return Taker()


@pytest.fixture
def waiters(one: Taker) -> Waiters:
    waiters = Waiters()
    waiters.add(ONE, one)
    return waiters


def test_a_message_goes_to_the_request_that_it_answers(waiters: Waiters, one: Taker) -> None:
    mine, others = reply(), [reply("x"), Message(Channel.IOPUB, b"{}")]
    for message in (mine, *others):
        waiters.receive(message, "Kernel k")
    assert one.messages == [mine]
    waiters.forget(ONE)
    waiters.forget(ONE)
    waiters.receive(mine, "Kernel k")
    assert one.messages == [mine]
    assert len(waiters) == 0


def test_what_the_host_answers_for_an_ended_kernel_is_an_error(waiters: Waiters, one: Taker) -> None:
    end = {"status": "aborted", "ename": "KernelDied", "evalue": "It exited with 7."}
    # On iopub it is what anybody may publish.
    waiters.receive(about(ONE, Channel.IOPUB, "display_data", **end), "Kernel k")
    assert (len(one.messages), one.failed) == (1, [])
    waiters.receive(reply(**end), "Kernel k")
    assert len(one.messages) == 1
    assert [(type(error), str(error)) for error in one.failed] == [
        (KernelDied, "Kernel k ended while somebody waited for it: It exited with 7.")
    ]
    assert ONE not in waiters


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"status": "aborted", "ename": "KernelDied"}, KernelDied),
        ({"status": "aborted", "ename": "KernelRestarted", "evalue": ""}, KernelRestarted),
        ({"status": "aborted", "ename": "KernelDied", "evalue": "x" * 2**16}, None),
        ({"status": "aborted"}, None),
        ({"status": "aborted", "ename": "ValueError"}, None),
        ({"status": "error", "ename": "KernelDied"}, None),
        ({"status": "error", "ename": "KernelDied", "evalue": '"aborted"'}, None),
        ({"status": "ok", "text": "aborted", "ename": "KernelDied"}, None),
    ],
)
def test_a_kernels_own_replies_are_no_ends(content: dict[str, object], kind: type | None) -> None:
    error = aborted_by_an_end(reply(**content), "Kernel k")
    assert (None if error is None else type(error)) is kind
    assert error is None or str(error).endswith("while somebody waited for it.")


def test_only_what_waited_at_that_time_is_settled(waiters: Waiters, one: Taker) -> None:
    gone, later = Taker(), Taker()
    waiters.add(TWO, gone)
    those = waiters.present()
    waiters.forget(TWO)
    waiters.add(MessageId("later"), later)
    waiters.settle(those, LinkLost, "No reply.")
    assert [str(error) for error in one.settled] == ["No reply."]
    assert gone.settled == later.settled == []
    assert (ONE in waiters, len(waiters)) == (False, 1)


def test_each_of_those_that_fail_has_an_error_of_its_own(waiters: Waiters, one: Taker) -> None:
    two = Taker()
    waiters.add(TWO, two)
    fail_each(waiters.take(), LinkLost, "Gone.")
    assert len(waiters) == 0
    (first,), (second,) = one.failed, two.failed
    assert str(first) == str(second) == "Gone."
    assert first is not second


async def test_an_answer_is_the_reply_and_where_asked_for_after_the_idle() -> None:
    plain, settled, reversed_ = (Answer(ONE, settled=each) for each in (False, True, True))
    said = reply(n=1)
    plain.receive(said)
    assert plain.message.result() is said
    settled.receive(said)
    settled.receive(about(ONE, Channel.IOPUB, "status", execution_state="busy"))
    settled.receive(about(ONE, Channel.IOPUB, "stream", execution_state="idle"))
    assert not settled.message.done()
    settled.receive(idle())
    assert settled.message.result() is said
    reversed_.receive(idle())
    assert not reversed_.message.done()
    reversed_.receive(said)
    assert reversed_.message.result() is said
    reversed_.receive(reply(n=2))
    reversed_.fail(LinkLost(""))
    assert reversed_.message.result() is said


async def test_an_answer_is_settled_with_what_came() -> None:
    answered, unanswered, cancelled = (Answer(ONE, settled=True) for _ in range(3))
    said = reply()
    answered.receive(said)
    answered.settle(LinkLost("No."))
    assert answered.message.result() is said
    unanswered.settle(LinkLost("No."))
    with pytest.raises(LinkLost, match="No"):
        unanswered.message.result()
    cancelled.message.cancel()
    cancelled.receive(said)
    cancelled.settle(LinkLost("No."))
    assert cancelled.message.cancelled()
