"""The messages of one session, on their way to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from kernelway.client.link import Link
from kernelway.protocol.message import EMPTY, Buffer, Channel, MessageId, new_message


class Outbox:
    """Makes messages and hands them to the link that is in use, in the order of the calls."""

    def __init__(self) -> None:
        self._link: Link | None = None

    def use(self, link: Link) -> None:
        """Send over this link from now on."""
        self._link = link

    def post(
        self,
        channel: Channel,
        msg_type: str,
        content: object,
        *,
        parent_header: Buffer = EMPTY,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> MessageId:
        """Send a message without waiting, and give its id; raises what :meth:`Link.post` does."""
        link = self._in_use()
        msg_id = MessageId(uuid4().hex)
        message = new_message(
            channel,
            msg_type,
            content,
            msg_id=msg_id,
            session=link.session,
            date=datetime.now(UTC).isoformat(),
            parent_header=parent_header,
            metadata=metadata,
            buffers=tuple(buffers),
        )
        link.post(message)
        return msg_id

    async def send(
        self,
        channel: Channel,
        msg_type: str,
        content: object,
        *,
        parent_header: Buffer = EMPTY,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> None:
        """Send a message, and wait while the connection takes no more."""
        self.post(channel, msg_type, content, parent_header=parent_header, metadata=metadata, buffers=buffers)
        await self._in_use().ready()

    def _in_use(self) -> Link:
        if self._link is None:
            raise RuntimeError("An Outbox needs a link before it can send.")
        return self._link
