"""Messages that the bridge itself has to say, in the place of a kernel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from kernelway.protocol.message import EMPTY, Buffer, Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.models import ExecutionState, timestamp


class OwnMessages:
    """Makes them, under a session of their own."""

    def __init__(
        self,
        *,
        new_id: Callable[[], str] = lambda: uuid4().hex,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._new_id = new_id
        self._now = now
        self._session = SessionId(new_id())

    def message(
        self, channel: Channel, msg_type: str, content: dict[str, object], parent_header: Buffer = EMPTY
    ) -> Message:
        """One message."""
        return new_message(
            channel,
            msg_type,
            content,
            msg_id=MessageId(self._new_id()),
            session=self._session,
            date=timestamp(self._now()),
            parent_header=parent_header,
        )

    def status(self, state: ExecutionState, parent_header: Buffer) -> Message:
        """What is told before and after everything that is asked."""
        return self.message(Channel.IOPUB, "status", {"execution_state": state.value}, parent_header)
