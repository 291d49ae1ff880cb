"""What is said with one kernel over its link: requests, and who waits for their answers.

Every message that comes is given, at once and without waiting, to whoever it belongs to: by its parent to
the request that caused it, by its type to the comms, and, from iopub, to every feed. A message whose parent
is none of ours belongs to another client of the same kernel.

What ends a request before its answer is decided here too. A kernel's end reaches its clients in several
ways, and which of them come depends on the server:

    iopub status ``dead``           the kernel ended, and is not started again
    iopub status ``restarting``     the kernel ended, and is started again
    iopub status ``starting``       after a kernel that was seen to run: somebody asked for a restart, which
                                    stock servers do not announce
    iopub ``shutdown_reply``        the kernel was asked to end, or to restart
    the link is lost                the connection broke, or was closed
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from kernelway.client.comm import COMM_TYPES, Comms
from kernelway.client.execution import Execution
from kernelway.client.inbox import UNREAD_LIMIT, Feed, Inbox
from kernelway.client.outbox import Outbox
from kernelway.protocol.errors import (
    KernelDied,
    KernelRestarted,
    KernelwayError,
    LinkLost,
    NotFound,
    TimedOut,
)
from kernelway.protocol.message import Channel, Message, MessageId
from kernelway.protocol.models import ExecutionState


class Waiting(Protocol):
    """A request that waits for its answer."""

    def receive(self, message: Message) -> None:
        """Take a message whose parent is the request."""

    def fail(self, error: KernelwayError) -> None:
        """End the wait with an error, unless it has ended."""


W = TypeVar("W", bound=Waiting)


class Conversation:
    """Requests to one kernel, and what comes back.

    ``reason`` asks the server why the kernel ended, for when the message that tells of it does not say; its
    answer is empty where there is none.
    """

    def __init__(self, kernel: str, outbox: Outbox, reason: Callable[[], Awaitable[str]]) -> None:
        self.comms = Comms(unread=UNREAD_LIMIT, outbox=outbox)
        self._kernel = kernel
        self._outbox = outbox
        self._reason = reason
        self._waiting: dict[MessageId, Waiting] = {}
        self._feeds: list[Inbox[Message]] = []
        self._running = False
        self._dead: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End what is still waited for, and the tasks; the link is its holder's to close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.lost(LinkLost(f"The connection to {self._kernel} was closed on this side; the kernel goes on."))

    def start(
        self,
        msg_type: str,
        content: object,
        waiting: Callable[[MessageId], W],
        *,
        metadata: dict[str, Any] | None = None,
    ) -> W:
        """Send a request on shell, and give what comes back to what ``waiting`` makes of its id.

        Raises :class:`KernelDied` where the kernel is known to be dead, and what :meth:`Link.post` raises.
        """
        if self._dead is not None:
            raise KernelDied(self._dead)
        msg_id = self._outbox.post(Channel.SHELL, msg_type, content, metadata=metadata)
        request = self._waiting[msg_id] = waiting(msg_id)
        return request

    async def ask(self, msg_type: str, content: object, *, timeout: float, settled: bool = False) -> Message:
        """The reply to a request on shell; with ``settled``, once its idle status has come too."""
        answer = self.start(msg_type, content, lambda msg_id: Answer(msg_id, settled=settled))
        try:
            async with asyncio.timeout(timeout):
                return await answer.message
        except TimeoutError as error:
            raise TimedOut(
                f"The kernel did not answer the {msg_type} within {timeout:g} seconds; it may be busy."
            ) from error
        finally:
            self.forget(answer.msg_id)

    def forget(self, msg_id: MessageId) -> None:
        """Give what still comes for a request to nobody."""
        self._waiting.pop(msg_id, None)

    def feed(self, *, unread: int) -> Feed[Message]:
        """Every message that comes on iopub from now on, whoever caused it."""
        inbox = Inbox[Message](unread, whose="The messages of a kernel")
        self._feeds.append(inbox)
        return Feed(inbox, lambda: self._drop(inbox))

    def probe(self, execution: Execution) -> None:
        """Settle an execution that has its reply, once the kernel has certainly published all its outputs.

        A later request is answered after it, and what a kernel publishes stays in order.
        """
        self._run(self._probe(execution))

    async def settle(self, timeout: float) -> None:
        """Wait until a kernel that starts answers, and what it publishes arrives here."""
        try:
            async with asyncio.timeout(timeout):
                while not await self._settled():
                    pass
        except TimeoutError as error:
            raise TimedOut(f"{self._kernel} did not answer within {timeout:g} seconds.") from error

    def receive(self, message: Message) -> None:
        """Take a message from the link; raises :class:`FrameError` for one that is none."""
        msg_type = message.read_header().msg_type
        parent = message.read_parent_header().msg_id
        if message.channel is Channel.IOPUB:
            for feed in self._feeds:
                feed.put(message, message.size)
            if msg_type == "status":
                self._status(message)
            elif msg_type in COMM_TYPES:
                self.comms.receive(msg_type, message)
            elif msg_type == "shutdown_reply":
                self._shut_down(restart=bool(message.read_content().get("restart")))
        waiting = self._waiting.get(parent)
        if waiting is not None:
            waiting.receive(message)

    def lost(self, error: KernelwayError) -> None:
        """Take the end of the link: in this version it ends everything that waits."""
        self._fail(self._take(), type(error), str(error))
        self.comms.fail(error)
        for feed in self._feeds:
            feed.end(error)
        self._feeds.clear()

    def restarted(self) -> None:
        """Take a restart that this side asked for: what was sent before it has no answer."""
        self._running = False
        self._dead = None
        sentence = f"{self._kernel} was restarted while somebody waited for it."
        self._fail(self._take(), KernelRestarted, sentence)

    def shut_down(self) -> None:
        """Take a shutdown that this side asked for."""
        self._running = False
        self._dead = f"{self._kernel} was shut down."
        self._fail(self._take(), KernelDied, self._dead)

    def _status(self, message: Message) -> None:
        content = message.read_content()
        state = str(content.get("execution_state", ""))
        ran, self._running = self._running, state in _RUNS
        if state == ExecutionState.DEAD:
            self._dead = f"{self._kernel} is dead: restart it, or start another."
            self._explain(KernelDied, f"{self._kernel} died", str(content.get("reason", "")))
        elif state == ExecutionState.RESTARTING:
            what = f"{self._kernel} was restarted while somebody waited for it"
            self._explain(KernelRestarted, what, str(content.get("reason", "")))
        elif state in _LIVES:
            self._dead = None
            if state == ExecutionState.STARTING and ran:
                self._fail(self._take(), KernelRestarted, f"{self._kernel} was restarted by somebody else.")

    def _shut_down(self, *, restart: bool) -> None:
        self._running = False
        if restart:
            self._fail(self._take(), KernelRestarted, f"{self._kernel} was asked to restart.")
        else:
            self._fail(self._take(), KernelDied, f"{self._kernel} was asked to shut down.")

    def _explain(self, kind: type[KernelwayError], what: str, reason: str) -> None:
        taken = self._take()
        if reason:
            self._fail(taken, kind, f"{what}: {reason.rstrip('.')}.")
            return
        self.comms.fail_open(kind(f"{what}."))
        if taken:
            self._run(self._ask_why(taken, kind, what))

    async def _ask_why(self, taken: list[Waiting], kind: type[KernelwayError], what: str) -> None:
        sentence = f"{what}; the server gives no reason."
        try:
            async with asyncio.timeout(_EXPLAINED_WITHIN):
                reason = await self._reason()
            if reason:
                sentence = f"{what}: {reason.rstrip('.')}."
        except TimeoutError:
            sentence = f"{what}; the server does not tell why."
        except NotFound:
            sentence = f"{self._kernel} was shut down: the server has it no longer."
        except KernelwayError as error:
            sentence = f"{what}; the server cannot be asked for the reason: {error}"
        finally:
            self._fail(taken, kind, sentence)

    def _take(self) -> list[Waiting]:
        """Everything that waits, which from now on gets nothing more."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def _fail(self, taken: list[Waiting], kind: type[KernelwayError], sentence: str) -> None:
        for waiting in taken:
            # An error of its own for each, since whoever raises it adds a traceback to it.
            waiting.fail(kind(sentence))
        if issubclass(kind, KernelDied | KernelRestarted):
            self.comms.fail_open(kind(sentence))

    def _drop(self, inbox: Inbox[Message]) -> None:
        if inbox in self._feeds:
            self._feeds.remove(inbox)

    async def _probe(self, execution: Execution) -> None:
        try:
            await self.ask("kernel_info_request", {}, timeout=_PROBE, settled=True)
        except KernelwayError as error:
            execution.fail(error)
        else:
            execution.settle()

    async def _settled(self) -> bool:
        # Stock servers tell of a restart before the kernel is there, and its first messages can go to nobody.
        try:
            await self.ask("kernel_info_request", {}, timeout=_NUDGE, settled=True)
        except (TimedOut, KernelRestarted):
            return False
        return True

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Answer:
    """Waits for one reply, and with ``settled`` for the idle status too."""

    def __init__(self, msg_id: MessageId, *, settled: bool) -> None:
        self.msg_id = msg_id
        self.message: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._idle = not settled
        self._reply: Message | None = None

    def receive(self, message: Message) -> None:
        """Take a message whose parent is the request."""
        if message.channel is not Channel.IOPUB:
            self._reply = message
        elif message.read_header().msg_type == "status":
            self._idle = self._idle or message.read_content().get("execution_state") == ExecutionState.IDLE
        if self._reply is not None and self._idle and not self.message.done():
            self.message.set_result(self._reply)

    def fail(self, error: KernelwayError) -> None:
        """End the wait with an error, unless it has ended."""
        if not self.message.done():
            self.message.set_exception(error)


_RUNS: Final = frozenset({ExecutionState.IDLE, ExecutionState.BUSY})
_LIVES: Final = _RUNS | {ExecutionState.STARTING}
_NUDGE: Final = 2.0
"""Seconds after which a kernel that starts is asked again whether it is there."""
_EXPLAINED_WITHIN: Final = 10.0
"""Seconds for the server to tell why a kernel ended, while those who wait for the kernel go on waiting."""
_PROBE: Final = 600.0
"""Seconds for a kernel that replied to show that it is idle."""
