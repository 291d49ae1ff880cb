"""A Jupyter message whose parts stay bytes until somebody reads them.

Source of the format: the messaging specification of jupyter_client, "General Message Format".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NewType, TypeAlias, TypeVar

import msgspec

from kernelway.protocol.errors import FrameError

MessageId = NewType("MessageId", str)
SessionId = NewType("SessionId", str)
"""The id a client gives its connection: the ``session`` of its headers. Not the id of a REST session."""

Buffer: TypeAlias = bytes | bytearray | memoryview

EMPTY = b"{}"
"""A part with nothing in it."""

PROTOCOL_VERSION = "5.4"
"""The version of the messaging specification that our own requests declare."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON from elsewhere raises; the last where it is nested deeper than the stack goes."""


_LONGEST_TOLD = 200
"""Characters; what is wrong with a value may quote the value, however long that is."""


def told(error: Exception) -> str:
    """What decoding raised, as a part of a sentence on one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


class Channel(StrEnum):
    """The channels that a client sees; the heartbeat never leaves the host."""

    SHELL = "shell"
    CONTROL = "control"
    STDIN = "stdin"
    IOPUB = "iopub"


class Header(msgspec.Struct, frozen=True):
    """The fields of a header (or of a parent header, which may be empty) that Kernelway reads.

    Whatever else a kernel puts into its headers is passed on as it is, and so it cannot be wrong here.
    """

    msg_id: MessageId = MessageId("")
    msg_type: str = ""
    session: SessionId = SessionId("")


class _OwnHeader(Header, frozen=True):
    username: str = ""
    date: str = ""
    version: str = ""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message: four parts of JSON, as the bytes that came, and any number of binary buffers."""

    channel: Channel
    header: Buffer
    parent_header: Buffer = EMPTY
    metadata: Buffer = EMPTY
    content: Buffer = EMPTY
    buffers: tuple[Buffer, ...] = ()

    @property
    def size(self) -> int:
        """Bytes in all parts and buffers."""
        size = len(self.header) + len(self.parent_header) + len(self.metadata) + len(self.content)
        for buffer in self.buffers:
            size += memoryview(buffer).nbytes
        return size

    def read_header(self) -> Header:
        """Decode the header; :class:`FrameError` where it is not a JSON object."""
        return _decode(_HEADER, self.header, "header")

    def read_parent_header(self) -> Header:
        """Decode the parent header; all fields are empty in a message without a parent."""
        return _decode(_PARENT, self.parent_header, "parent_header") or _NO_PARENT

    def read_content(self) -> dict[str, Any]:
        """Decode the content; :class:`FrameError` where it is not a JSON object."""
        return _decode(_OBJECT, self.content, "content")

    def read_metadata(self) -> dict[str, Any]:
        """Decode the metadata; :class:`FrameError` where it is not a JSON object."""
        return _decode(_OBJECT, self.metadata, "metadata")


_HEADER: msgspec.json.Decoder[Header] = msgspec.json.Decoder(Header)
_PARENT: msgspec.json.Decoder[Header | None] = msgspec.json.Decoder(Header | None)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])

_NO_PARENT = Header()

_T = TypeVar("_T")


def _decode(decoder: msgspec.json.Decoder[_T], part: Buffer, name: str) -> _T:
    try:
        try:
            return decoder.decode(part)
        except UnicodeDecodeError:
            # A kernel that prints a file's name may send bytes that are no UTF-8; the rest is still readable.
            return decoder.decode(bytes(part).decode("utf-8", "replace"))
    except UNREADABLE as error:
        raise FrameError(
            f"The {name} of a message is not the JSON object it must be: {told(error)}."
        ) from error


def new_message(
    channel: Channel,
    msg_type: str,
    content: object,
    *,
    msg_id: MessageId,
    session: SessionId,
    date: str,
    parent_header: Buffer = EMPTY,
    metadata: object = None,
    buffers: tuple[Buffer, ...] = (),
    username: str = "kernelway",
) -> Message:
    """A message of our own making.

    ``date`` is ISO 8601 with a time zone; ``content`` and ``metadata`` are what msgspec can encode to a
    JSON object; ``parent_header`` is the header, as bytes, of the message that this one answers.
    """
    header = _OwnHeader(
        msg_id=msg_id,
        msg_type=msg_type,
        session=session,
        username=username,
        date=date,
        version=PROTOCOL_VERSION,
    )
    return Message(
        channel=channel,
        header=msgspec.json.encode(header),
        parent_header=parent_header,
        metadata=EMPTY if metadata is None else msgspec.json.encode(metadata),
        content=msgspec.json.encode(content),
        buffers=buffers,
    )
