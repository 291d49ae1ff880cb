"""What a notebook server lets pass between a browser and a remote kernel: what it does for local ones too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Channel, Message

_TRACEBACK: Final = b'"traceback"'


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of jupyter_server's kernel manager that concern messages."""

    allowed: frozenset[str] = frozenset()
    """The types of messages that a browser may send; all of them where it is empty."""
    instead_of_tracebacks: str | None = None
    """What stands in the place of a traceback; None where tracebacks are shown."""

    def refused(self, message: Message) -> str | None:
        """The type of a message that a browser may not send here, or None; FrameError for what is none."""
        if message.channel is Channel.IOPUB:
            raise FrameError("A client cannot send on iopub.")
        if not self.allowed:
            return None
        msg_type = message.read_header().msg_type
        return None if msg_type in self.allowed else msg_type

    def shown(self, message: Message) -> Message:
        """A message as a browser may see it."""
        if self.instead_of_tracebacks is None or _TRACEBACK not in bytes(message.content):
            return message
        try:
            content = message.read_content()
            is_error = message.read_header().msg_type == "error" or content.get("status") == "error"
        except FrameError:
            # Nobody knows what is in it, so it is not shown.
            content, is_error = {}, True
        if not is_error:
            return message
        content |= {
            "ename": "ExecutionError",
            "evalue": "Execution error",
            "traceback": [self.instead_of_tracebacks],
        }
        return msgspec.structs.replace(message, content=msgspec.json.encode(content))
