"""Comms: two-way channels between a front and an object in the kernel, such as a widget.

Source of the messages: the messaging specification, "Custom Messages". A comm is opened by either side, for
a target that the other side knows by name, and ended by either side. Comm messages have no reply.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NewType

from kernelway.client.inbox import Ended, Feed, Inbox
from kernelway.client.outbox import Outbox
from kernelway.protocol.errors import InvalidRequest, KernelwayError
from kernelway.protocol.message import Buffer, Channel, Message

CommId = NewType("CommId", str)

COMM_TYPES: Final = frozenset({"comm_open", "comm_msg", "comm_close"})


@dataclass(frozen=True, slots=True)
class CommMessage:
    """What the kernel said on a comm; the buffers are views of the frame they came in."""

    data: dict[str, Any]
    metadata: dict[str, Any]
    buffers: tuple[Buffer, ...] = ()


class Comm:
    """One comm; iterate it for what the kernel sends, until either side closes it.

    A kernel that does not know the target closes the comm at once, and the iteration ends with nothing.
    Leaving the iteration closes nothing; messages that nobody reads wait up to the bound, past which the
    iteration ends with :class:`LimitReached`.
    """

    def __init__(
        self, comm_id: CommId, target: str, opened: CommMessage, *, unread: int, outbox: Outbox
    ) -> None:
        self.id = comm_id
        self.target = target
        self.opened = opened
        """What the opening message held."""
        self._outbox = outbox
        self._messages: Inbox[CommMessage] = Inbox(unread, whose=f"The messages of the comm {target!r}")
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether either side has closed it; messages may be left to read."""
        return self._closed

    async def __aiter__(self) -> AsyncIterator[CommMessage]:
        while True:
            try:
                message = await self._messages.get()
            except Ended:
                return
            yield message

    async def send(
        self,
        data: dict[str, Any],
        *,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> None:
        """Send a message; large ones wait for the connection to take them."""
        if self._closed:
            raise InvalidRequest(f"The comm {self.target!r} is closed, and takes no more messages.")
        content = {"comm_id": self.id, "data": data}
        await self._outbox.send(Channel.SHELL, "comm_msg", content, metadata=metadata, buffers=buffers)

    async def close(self, data: dict[str, Any] | None = None) -> None:
        """Close the comm on both sides; closing twice is no error."""
        if not self._closed:
            self._end()
            content = {"comm_id": self.id, "data": data or {}}
            await self._outbox.send(Channel.SHELL, "comm_close", content)

    def receive(self, msg_type: str, content: dict[str, Any], message: Message) -> None:
        """Take a message of this comm."""
        if msg_type == "comm_msg":
            self._messages.put(_read(content, message), message.size)
        else:
            self._end()

    def fail(self, error: KernelwayError) -> None:
        """Close with an error, unless closed."""
        self._end(error)

    def _end(self, error: KernelwayError | None = None) -> None:
        self._closed = True
        self._messages.end(error)


class Comms:
    """The comms of one kernel that this connection takes part in, and who waits for new ones."""

    def __init__(self, *, unread: int, outbox: Outbox) -> None:
        self._unread = unread
        self._outbox = outbox
        self._open: dict[CommId, Comm] = {}
        self._awaited: dict[str, Inbox[Comm]] = {}

    async def open(self, comm_id: CommId, target: str, opened: CommMessage) -> Comm:
        """Open a comm from this side."""
        comm = self._open[comm_id] = self._comm(comm_id, target, opened)
        content = {"comm_id": comm_id, "target_name": target, "data": opened.data}
        await self._outbox.send(
            Channel.SHELL, "comm_open", content, metadata=opened.metadata, buffers=opened.buffers
        )
        return comm

    def awaited(self, target: str) -> Feed[Comm]:
        """The comms that the kernel opens for a target, from now on; one reader for each target."""
        if target in self._awaited:
            raise InvalidRequest(f"Somebody waits for comms of the target {target!r} already.")
        inbox = self._awaited[target] = Inbox[Comm](self._unread, whose=f"The comms of {target!r}")
        return Feed(inbox, lambda: self._forget(target, inbox))

    def receive(self, msg_type: str, message: Message) -> None:
        """Take a comm message; one of a comm that nobody here has is somebody else's."""
        content = message.read_content()
        comm_id = CommId(str(content.get("comm_id", "")))
        if msg_type == "comm_open":
            self._open_here(comm_id, content, message)
            return
        comm = self._open.get(comm_id)
        if comm is not None:
            comm.receive(msg_type, content, message)
            if comm.closed:
                del self._open[comm_id]

    def fail(self, error: KernelwayError) -> None:
        """End every comm, and the wait for new ones, with an error."""
        self.fail_open(error)
        for inbox in self._awaited.values():
            inbox.end(error)

    def fail_open(self, error: KernelwayError) -> None:
        """End every comm with an error: the kernel's side of it is gone. The wait for new ones goes on."""
        for comm in self._open.values():
            comm.fail(error)
        self._open.clear()

    def _open_here(self, comm_id: CommId, content: dict[str, Any], message: Message) -> None:
        target = str(content.get("target_name", ""))
        inbox = self._awaited.get(target)
        if inbox is not None and comm_id not in self._open:
            comm = self._open[comm_id] = self._comm(comm_id, target, _read(content, message))
            inbox.put(comm, message.size)

    def _comm(self, comm_id: CommId, target: str, opened: CommMessage) -> Comm:
        return Comm(comm_id, target, opened, unread=self._unread, outbox=self._outbox)

    def _forget(self, target: str, inbox: Inbox[Comm]) -> None:
        if self._awaited.get(target) is inbox:
            del self._awaited[target]


def _read(content: dict[str, Any], message: Message) -> CommMessage:
    data = content.get("data")
    return CommMessage(data if isinstance(data, dict) else {}, message.read_metadata(), message.buffers)
