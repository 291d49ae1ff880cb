"""The replies to the requests of a front, as values.

Positions in code are counted in Unicode code points, as Python's own strings are; an editor that counts in
UTF-16 units or bytes converts them. Source of the shapes: the messaging specification, "Messages on the
shell (ROUTER/DEALER) channel".
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from kernelway.protocol.errors import KernelError
from kernelway.protocol.message import UNREADABLE, Message, told


class CompleteReply(msgspec.Struct, frozen=True):
    """What could stand in the code from ``cursor_start`` to ``cursor_end``, both in code points."""

    matches: list[str] = []
    cursor_start: int = 0
    cursor_end: int = 0
    metadata: dict[str, Any] = {}


class InspectReply(msgspec.Struct, frozen=True):
    """What the kernel tells of the object at a position: a mime bundle, if ``found``."""

    found: bool = False
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class IsCompleteReply(msgspec.Struct, frozen=True):
    """``status`` is complete, incomplete, invalid or unknown; ``indent`` is for the next line."""

    status: str = "unknown"
    indent: str = ""


class HistoryReply(msgspec.Struct, frozen=True):
    """Entries of ``(session, line number, input)``; with ``output``, of ``(…, …, (input, output))``."""

    history: list[tuple[int, int, str | tuple[str, str | None]]] = []


class LanguageInfo(msgspec.Struct, frozen=True):
    """The kernel's language; ``file_extension`` begins with its dot."""

    name: str = ""
    version: str = ""
    mimetype: str = ""
    file_extension: str = ""
    pygments_lexer: str = ""
    codemirror_mode: str | dict[str, Any] = ""
    nbconvert_exporter: str = ""


class HelpLink(msgspec.Struct, frozen=True):
    """A page about the language."""

    text: str = ""
    url: str = ""


class KernelInfo(msgspec.Struct, frozen=True):
    """What a kernel is."""

    protocol_version: str = ""
    implementation: str = ""
    implementation_version: str = ""
    language_info: LanguageInfo = LanguageInfo()
    banner: str = ""
    help_links: list[HelpLink] = []
    debugger: bool = False
    supported_features: list[str] = []


class CommInfo(msgspec.Struct, frozen=True):
    """One open comm of a kernel."""

    target_name: str = ""


class CommInfoReply(msgspec.Struct, frozen=True):
    """The open comms of a kernel, by comm id."""

    comms: dict[str, CommInfo] = {}


class _Outcome(msgspec.Struct, frozen=True):
    status: str = "ok"
    ename: str = ""
    evalue: str = ""


T = TypeVar("T", bound=msgspec.Struct)


def read_reply(message: Message, reply: type[T]) -> T:
    """The reply in a message; :class:`KernelError` where the kernel failed, dropped or garbled it."""
    msg_type = message.read_header().msg_type
    try:
        outcome = msgspec.json.decode(message.content, type=_Outcome)
        if outcome.status not in _FAILED:
            return msgspec.json.decode(message.content, type=reply)
    except UNREADABLE as error:
        raise KernelError(f"The kernel's {msg_type} does not follow the protocol: {told(error)}.") from error
    if outcome.status == "aborted":
        raise KernelError("The kernel dropped the request, because code sent before it failed: ask again.")
    said = f"{outcome.ename}: {outcome.evalue}" if outcome.ename else "it gives no reason"
    raise KernelError(f"The kernel failed, and says so in its {msg_type}: {said}.")


_FAILED: Final = frozenset({"error", "aborted", "abort"})
