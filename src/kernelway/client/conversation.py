"""What is said with one kernel over its link: requests, and who waits for their answers.

Every message that comes is given, at once and without waiting, to whoever it belongs to: by its parent to
the request that caused it, by its type to the comms, and, from iopub, to every feed. A message whose parent
is none of ours belongs to another client of the same kernel.

Nothing here ends when a socket breaks, as long as the link goes on. What ends a request before its answer is
the kernel's end (see :mod:`kernelway.client.endings`), the link's, or a hole that its answer fell into.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from kernelway.client.comm import COMM_TYPES, Comms
from kernelway.client.endings import Endings
from kernelway.client.execution import Execution
from kernelway.client.inbox import UNREAD_LIMIT, Feed, Inbox
from kernelway.client.outbox import Outbox
from kernelway.client.resume import Came, Joined, Missing
from kernelway.client.waiting import Answer, Waiters, Waiting, fail_each
from kernelway.protocol.errors import KernelDied, KernelRestarted, KernelwayError, LinkLost, TimedOut
from kernelway.protocol.message import Channel, Message, MessageId
from kernelway.transport import deadlines

W = TypeVar("W", bound=Waiting)


class Conversation:
    """Requests to one kernel, and what comes back: the listener of its link.

    ``reason`` asks the server why the kernel ended, as in :class:`Endings`.
    """

    def __init__(self, kernel: str, outbox: Outbox, reason: Callable[[], Awaitable[str]]) -> None:
        self.comms = Comms(unread=UNREAD_LIMIT, outbox=outbox)
        self._kernel = kernel
        self._outbox = outbox
        self._waiting = Waiters()
        self._feeds: list[Inbox[Message]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.endings = Endings(
            kernel,
            self._waiting,
            self.comms,
            reason=reason,
            settle_later=self._settle_later,
            run=self._run,
        )

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
        """Send a request on shell without waiting, and from now on give its messages to ``waiting``."""
        if self.endings.dead is not None:
            raise KernelDied(self.endings.dead)
        msg_id = self._outbox.post(Channel.SHELL, msg_type, content, metadata=metadata)
        request = waiting(msg_id)
        self._waiting.add(msg_id, request)
        return request

    async def ask(self, msg_type: str, content: object, *, timeout: float, settled: bool = False) -> Message:
        """The reply to a request on shell; with ``settled``, once its idle status has come too."""
        answer = self.start(msg_type, content, lambda msg_id: Answer(msg_id, settled=settled))
        try:
            async with deadlines.timeout(timeout):
                return await answer.message
        except TimeoutError as error:
            raise TimedOut(
                f"The kernel did not answer the {msg_type} within {timeout:g} seconds; it may be busy."
            ) from error
        finally:
            self.forget(answer.msg_id)

    def forget(self, msg_id: MessageId) -> None:
        """Give what still comes for a request to nobody."""
        self._waiting.forget(msg_id)

    def feed(self, *, unread: int) -> Feed[Message]:
        """Every message that comes on iopub from now on, whoever caused it."""
        inbox = Inbox[Message](unread, whose="The messages of a kernel")
        self._feeds.append(inbox)
        return Feed(inbox, lambda: self._drop(inbox))

    def probe(self, execution: Execution) -> None:
        """Settle an execution that has its reply, once the kernel has certainly published all its outputs."""
        self._run(self._settle({execution.msg_id: execution}, LinkLost, f"{self._kernel} gave no reply."))

    async def settle(self, timeout: float) -> None:
        """Wait until a kernel that starts answers, and what it publishes arrives here."""
        try:
            async with deadlines.timeout(timeout):
                while not await self._answers():
                    pass
        except TimeoutError as error:
            raise TimedOut(f"{self._kernel} did not answer within {timeout:g} seconds.") from error

    def joined(self, joined: Joined) -> None:
        """Take what the host says for a beginning; what waited may be nobody's any more."""
        self.endings.answered_by_host = True
        if joined.forgotten:
            sentence = (
                f"The server has forgotten this connection to {self._kernel}: whether it ran what was sent "
                "before the break is not known. The kernel goes on."
            )
            fail_each(self._waiting.take(), LinkLost, sentence)
            self.comms.fail_open(LinkLost(sentence))

    def came(self, came: Came) -> None:
        """Take a message; raises :class:`FrameError` for one that is none."""
        message = came.message
        msg_type = message.read_header().msg_type
        if message.channel is Channel.IOPUB:
            for feed in self._feeds:
                feed.put(message, message.size)
            if msg_type == "status":
                self.endings.status(message)
            elif msg_type in COMM_TYPES:
                self.comms.receive(msg_type, message)
            elif msg_type == "shutdown_reply":
                self.endings.shutdown_reply(message)
        self._waiting.receive(message, self._kernel)

    def missing(self, missing: Missing) -> None:
        """Take note of a hole.

        Executions show it and go on, up to where their ends should be. Feeds and comms, whose readers count
        on every message, end with an error that tells it.
        """
        reason = missing.hole.reason.rstrip(".")
        for waiting in self._waiting.present().values():
            waiting.missing(missing.hole)
        sentence = f"Messages of {self._kernel} are no longer kept, and are missing here: {reason}."
        for feed in self._feeds:
            feed.end(LinkLost(sentence))
        self._feeds.clear()
        self.comms.fail_open(LinkLost(sentence))
        self._settle_later(
            LinkLost, f"The end of what was asked of {self._kernel} is no longer kept: {reason}."
        )

    def taken(self) -> None:
        """A request that is taken waits for its answer as before."""

    def lost(self, error: KernelwayError) -> None:
        """Take the end of the link, which ends everything that waits."""
        fail_each(self._waiting.take(), type(error), str(error))
        self.comms.fail(error)
        for feed in self._feeds:
            feed.end(error)
        self._feeds.clear()

    def _drop(self, inbox: Inbox[Message]) -> None:
        if inbox in self._feeds:
            self._feeds.remove(inbox)

    def _settle_later(self, kind: type[KernelwayError], sentence: str) -> None:
        those = self._waiting.present()
        if those:
            self._run(self._settle(those, kind, sentence))

    async def _settle(
        self, those: dict[MessageId, Waiting], kind: type[KernelwayError], sentence: str
    ) -> None:
        """Settle what waits, once the kernel has answered a later request.

        Requests are answered in order, and what a kernel publishes stays in order. However long it takes to
        get to the later one, the end of the kernel or of the link ends this wait.
        """
        answered = False
        while not answered and any(msg_id in self._waiting for msg_id in those):
            try:
                await self.ask("kernel_info_request", {}, timeout=_PROBE, settled=True)
                answered = True
            except TimedOut:
                continue
            except KernelwayError as error:
                kind, sentence = type(error), str(error)
                answered = True
        self._waiting.settle(those, kind, sentence)

    async def _answers(self) -> bool:
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


_NUDGE: Final = 2.0
"""Seconds after which a kernel that starts is asked again whether it is there."""
_PROBE: Final = 600.0
"""Seconds after which a kernel is asked again to show that it is idle."""
