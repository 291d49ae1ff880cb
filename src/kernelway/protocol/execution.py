"""From the messages of one execute request to typed outputs, as a state machine.

An execution is finished when its reply and its idle status have both been seen, in either order: they come
on different channels, and outputs come before the idle. Source: the messaging specification, "Execute" and
"Kernel status".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kernelway.protocol.message import Message, MessageId

MimeBundle: TypeAlias = dict[str, Any]
"""Mime type to data: text as ``str`` (binary types in base64), JSON types as their value."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Text written to ``stdout`` or ``stderr``."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Display:
    """Something shown; one with a ``display_id`` may be replaced by an :class:`Update` later."""

    data: MimeBundle
    metadata: dict[str, Any]
    display_id: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The value of the code."""

    data: MimeBundle
    metadata: dict[str, Any]
    execution_count: int | None
    display_id: str | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """The exception that ended the code; traceback lines may hold ANSI escapes."""

    name: str
    value: str
    traceback: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Clear:
    """Everything shown so far goes; with ``wait``, when the next output comes."""

    wait: bool


@dataclass(frozen=True, slots=True)
class Update:
    """What every display with this id shows from now on."""

    display_id: str
    data: MimeBundle
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InputRequest:
    """The code waits for a line of text; ``message`` is needed to answer it."""

    prompt: str
    password: bool
    message: Message


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that are no longer kept: what stands after them does not follow what stands before.

    Not all of them need have been this execution's.
    """

    messages: int | None
    """How many; None where nobody knows."""
    reason: str


Output: TypeAlias = Stream | Display | Result | Error | Clear | Update | InputRequest | Lost


@dataclass(frozen=True, slots=True)
class ExecuteReply:
    """How an execution ended: ``status`` is ``ok``, ``error`` or ``aborted``."""

    status: str
    execution_count: int | None
    content: dict[str, Any]


class Execution:
    """What one execute request has shown so far; feed it every message whose parent is the request."""

    def __init__(self, msg_id: MessageId) -> None:
        self.msg_id = msg_id
        self.reply: ExecuteReply | None = None
        self._idle = False

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.reply is not None and (self._idle or self.reply.status == "aborted")

    def receive(self, message: Message) -> Output | None:
        """The output in a message, or None where it only moves the state on or belongs to another request."""
        if message.read_parent_header().msg_id != self.msg_id:
            return None
        msg_type = message.read_header().msg_type
        if msg_type in _SILENT:
            return None
        content = message.read_content()
        if msg_type == "status":
            self._idle = self._idle or content.get("execution_state") == "idle"
            return None
        if msg_type == "execute_reply":
            self.reply = ExecuteReply(
                status=str(content.get("status", "")),
                execution_count=_count(content),
                content=content,
            )
            return None
        return output_of(msg_type, content, message)


_SILENT = frozenset({"execute_input", "comm_open", "comm_msg", "comm_close", "iopub_welcome"})


def output_of(msg_type: str, content: dict[str, Any], message: Message) -> Output | None:
    """The typed output in a message's content, or None where the type is not an output's."""
    match msg_type:
        case "stream":
            return Stream(name=str(content.get("name", "stdout")), text=str(content.get("text", "")))
        case "display_data":
            return Display(_bundle(content, "data"), _bundle(content, "metadata"), _display_id(content))
        case "execute_result":
            data, metadata = _bundle(content, "data"), _bundle(content, "metadata")
            return Result(data, metadata, _count(content), _display_id(content))
        case "error":
            return Error(str(content.get("ename", "")), str(content.get("evalue", "")), _traceback(content))
        case "clear_output":
            return Clear(wait=bool(content.get("wait", False)))
        case "update_display_data":
            display_id = _display_id(content)
            if display_id is None:
                return None
            return Update(display_id, _bundle(content, "data"), _bundle(content, "metadata"))
        case "input_request":
            return InputRequest(str(content.get("prompt", "")), bool(content.get("password", False)), message)
    return None


def _bundle(content: dict[str, Any], key: str) -> dict[str, Any]:
    bundle = content.get(key)
    return bundle if isinstance(bundle, dict) else {}


def _count(content: dict[str, Any]) -> int | None:
    count = content.get("execution_count")
    return count if isinstance(count, int) else None


def _traceback(content: dict[str, Any]) -> list[str]:
    lines = content.get("traceback")
    return [str(line) for line in lines] if isinstance(lines, list) else []


def _display_id(content: dict[str, Any]) -> str | None:
    display_id = _bundle(content, "transient").get("display_id")
    return str(display_id) if display_id is not None else None
