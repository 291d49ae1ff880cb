"""One execute request, as a value to iterate.

running ──reply and idle──> finished
   ├──close, leaving or cancelling the iteration──> closed: the kernel goes on, nobody listens
   └──the kernel died, the link broke, a bound or a deadline passed──> failed
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from kernelway.client.inbox import Ended, Inbox
from kernelway.protocol.errors import FrameError, InvalidRequest, KernelwayError, TimedOut
from kernelway.protocol.execution import ExecuteReply, InputRequest, Lost, Output
from kernelway.protocol.execution import Execution as ExecutionState
from kernelway.protocol.link_framing import Hole
from kernelway.protocol.message import Message, MessageId


class Execution:
    """The outputs of some code, in the order in which the kernel published them, and its reply.

    The code is sent when :meth:`Kernel.execute` is called, not when the iteration begins. An execution has
    one reader: outputs read by one iteration are not seen by another. The iteration ends after the last
    output, and raises :class:`KernelDied`, :class:`KernelRestarted`, :class:`LinkLost`, :class:`TimedOut`
    or :class:`LimitReached` where there is no such end to wait for; what came before is given first.

    Leaving the iteration early, or cancelling it, stops listening and forgets the request. It does not
    interrupt the kernel: :meth:`Kernel.interrupt` does.
    """

    def __init__(
        self,
        msg_id: MessageId,
        *,
        unread: int,
        answer: Callable[[InputRequest, str], Awaitable[None]],
        forget: Callable[[MessageId], None],
        overdue: Callable[[Execution], None],
    ) -> None:
        self.msg_id = msg_id
        self._state = ExecutionState(msg_id)
        self._outputs: Inbox[Output] = Inbox(unread, whose="The outputs of an execution")
        self._reply: asyncio.Future[ExecuteReply] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._forget = forget
        self._overdue = overdue
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def finished(self) -> bool:
        """Whether nothing more will come; outputs may be left to read."""
        return self._outputs.ended

    @property
    def reply(self) -> Awaitable[ExecuteReply]:
        """How the code ended; it comes without iterating too, but outputs then wait up to the bound.

        An exception in the code is a reply with the status ``error``, not an exception here. Cancelling the
        wait does not end the execution.
        """
        return asyncio.shield(self._reply)

    async def __aiter__(self) -> AsyncIterator[Output]:
        try:
            while True:
                yield await self._outputs.get()
        except Ended:
            return
        finally:
            self.close()

    async def answer(self, request: InputRequest, text: str) -> None:
        """Give the code the line of text that it waits for; a newline is not needed."""
        await self._answer(request, text)

    def close(self) -> None:
        """Stop listening. The kernel goes on; what was not read is gone; closing twice is no error."""
        if not self._outputs.ended:
            self.fail(
                InvalidRequest(
                    "Nobody listens to this execution any more: its iteration was left before its end. Read "
                    "it to the end, and await its reply before leaving it."
                )
            )
        self._outputs.discard()

    def expire(self, after: float) -> None:
        """Fail after this many seconds, unless finished by then."""
        sentence = (
            f"The execution did not finish within {after:g} seconds. The kernel goes on; interrupt it to "
            "stop the code."
        )
        self._after(after, lambda: self.fail(TimedOut(sentence)))

    def receive(self, message: Message) -> None:
        """Take a message whose parent is this request."""
        replied = self._state.reply
        try:
            output = self._state.receive(message)
        except FrameError as error:
            self.fail(error)
            return
        if output is not None:
            self._outputs.put(output, message.size)
            if self._outputs.error is not None:
                self.fail(self._outputs.error)
        elif self._state.finished:
            self._finish()
        elif self._state.reply is not replied:
            self._replied()

    def missing(self, hole: Hole) -> None:
        """Take note that messages are no longer kept; some may have been of this execution."""
        self._outputs.put(Lost(hole.messages, hole.reason), len(hole.reason))

    def settle(self, error: KernelwayError) -> None:
        """End now: the kernel has answered a later request, so nothing more comes.

        That is the finish where the reply was seen, whatever became of the idle status, and else the error.
        """
        if self._state.reply is not None:
            self._finish()
        else:
            self.fail(error)

    def fail(self, error: KernelwayError) -> None:
        """End with an error, unless ended."""
        self._end()
        self._outputs.end(error)
        if not self._reply.done():
            self._reply.set_exception(error)
            # An execution whose reply nobody awaits is no news for the event loop's log.
            self._reply.exception()

    def _replied(self) -> None:
        # Stock servers can lose an idle status: what the kernel publishes faster than they read is dropped.
        self._give_reply()
        self._after(_IDLE_OVERDUE, lambda: self._overdue(self))

    def _finish(self) -> None:
        self._end()
        self._give_reply()
        self._outputs.end()

    def _give_reply(self) -> None:
        reply = self._state.reply
        if reply is not None and not self._reply.done():
            self._reply.set_result(reply)

    def _end(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._forget(self.msg_id)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))


_IDLE_OVERDUE = 5.0
"""Seconds after a reply in which the idle status is not missed; it mostly comes within one millisecond."""
