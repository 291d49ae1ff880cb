"""One kernel of a gateway, and the connection to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

from msgspec import UNSET

from kernelway.client.asking import Asking
from kernelway.client.comm import Comm, CommId, CommMessage
from kernelway.client.conversation import Conversation
from kernelway.client.execution import Execution
from kernelway.client.http import HttpClient
from kernelway.client.inbox import UNREAD_LIMIT, Feed
from kernelway.client.link import Link
from kernelway.client.link_status import LinkEvent
from kernelway.client.outbox import Outbox
from kernelway.client.replies import (
    CommInfo,
    CommInfoReply,
    CompleteReply,
    HistoryReply,
    InspectReply,
    IsCompleteReply,
    KernelInfo,
)
from kernelway.client.rest import RestApi
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import TimedOut
from kernelway.protocol.link_framing import LinkId
from kernelway.protocol.message import Buffer, Message, SessionId
from kernelway.protocol.models import KernelId, KernelModel
from kernelway.transport import deadlines

ANSWER_TIMEOUT: Final = 60.0
"""Seconds that a request waits for the kernel unless told otherwise."""


class Kernel:
    """A running kernel and one connection to it; :meth:`Gateway.connect` makes it.

    Closing it, or leaving its block, ends the connection and never the kernel. Where the kernel dies or is
    restarted, what waits for it fails with :class:`KernelDied` or :class:`KernelRestarted`.

    A connection to a kernelway that breaks goes on by itself: what was asked runs once, every message comes
    once, and what is asked meanwhile is sent later. :attr:`link` and :meth:`link_events` tell of it. On a
    stock server a break fails what waits with :class:`LinkLost`, and so does a break that
    :attr:`GatewayOptions.reconnect_for` did not suffice for. Positions in code are in Unicode code points.
    """

    def __init__(
        self, http: HttpClient, kernel_id: KernelId, *, closed: Callable[[Kernel], None] = lambda _: None
    ) -> None:
        self.id = kernel_id
        self._rest = RestApi(http)
        self._closed = closed
        outbox = Outbox()
        self._conversation = Conversation(f"Kernel {kernel_id}", outbox, self._why)
        self._asking = Asking(self._conversation, outbox)
        joining = Joining(session=SessionId(uuid4().hex), link=LinkId(uuid4().hex))
        self._link = Link(http, kernel_id, joining, self._conversation)
        outbox.use(self._link)

    async def open(self, *, timeout: float = ANSWER_TIMEOUT) -> Self:
        """Connect; :meth:`Gateway.connect` has done it already."""
        await self._link.open(timeout=timeout)
        return self

    async def close(self) -> None:
        """End the connection; the kernel goes on, and so does the code it runs."""
        await self._conversation.close()
        await self._link.close()
        self._closed(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def subprotocol(self) -> str | None:
        """The WebSocket subprotocol the server chose; None is the default one."""
        return self._link.subprotocol

    @property
    def link(self) -> LinkEvent:
        """Whether the kernel can be reached now, and since when."""
        return self._link.now

    def link_events(self) -> Feed[LinkEvent]:
        """Iterate over the changes of :attr:`link` from now on; a slow reader gets the latest."""
        return self._link.events()

    async def delivered(self, *, timeout: float | None = None) -> None:
        """Wait until the kernel's host has taken all that was sent so far: it runs even if this side ends.

        On a stock server, which tells nothing of the kind, until it is written. Raises :class:`TimedOut`, or
        the error that ended the connection.
        """
        try:
            async with deadlines.timeout(timeout):
                await self._link.delivered()
        except TimeoutError as error:
            raise TimedOut(
                f"Kernel {self.id} has not taken what was sent within {timeout:g} seconds; it is sent for as "
                "long as this connection is tried for."
            ) from error

    def execute(
        self,
        code: str,
        *,
        silent: bool = False,
        store_history: bool = True,
        allow_stdin: bool = True,
        stop_on_error: bool = True,
        user_expressions: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
        unread: int = UNREAD_LIMIT,
        timeout: float | None = None,
    ) -> Execution:
        """Run code; it is sent now, and the kernel runs what it is sent in that order.

        ``allow_stdin`` is for who iterates: the code's ``input()`` becomes an :class:`InputRequest` among
        the outputs, and waits for :meth:`Execution.answer`. ``stop_on_error`` makes the kernel abort what
        was sent after this code if it fails. ``unread`` is the most that may wait for the iteration, in
        bytes of messages; one that passes it fails with :class:`LimitReached` while the kernel goes on, so
        that an execution that nobody reads holds up no other. ``timeout`` is in seconds; none by default.
        """
        content = {
            "code": code,
            "silent": silent,
            "store_history": store_history,
            "user_expressions": user_expressions or {},
            "allow_stdin": allow_stdin,
            "stop_on_error": stop_on_error,
        }
        return self._asking.execute(content, metadata=metadata, unread=unread, timeout=timeout)

    async def complete(
        self, code: str, cursor_pos: int | None = None, *, timeout: float = ANSWER_TIMEOUT
    ) -> CompleteReply:
        """What could stand at the cursor (in code points; at the end of the code by default)."""
        position = len(code) if cursor_pos is None else cursor_pos
        content = {"code": code, "cursor_pos": position}
        return await self._asking.ask("complete_request", content, CompleteReply, timeout)

    async def inspect(
        self,
        code: str,
        cursor_pos: int | None = None,
        *,
        detail_level: int = 0,
        timeout: float = ANSWER_TIMEOUT,
    ) -> InspectReply:
        """What the kernel knows of the object at the cursor; ``detail_level`` 1 includes its source."""
        position = len(code) if cursor_pos is None else cursor_pos
        content = {"code": code, "cursor_pos": position, "detail_level": detail_level}
        return await self._asking.ask("inspect_request", content, InspectReply, timeout)

    async def is_complete(self, code: str, *, timeout: float = ANSWER_TIMEOUT) -> IsCompleteReply:
        """Whether code is ready to run, or wants another line."""
        return await self._asking.ask("is_complete_request", {"code": code}, IsCompleteReply, timeout)

    async def history(
        self,
        n: int = 100,
        *,
        pattern: str | None = None,
        output: bool = False,
        raw: bool = True,
        unique: bool = False,
        timeout: float = ANSWER_TIMEOUT,
    ) -> HistoryReply:
        """The last ``n`` inputs, oldest first; those that match a glob ``pattern`` where there is one."""
        content: dict[str, Any] = {
            "hist_access_type": "tail" if pattern is None else "search",
            "n": n,
            "output": output,
            "raw": raw,
        }
        if pattern is not None:
            content |= {"pattern": pattern, "unique": unique}
        return await self._asking.ask("history_request", content, HistoryReply, timeout)

    async def kernel_info(self, *, timeout: float = ANSWER_TIMEOUT) -> KernelInfo:
        """What the kernel is; a busy kernel answers when it is free."""
        return await self._asking.ask("kernel_info_request", {}, KernelInfo, timeout)

    async def comm_info(
        self, target: str | None = None, *, timeout: float = ANSWER_TIMEOUT
    ) -> dict[CommId, CommInfo]:
        """The open comms of the kernel, whoever opened them; of one target where it is given."""
        content = {} if target is None else {"target_name": target}
        reply = await self._asking.ask("comm_info_request", content, CommInfoReply, timeout)
        return {CommId(comm_id): info for comm_id, info in reply.comms.items()}

    async def open_comm(
        self,
        target: str,
        data: dict[str, Any] | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> Comm:
        """Open a comm; a kernel that does not know the target closes it at once."""
        opened = CommMessage(data or {}, metadata or {}, tuple(buffers))
        return await self._conversation.comms.open(CommId(uuid4().hex), target, opened)

    def comms(self, target: str) -> Feed[Comm]:
        """Iterate over the comms that the kernel opens for a target from now on."""
        return self._conversation.comms.awaited(target)

    def messages(self, *, unread: int = UNREAD_LIMIT) -> Feed[Message]:
        """Iterate over every iopub message from now on, also those caused by other clients.

        More than ``unread`` bytes that wait to be read end the iteration with :class:`LimitReached`.
        """
        return self._conversation.feed(unread=unread)

    async def interrupt(self) -> None:
        """Interrupt the code that runs now; its execution ends with an error of the kernel's language."""
        await self._rest.interrupt_kernel(self.id)

    async def restart(self, *, timeout: float = ANSWER_TIMEOUT) -> KernelModel:
        """Start the kernel anew, with nothing in it, and wait until it answers.

        Everything that waits for the kernel fails with :class:`KernelRestarted`.
        """
        model = await self._rest.restart_kernel(self.id)
        self._conversation.endings.restarted()
        await self._conversation.settle(timeout)
        return model

    async def shutdown(self) -> None:
        """End the kernel and close the connection; what waits for it fails with :class:`KernelDied`."""
        await self._rest.shutdown_kernel(self.id)
        await self.ended()

    async def ended(self) -> None:
        """Take the end of the kernel that this side asked the server for."""
        self._conversation.endings.shut_down()
        await self.close()

    async def model(self) -> KernelModel:
        """What the server tells of the kernel now."""
        return await self._rest.kernel(self.id)

    async def _why(self) -> str:
        reason = (await self.model()).reason
        return "" if reason is UNSET else reason
