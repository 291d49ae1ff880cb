"""The requests to one kernel that wait for their answers."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from kernelway.protocol.errors import KernelDied, KernelRestarted, KernelwayError
from kernelway.protocol.link_framing import Hole
from kernelway.protocol.message import Channel, Message, MessageId
from kernelway.protocol.models import ExecutionState


class Waiting(Protocol):
    """A request that waits for its answer."""

    def receive(self, message: Message) -> None:
        """Take a message whose parent is the request."""

    def missing(self, hole: Hole) -> None:
        """Take note that messages are no longer kept, which may have been for this."""

    def settle(self, error: KernelwayError) -> None:
        """End the wait, since nothing more comes: with the answer where there is one, else with the error."""

    def fail(self, error: KernelwayError) -> None:
        """End the wait with an error, unless it has ended."""


class Waiters:
    """All of them, by the id of the request."""

    def __init__(self) -> None:
        self._waiting: dict[MessageId, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, msg_id: object) -> bool:
        return msg_id in self._waiting

    def add(self, msg_id: MessageId, waiting: Waiting) -> None:
        """From now on this waits."""
        self._waiting[msg_id] = waiting

    def forget(self, msg_id: MessageId) -> None:
        """Give what still comes for a request to nobody."""
        self._waiting.pop(msg_id, None)

    def present(self) -> dict[MessageId, Waiting]:
        """What waits now."""
        return dict(self._waiting)

    def take(self) -> list[Waiting]:
        """Everything that waits, which from now on gets nothing more."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def settle(self, those: dict[MessageId, Waiting], kind: type[KernelwayError], sentence: str) -> None:
        """End what of ``those`` still waits: the kernel has answered a later request."""
        for msg_id, waiting in those.items():
            if self._waiting.pop(msg_id, None) is not None:
                waiting.settle(kind(sentence))

    def receive(self, message: Message, kernel: str) -> None:
        """Give a message to the request that it answers; one that answers none is another client's."""
        parent = message.read_parent_header().msg_id
        waiting = self._waiting.get(parent)
        if waiting is None:
            return
        if message.channel is not Channel.IOPUB and (error := aborted_by_an_end(message, kernel)) is not None:
            self.forget(parent)
            waiting.fail(error)
        else:
            waiting.receive(message)


def fail_each(taken: list[Waiting], kind: type[KernelwayError], sentence: str) -> None:
    """Fail what was taken; with an error for each, since whoever raises it adds a traceback to it."""
    for waiting in taken:
        waiting.fail(kind(sentence))


def aborted_by_an_end(message: Message, kernel: str) -> KernelwayError | None:
    """The error in a reply that a host gives for a kernel that ended; None in any other.

    A kernel's own aborted replies, to what was sent after code that failed, name no such error.
    """
    if len(message.content) > _LONGEST_ABORT or b'"aborted"' not in bytes(message.content):
        return None
    content = message.read_content()
    end = _ENDS.get(str(content.get("ename", ""))) if content.get("status") == "aborted" else None
    if end is None:
        return None
    kind, what = end
    reason = str(content.get("evalue", "")).rstrip(".")
    return kind(f"{kernel} {what}: {reason}." if reason else f"{kernel} {what}.")


_LONGEST_ABORT: Final = 2**16
"""Bytes; a reason is a sentence, at most with the end of what the kernel wrote to stderr."""

_ENDS: Final = {
    "KernelRestarted": (KernelRestarted, "was restarted while somebody waited for it"),
    "KernelDied": (KernelDied, "ended while somebody waited for it"),
}


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
        if self._reply is not None and self._idle:
            self._give(self._reply)

    def missing(self, hole: Hole) -> None:
        """An answer is one message: it is there or not, and :meth:`settle` tells."""

    def settle(self, error: KernelwayError) -> None:
        """End the wait with the reply if it came, else with an error."""
        if self._reply is not None:
            self._give(self._reply)
        else:
            self.fail(error)

    def fail(self, error: KernelwayError) -> None:
        """End the wait with an error, unless it has ended."""
        if not self.message.done():
            self.message.set_exception(error)
            # Whoever waited may have gone already.
            self.message.exception()

    def _give(self, reply: Message) -> None:
        if not self.message.done():
            self.message.set_result(reply)
