"""What was run on a kernel, from its journal, as a state machine: entries in, events out.

A kernel runs one piece of code at a time, in the order in which it was asked. So a piece begins when the
kernel says that it takes it up (or when it has an output), and ends with its idle status. What the kernel
replied is for who asked, and in nobody else's journal: whether code failed is seen from its error, and that
it was left out from its never having been taken up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import msgspec

from kernelway.cli.marks import Mark, mark_in, shown_file
from kernelway.cli.show.tracebacks import Origin, located
from kernelway.cli.show.transcript import text_of_lost
from kernelway.client import LogEntry
from kernelway.protocol.execution import Error, Lost, Output, output_of
from kernelway.protocol.message import Channel, Header, Message, MessageId
from kernelway.protocol.models import ExecutionState

_MOST_ASKED: Final = 10_000
"""Requests that are known while the kernel has not taken them up; of more the oldest have no lines."""

_MOST_DONE: Final = 256
"""Requests that are known after their end, for what their threads still print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A piece of code that somebody had the kernel run."""

    msg_id: MessageId
    code: str
    mark: Mark | None = None
    at: datetime | None = None
    """When it was asked for, or taken up; by the clock of whoever says so."""
    silent: bool = False
    is_late: bool = False
    """Whether it has ended already, and only prints on."""


@dataclass(frozen=True, slots=True)
class Began:
    """The kernel takes up a piece of code."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class Showed:
    """The piece that began last has an output."""

    output: Output


@dataclass(frozen=True, slots=True)
class Finished:
    """The piece that began last has ended; ``known`` is whether the kernel said so."""

    known: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Something that belongs to no piece of code, as a sentence."""

    text: str


Event: TypeAlias = Began | Showed | Finished | Told


class History:
    """Follows one journal; with ``since``, what the kernel said before that moment gives no events."""

    def __init__(self, since: datetime | None = None) -> None:
        self.is_dead = False
        """Whether the kernel was last seen to be dead."""
        self.was_cut_off = False
        """Whether code was cut off by the kernel's end."""
        self._since = since
        self._hole: list[Event] = []
        self._asked: dict[MessageId, Asked] = {}
        self._done: dict[MessageId, Asked] = {}
        self._now: Asked | None = None
        self._origins: dict[int, Origin] = {}
        self._tells_inputs = False
        self._ran = False

    @property
    def coming(self) -> Iterable[Asked]:
        """What the kernel was asked for and has not taken up yet."""
        return self._asked.values()

    def take(self, entry: LogEntry) -> list[Event]:
        """What the next entry comes to; FrameError where a message cannot be understood."""
        if entry.hole is not None:
            lost = Lost(entry.hole.messages, entry.hole.reason)
            told = Told(text_of_lost(lost))
            if self._since is not None:
                self._hole = [told]
                return []
            return [told if self._now is None else Showed(lost)]
        message = entry.message
        if message is None:
            return []
        if entry.is_request:
            self._note_request(message)
            return []
        return self._message_since(message)

    def end(self) -> list[Event]:
        """The journal has no more: what runs is left."""
        return self._close(known=False)

    def _message_since(self, message: Message) -> list[Event]:
        if self._since is None:
            return self._message(message)
        before = self._now
        at = date_of(message)
        if at is None or at < self._since:
            self._message(message)
            self._hole = []
            return []
        self._since = None
        events, self._hole = self._hole, []
        if before is not None:
            events.append(Began(before))
        return events + self._message(message)

    def _note_request(self, message: Message) -> None:
        header = message.read_header()
        if header.msg_type != "execute_request":
            return
        content = message.read_content()
        self._asked[header.msg_id] = Asked(
            msg_id=header.msg_id,
            code=str(content.get("code", "")),
            mark=mark_in(message.read_metadata()),
            at=date_of(message),
            silent=bool(content.get("silent")),
        )
        if len(self._asked) > _MOST_ASKED:
            del self._asked[next(iter(self._asked))]

    def _message(self, message: Message) -> list[Event]:
        if message.channel is not Channel.IOPUB:
            return []
        msg_type = message.read_header().msg_type
        if msg_type in _SILENT:
            return []
        parent, content = message.read_parent_header(), message.read_content()
        if msg_type == "status":
            return self._status(parent, content, message)
        if msg_type == "execute_input":
            return self._input(parent, content, message)
        output = output_of(msg_type, content, message)
        return [] if output is None else self._output(parent, output, message)

    def _input(self, parent: Header, content: dict[str, Any], message: Message) -> list[Event]:
        self._tells_inputs = self._ran = True
        self.was_cut_off = False
        asked = self._asked.get(parent.msg_id) or Asked(
            msg_id=parent.msg_id, code=str(content.get("code", ""))
        )
        count = content.get("execution_count")
        if isinstance(count, int) and asked.mark is not None:
            self._origins[count] = _origin(asked.mark)
        return self._begin(replace(asked, at=date_of(message) or asked.at))

    def _output(self, parent: Header, output: Output, message: Message) -> list[Event]:
        events: list[Event] = []
        if self._now is None or self._now.msg_id != parent.msg_id:
            asked = self._asked.get(parent.msg_id)
            if asked is not None:
                events = self._begin(replace(asked, at=date_of(message) or asked.at))
            elif self._now is None or self._now.is_late:
                # Somebody's thread, or a callback. While other code runs it is shown among its outputs.
                known = self._done.get(parent.msg_id) or Asked(msg_id=parent.msg_id, code="")
                events = self._begin(replace(known, at=date_of(message), is_late=True))
        if isinstance(output, Error):
            last = None if self._now is None or self._now.mark is None else _origin(self._now.mark)
            output = located(output, self._origins, last=last)
        return [*events, Showed(output)]

    def _status(self, parent: Header, content: dict[str, Any], message: Message) -> list[Event]:
        state = content.get("execution_state")
        if state in _RUN_ENDS or (state == ExecutionState.STARTING and self._ran):
            return self._run_ended(str(state))
        if state != ExecutionState.IDLE:
            return []
        self._ran, self.is_dead = True, False
        aborted = _aborted(content)
        first_cut = aborted is not None and not self.was_cut_off
        self.was_cut_off |= first_cut
        if self._now is not None and self._now.msg_id == parent.msg_id and not self._now.is_late:
            cut: list[Event] = [] if aborted is None else [Showed(Error("", aborted))]
            return [*cut, *self._close(known=True)]
        asked = self._asked.pop(parent.msg_id, None)
        if asked is None or asked.silent or not (self._tells_inputs or aborted):
            return []
        asked = replace(asked, at=date_of(message) or asked.at)
        # The first that was not answered may have been what ended the kernel.
        why = aborted if aborted is not None and first_cut else "not run"
        return [*self._begin(asked), Showed(Error("", why)), *self._close(known=True)]

    def _run_ended(self, state: str) -> list[Event]:
        events = self._close(known=False)
        self._ran = False
        self._origins.clear()
        self.is_dead = state == ExecutionState.DEAD
        return [*events, Told(_RUN_ENDS.get(state, "The kernel was restarted."))]

    def _begin(self, asked: Asked) -> list[Event]:
        events = self._close(known=False)
        self._asked.pop(asked.msg_id, None)
        self._now = asked
        return [*events, Began(asked)]

    def _close(self, *, known: bool) -> list[Event]:
        if self._now is None:
            return []
        was, self._now = self._now, None
        self._done[was.msg_id] = was
        if len(self._done) > _MOST_DONE:
            del self._done[next(iter(self._done))]
        return [Finished(known=known or was.is_late)]


_SILENT: Final = frozenset({"comm_open", "comm_msg", "comm_close", "iopub_welcome"})

_RUN_ENDS: Final = {
    ExecutionState.RESTARTING.value: "The kernel ended, and was started anew.",
    ExecutionState.DEAD.value: "The kernel ended.",
}


class _Dated(msgspec.Struct, frozen=True):
    date: str = ""


_DATED: Final = msgspec.json.Decoder(_Dated)


def date_of(message: Message) -> datetime | None:
    """When a message was sent, by its sender's clock, where it tells."""
    try:
        at = datetime.fromisoformat(_DATED.decode(message.header).date)
    except (ValueError, UnicodeDecodeError, msgspec.DecodeError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _aborted(content: dict[str, Any]) -> str | None:
    """Why a host answered in the place of a kernel that had ended."""
    match content.get("kernelway"):
        case {"aborted": str(reason)}:
            return reason
    return None


def _origin(mark: Mark) -> Origin:
    return Origin(shown_file(mark.path), mark.first - 1)
