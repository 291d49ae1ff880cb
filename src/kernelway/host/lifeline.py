"""The host's own connection to one run of a kernel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from kernelway.host.run import KernelRun
from kernelway.host.sockets import KernelSocket
from kernelway.protocol import zmq_framing
from kernelway.protocol.errors import FrameError, KernelStartFailed
from kernelway.protocol.message import (
    EMPTY,
    Buffer,
    Channel,
    Message,
    MessageId,
    SessionId,
    new_message,
)
from kernelway.protocol.models import ExecutionState, timestamp
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_ASK_AGAIN_AFTER = 0.02
"""Seconds between two asks of a kernel whose outputs do not arrive yet."""

_FINISH_WITHIN = 5.0
"""Seconds to receive what a kernel left behind when it ended."""

_IPYKERNEL = "ipython"
"""The ``implementation`` in the kernel_info_reply of ipykernel."""

_LIFT_MARK = (
    "(lambda app: app.iopub_thread.schedule("
    "lambda: app.iopub_thread.socket.setsockopt(__import__('zmq').SNDHWM, 0)))"
    "(__import__('ipykernel.kernelapp', fromlist=['IPKernelApp']).IPKernelApp.instance())"
)
"""One expression that binds no name, for ipykernel: see docs/decisions/0008-send-mark.md."""


def own_message(
    channel: Channel,
    msg_type: str,
    content: dict[str, object],
    session: SessionId,
    *,
    parent_header: Buffer = EMPTY,
) -> Message:
    """A message of the host's own."""
    return new_message(
        channel,
        msg_type,
        content,
        msg_id=MessageId(uuid.uuid4().hex),
        session=session,
        date=timestamp(datetime.now(UTC)),
        parent_header=parent_header,
    )


class Lifeline:
    """Hears everything that a run publishes, knows when it is ready, and can ask it to shut down.

    A run is ready when two things have been seen. A reply to a ``kernel_info_request`` says that the kernel
    works. An idle status says that the subscription is live: until the kernel's PUB socket knows of it,
    everything published is dropped, in silence. So the request is sent again for as long as its reply came
    and its idle did not. In an ipykernel the send mark of its PUB socket is lifted before: its outputs come
    in bursts that pass the mark on a busy machine, and what passes it is dropped.
    """

    def __init__(self, run: KernelRun, session: SessionId, publish: Callable[[Message], None]) -> None:
        self._run = run
        self._session = session
        self._publish = publish
        self._answered = False
        self._idle_seen = False
        self._lifting = False
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._question: _Question | None = None
        self.speaker: SessionId | None = None
        """The session of the kernel's own messages, once it has answered a silent question."""
        self._sockets: dict[Channel, KernelSocket] = {}

    async def until_ready(self) -> None:
        """Connect, and wait until the run is ready.

        :class:`KernelStartFailed` where it exits before that, or answers what cannot be understood.
        """
        self._connect()
        self._ask()
        await self._unless_it_exits(self._ready)

    async def _unless_it_exits(self, answer: asyncio.Future[None]) -> None:
        exited = asyncio.create_task(self._run.exited(), name="exit before an answer")
        try:
            either: set[asyncio.Future[Any]] = {answer, exited}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise KernelStartFailed(exited.result())
            answer.result()
        finally:
            exited.cancel()
            await asyncio.wait({exited})

    def redirect(self, publish: Callable[[Message], None]) -> None:
        """From now on, tell somebody else what the kernel publishes."""
        self._publish = publish

    async def ask_silently(self, msg_type: str, content: dict[str, object]) -> dict[str, Any]:
        """Send a request to a kernel that is ready; the content of its reply, once it is idle again.

        Nobody is told what the kernel publishes in answer. One question at a time. :class:`KernelError` where
        the kernel exits, or answers what cannot be understood.
        """
        request = own_message(Channel.SHELL, msg_type, content, self._session)
        question = self._question = _Question(request.read_header().msg_id)
        try:
            self._sockets[Channel.SHELL].try_send(zmq_framing.encode(request, self._run.signer))
            await self._unless_it_exits(question.answered)
        except FrameError as error:
            raise KernelStartFailed(f"The kernel's answer is wrong: {error}") from error
        finally:
            self._question = None
        return question.reply

    def request_shutdown(self) -> None:
        """Ask the kernel to shut itself down; what it answers is not waited for."""
        self._send(Channel.CONTROL, "shutdown_request", {"restart": False})

    async def finish(self) -> None:
        """Hear what a process that is gone published before its end, then close."""
        iopub = self._sockets.get(Channel.IOPUB)
        if iopub is not None:
            with contextlib.suppress(TimeoutError):
                async with deadlines.timeout(_FINISH_WITHIN):
                    await iopub.drained()
        self.close()

    def close(self) -> None:
        """Hear no more. Closing twice is no error."""
        for socket in self._sockets.values():
            socket.close()
        self._ready.cancel()

    def _connect(self) -> None:
        identity = self._session.encode()
        self._sockets[Channel.IOPUB] = self._run.open(Channel.IOPUB, self._on_iopub)
        self._sockets[Channel.SHELL] = self._run.open(Channel.SHELL, self._on_shell, identity=identity)
        self._sockets[Channel.CONTROL] = self._run.open(Channel.CONTROL, _ignore, identity=identity)

    def _send(self, channel: Channel, msg_type: str, content: dict[str, object]) -> None:
        # Where the kernel takes no more messages, one more would tell it nothing.
        if channel in self._sockets:
            request = own_message(channel, msg_type, content, self._session)
            self._sockets[channel].try_send(zmq_framing.encode(request, self._run.signer))

    def _ask(self) -> None:
        if not self._ready.done():
            self._send(Channel.SHELL, "kernel_info_request", {})

    def _on_shell(self, parts: Sequence[Buffer]) -> None:
        if self._ready.done():
            self._hear_reply(parts)
            return
        try:
            message = zmq_framing.decode(parts, Channel.SHELL, self._run.signer)
            is_ipykernel = message.read_content().get("implementation") == _IPYKERNEL
        except FrameError as error:
            wrong = self._run.with_output(f"The kernel's answer is wrong: {error}")
            self._ready.set_exception(KernelStartFailed(wrong))
            return
        if is_ipykernel and not self._lifting:
            self._lifting = True
            self._send(Channel.SHELL, "execute_request", {"code": _LIFT_MARK, "silent": True})
            return
        self._answered = True
        if not self._idle_seen:
            asyncio.get_running_loop().call_later(_ASK_AGAIN_AFTER, self._ask)
        self._check()

    def _on_iopub(self, parts: Sequence[Buffer]) -> None:
        try:
            message = zmq_framing.decode(parts, Channel.IOPUB, self._run.signer)
            if self._question is not None and self._is_answer(message, self._question):
                return
            self._publish(message)
            if not self._ready.done():
                self._look_for_idle(message)
        except FrameError as error:
            log.warning("A message that a kernel published is not passed on: %s", error)

    def _hear_reply(self, parts: Sequence[Buffer]) -> None:
        question = self._question
        if question is None:
            return
        try:
            message = zmq_framing.decode(parts, Channel.SHELL, self._run.signer)
            if message.read_parent_header().msg_id == question.asked:
                question.note_reply(message.read_content())
        except FrameError as error:
            question.fail(error)

    def _is_answer(self, message: Message, question: _Question) -> bool:
        if message.read_parent_header().msg_id != question.asked:
            return False
        header = message.read_header()
        if header.msg_type == "status":
            self.speaker = header.session
            question.note_state(message.read_content().get("execution_state"))
        return True

    def _look_for_idle(self, message: Message) -> None:
        if message.read_header().msg_type == "status":
            self._idle_seen |= message.read_content().get("execution_state") == ExecutionState.IDLE
            self._check()

    def _check(self) -> None:
        if self._answered and self._idle_seen and not self._ready.done():
            self._ready.set_result(None)


class _Question:
    """A silent request, and what has come of it."""

    def __init__(self, asked: MessageId) -> None:
        self.asked = asked
        self.reply: dict[str, Any] = {}
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._replied = False
        self._idle = False

    def note_reply(self, content: dict[str, Any]) -> None:
        """The reply has come."""
        self.reply, self._replied = content, True
        self._check()

    def note_state(self, state: object) -> None:
        """The kernel has said what it does about it."""
        self._idle |= state == ExecutionState.IDLE
        self._check()

    def fail(self, error: Exception) -> None:
        """No answer will come."""
        if not self.answered.done():
            self.answered.set_exception(error)

    def _check(self) -> None:
        if self._replied and self._idle and not self.answered.done():
            self.answered.set_result(None)


def _ignore(_: Sequence[Buffer]) -> None:
    """What a kernel replies to a request to shut down says nothing that its end does not."""
