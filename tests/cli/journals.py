"""Entries of a journal, as a kernel and its clients make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from kernelway.cli.marks import marking
from kernelway.cli.show.view import Beginning
from kernelway.client import LogEntry
from kernelway.protocol.link_framing import Hole, Position
from kernelway.protocol.message import Channel, MessageId, SessionId, new_message

PATH = "ada@laptop/a.py"
START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)


class Journal:
    """Makes entries one second after another."""

    def __init__(self) -> None:
        self._positions = count(1)

    def hole(self, messages: int | None = 1234) -> LogEntry:
        return LogEntry(Position(next(self._positions)), hole=Hole("The disk was full.", messages))

    def request(
        self,
        msg_id: str,
        code: str,
        *,
        path: str | None = "ada@laptop/a.py",
        row: int = 0,
        silent: bool = False,
    ) -> LogEntry:
        piece = Beginning(0, code, row, row + code.count("\n"))
        return self._entry(
            "execute_request",
            {"code": code, "silent": silent},
            msg_id=msg_id,
            channel=Channel.SHELL,
            metadata=marking(piece, path),
        )

    def input(self, parent: str, code: str, number: int = 1) -> LogEntry:
        return self._entry("execute_input", {"code": code, "execution_count": number}, parent=parent)

    def out(self, parent: str, text: str) -> LogEntry:
        return self._entry("stream", {"name": "stdout", "text": text}, parent=parent)

    def error(self, parent: str, name: str = "ValueError") -> LogEntry:
        return self._entry("error", {"ename": name, "evalue": "no", "traceback": []}, parent=parent)

    def status(self, state: str, parent: str = "", **more: object) -> LogEntry:
        return self._entry("status", {"execution_state": state, **more}, parent=parent)

    def idle(self, parent: str) -> LogEntry:
        return self.status("idle", parent)

    def aborted(self, parent: str, reason: str) -> LogEntry:
        return self.status("idle", parent, kernelway={"aborted": reason})

    def _entry(
        self,
        msg_type: str,
        content: object,
        *,
        parent: str = "",
        msg_id: str = "",
        channel: Channel = Channel.IOPUB,
        metadata: object = None,
    ) -> LogEntry:
        position = next(self._positions)
        header = b'{"msg_id":"%s","msg_type":"execute_request"}' % parent.encode() if parent else b"{}"
        message = new_message(
            channel,
            msg_type,
            content,
            msg_id=MessageId(msg_id or f"m{position}"),
            session=SessionId("s"),
            date=(START + timedelta(seconds=position)).isoformat(),
            parent_header=header,
            metadata=metadata,
        )
        return LogEntry(Position(position), message, is_request=msg_type.endswith("_request"))
