"""Requests to a kernel in the terms of the messaging specification, and their typed answers."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from kernelway.client.conversation import Conversation
from kernelway.client.execution import Execution
from kernelway.client.outbox import Outbox
from kernelway.client.replies import read_reply
from kernelway.protocol.execution import InputRequest
from kernelway.protocol.message import Channel, MessageId

T = TypeVar("T", bound=msgspec.Struct)


class Asking:
    """What one kernel is asked."""

    def __init__(self, conversation: Conversation, outbox: Outbox) -> None:
        self._conversation = conversation
        self._outbox = outbox

    def execute(
        self, content: dict[str, Any], *, metadata: dict[str, Any] | None, unread: int, timeout: float | None
    ) -> Execution:
        """Send an execute request now."""
        execution = self._conversation.start(
            "execute_request", content, lambda msg_id: self._execution(msg_id, unread), metadata=metadata
        )
        if timeout is not None:
            execution.expire(timeout)
        return execution

    async def ask(self, msg_type: str, content: object, reply: type[T], timeout: float) -> T:
        """The typed reply to a request on shell."""
        return read_reply(await self._conversation.ask(msg_type, content, timeout=timeout), reply)

    def _execution(self, msg_id: MessageId, unread: int) -> Execution:
        return Execution(
            msg_id,
            unread=unread,
            answer=self._answer,
            forget=self._conversation.forget,
            overdue=self._conversation.probe,
        )

    async def _answer(self, request: InputRequest, text: str) -> None:
        content = {"value": text, "status": "ok"}
        parent = request.message.header
        await self._outbox.send(Channel.STDIN, "input_reply", content, parent_header=parent)
