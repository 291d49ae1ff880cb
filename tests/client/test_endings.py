"""What ends requests before their answers, told by one message at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from kernelway.client import endings
from kernelway.client.comm import Comm, Comms
from kernelway.client.endings import Endings
from kernelway.client.outbox import Outbox
from kernelway.client.waiting import Answer, Waiters
from kernelway.protocol.errors import (
    KernelDied,
    KernelRestarted,
    KernelwayError,
    NotFound,
    Unreachable,
)
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message


def published(msg_type: str, **content: object) -> Message:
    return new_message(
        Channel.IOPUB, msg_type, content, msg_id=MessageId("m"), session=SessionId("kernel"), date=""
    )


@dataclass
class Scene:
    """A kernel that is idle, with one request that waits and one comm that is open."""

    endings: Endings
    answer: Answer
    comm: Comm
    waiters: Waiters
    later: list[tuple[type[KernelwayError], str]]
    tasks: list[asyncio.Task[None]]
    reason: str | Exception = ""

    def status(self, state: str, **more: object) -> None:
        self.endings.status(published("status", execution_state=state, **more))

    async def error(self) -> KernelwayError | None:
        """What the request failed with; None where it still waits, once all that runs has ended."""
        await asyncio.gather(*self.tasks)
        if not self.answer.message.done():
            return None
        error = self.answer.message.exception()
        assert isinstance(error, KernelwayError)
        return error


@pytest.fixture
async def scene() -> Scene:
    waiters, comms = Waiters(), Comms(unread=1_000, outbox=Outbox())
    feed = comms.awaited("target")
    comms.receive("comm_open", published("comm_open", comm_id="c", target_name="target"))
    (comm,) = comms._open.values()
    feed.close()
    tasks: list[asyncio.Task[None]] = []
    later: list[tuple[type[KernelwayError], str]] = []

    async def reason() -> str:
        if isinstance(made.reason, Exception):
            raise made.reason
        return made.reason

    def run(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    def settle_later(kind: type[KernelwayError], sentence: str) -> None:
        later.append((kind, sentence))

    ends = Endings("Kernel k", waiters, comms, reason=reason, settle_later=settle_later, run=run)
    answer = Answer(MessageId("asked"), settled=False)
    waiters.add(answer.msg_id, answer)
    made = Scene(ends, answer, comm, waiters, later, tasks)
    made.status("idle")
    return made


@pytest.mark.parametrize(
    ("said", "known", "told"),
    [
        ("Out of memory.", "else", "Kernel k died: Out of memory."),
        ("", "It was killed", "Kernel k died: It was killed."),
        ("", "", "Kernel k died; the server gives no reason."),
        ("", NotFound("x"), "Kernel k was shut down: the server has it no longer."),
        ("", Unreachable("No."), "Kernel k died; the server cannot be asked for the reason: No."),
    ],
)
async def test_a_death_ends_all_with_the_reason_where_there_is_one(
    scene: Scene, said: str, known: str | Exception, told: str
) -> None:
    scene.reason = known
    scene.status("dead", reason=said)
    error = await scene.error()
    assert (type(error), str(error)) == (KernelDied, told)
    assert scene.comm.closed
    assert scene.endings.dead == "Kernel k is dead: restart it, or start another."
    scene.status("starting")
    assert scene.endings.dead is None


async def test_a_server_that_does_not_tell_why_is_not_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_EXPLAINED_WITHIN", 0.0)
    monkeypatch.setattr(scene.endings, "_reason", asyncio.Event().wait)
    scene.status("dead")
    assert str(await scene.error()) == "Kernel k died; the server does not tell why."


async def test_what_waits_while_the_server_is_asked_gets_nothing_more(scene: Scene) -> None:
    scene.status("dead")
    assert scene.answer.msg_id not in scene.waiters
    assert not scene.answer.message.done()
    assert isinstance(await scene.error(), KernelDied)


@pytest.mark.parametrize("event", ["restarting", "starting", "shutdown_reply", "ours"])
@pytest.mark.parametrize("by_host", [False, True], ids=["stock", "kernelway"])
async def test_a_restart_ends_what_waits_unless_the_host_answers_it(
    scene: Scene, event: str, by_host: bool
) -> None:
    scene.endings.answered_by_host = by_host
    if event == "shutdown_reply":
        scene.endings.shutdown_reply(published("shutdown_reply", restart=True))
    elif event == "ours":
        scene.endings.restarted()
    else:
        scene.status(event)
    error = await scene.error()
    assert scene.comm.closed
    if by_host:
        assert error is None
        assert scene.answer.msg_id in scene.waiters
        assert [kind for kind, _ in scene.later] == [KernelRestarted]
    else:
        assert isinstance(error, KernelRestarted)
        assert scene.later == []
    # What the kernel says when it starts is no other restart.
    scene.status("starting")
    scene.status("idle")
    scene.status("busy")
    assert len(scene.later) == by_host


async def test_a_shutdown_by_somebody_else(scene: Scene) -> None:
    scene.endings.shutdown_reply(published("shutdown_reply", restart=False))
    error = await scene.error()
    assert (type(error), str(error)) == (KernelDied, "Kernel k was asked to shut down.")


async def test_a_shutdown_that_the_host_answers_is_left_to_it(scene: Scene) -> None:
    scene.endings.answered_by_host = True
    scene.endings.shutdown_reply(published("shutdown_reply", restart=False))
    assert await scene.error() is None
    assert scene.comm.closed


async def test_a_shutdown_of_our_own(scene: Scene) -> None:
    scene.endings.shut_down()
    assert str(await scene.error()) == scene.endings.dead == "Kernel k was shut down."
