"""What a notebook server says itself on a kernel's channels: how the link is, and what is missing.

JupyterLab drops what it still works on when a message of another session than the latest one's comes: so each
of these has the session of the kernel that spoke last.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import EMPTY, Buffer, Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.models import ExecutionState, timestamp

_STATUS = b'"status"'
_RESTARTING = b'"restarting"'

_LONGEST_STATUS = 4096
"""Bytes; a status is much shorter, and longer contents are not searched for one."""


def status_message(state: ExecutionState, session: SessionId) -> Message:
    """A status that no request is the cause of."""
    return _own("status", {"execution_state": state.value}, session)


def remark(text: str, session: SessionId, *, parent_header: Buffer = EMPTY) -> Message:
    """A line on stderr, in the output of the request whose header is given."""
    content = {"name": "stderr", "text": f"[kernelway: {text}]\n"}
    return _own("stream", content, session, parent_header=parent_header)


def session_of(header: Buffer | None) -> SessionId:
    """The session of a kernel's message; an empty one where none has come, or it cannot be read."""
    if header is None:
        return SessionId("")
    try:
        return Message(Channel.IOPUB, header).read_header().session
    except FrameError:
        return SessionId("")


def is_status(message: Message) -> bool:
    """Whether a message tells the kernel's state, most likely; nothing is decoded for that."""
    return message.channel is Channel.IOPUB and _STATUS in bytes(message.header)


def is_restarting(message: Message) -> bool:
    """Whether a message says that the kernel is being restarted."""
    if len(message.content) > _LONGEST_STATUS or not is_status(message):
        return False
    if _RESTARTING not in bytes(message.content):
        return False
    try:
        states = message.read_header().msg_type, message.read_content().get("execution_state")
    except FrameError:
        return False
    return states == ("status", ExecutionState.RESTARTING)


def _own(
    msg_type: str, content: dict[str, str], session: SessionId, *, parent_header: Buffer = EMPTY
) -> Message:
    return new_message(
        Channel.IOPUB,
        msg_type,
        content,
        msg_id=MessageId(uuid.uuid4().hex),
        session=session,
        date=timestamp(datetime.now(UTC)),
        parent_header=parent_header,
    )
