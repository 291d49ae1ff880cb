"""The multipart framing of messages on a kernel's ZeroMQ sockets.

Parts, in order: any number of routing identities (for iopub, the topic), the delimiter, the signature,
header, parent header, metadata, content, and any number of buffers. Source of the format: the messaging
specification of jupyter_client, "The Wire Protocol".
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Buffer, Channel, Message
from kernelway.protocol.signing import Signer

DELIMITER = b"<IDS|MSG>"

_MOST_IDENTITIES = 16
"""A reply passes through no more routers than this; it bounds the search for the delimiter."""


def encode(message: Message, signer: Signer) -> list[Buffer]:
    """The parts to send on a DEALER socket, which adds its own identity."""
    return [
        DELIMITER,
        signer.sign(message),
        message.header,
        message.parent_header,
        message.metadata,
        message.content,
        *message.buffers,
    ]


def decode(parts: Sequence[Buffer], channel: Channel, signer: Signer) -> Message:
    """The message in parts received from a kernel; :class:`FrameError` where they hold none."""
    start = _delimiter_at(parts) + 1
    if len(parts) < start + 5:
        found = len(parts) - start
        raise FrameError(f"A message from the kernel has {found} parts after its delimiter; it needs 5.")
    message = Message(
        channel,
        parts[start + 1],
        parts[start + 2],
        parts[start + 3],
        parts[start + 4],
        tuple(parts[start + 5 :]),
    )
    signer.check(parts[start], message)
    return message


def _delimiter_at(parts: Sequence[Buffer]) -> int:
    for index, part in enumerate(parts[:_MOST_IDENTITIES]):
        if part == DELIMITER:
            return index
    raise FrameError("A message from the kernel has no delimiter.")
