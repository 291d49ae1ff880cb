"""A run for machines: one JSON object a line, as things happen.

    {"event": "start", "first_line": 3, "last_line": 4, "code": "…"}
    {"event": "output", "type": "stream", "name": "stdout", "text": "…"}
    {"event": "output", "type": "display", "data": {…}, "metadata": {…}, "display_id": null}
    {"event": "output", "type": "result", "data": {…}, "metadata": {…}, "execution_count": 1}
    {"event": "output", "type": "error", "name": "…", "value": "…", "traceback": ["…"]}
    {"event": "output", "type": "clear", "wait": false}
    {"event": "output", "type": "update", "display_id": "…", "data": {…}, "metadata": {…}}
    {"event": "output", "type": "lost", "messages": 1234, "reason": "…"}
    {"event": "reply", "status": "ok", "execution_count": 1}
    {"event": "note", "text": "…"}
    {"event": "end", "status": "ok", "ran": 5, "not_run": 0}

Lines count from 1. ``data`` maps mime types to data as in the messaging specification, binary ones in base64.
Of ``lost`` messages the number is null where nobody knows it. The status of a reply is what the kernel says,
that of the end is ``ok``, ``error`` or ``interrupted``.
"""

from __future__ import annotations

import dataclasses

import msgspec

from kernelway.cli.show.view import Beginning
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import ExecuteReply, Output


class JsonView:
    """Writes a run as lines of JSON."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def begin(self, piece: Beginning) -> None:
        """Write the code that was sent."""
        self._event("start", first_line=piece.first_row + 1, last_line=piece.last_row + 1, code=piece.code)

    async def receive(self, output: Output) -> None:
        """Write the output as it came."""
        fields = {name.name: getattr(output, name.name) for name in dataclasses.fields(output)}
        self._event("output", type=type(output).__name__.lower(), **fields)
        await self._writer.drain()

    def end(self, reply: ExecuteReply | None) -> None:
        """Write how the kernel says that it ended."""
        if reply is not None:
            self._event("reply", status=reply.status, execution_count=reply.execution_count)

    def ask(self, prompt: str) -> None:
        """Machines are not asked."""

    def answered(self, text: str | None) -> None:
        """Machines are not asked."""

    def note(self, text: str) -> None:
        """Write the sentence."""
        self._event("note", text=text)

    def finish(self, *, status: str, ran: int, not_run: int) -> None:
        """Write how the run ended."""
        self._event("end", status=status, ran=ran, not_run=not_run)

    def _event(self, event: str, **fields: object) -> None:
        self._writer.write(msgspec.json.encode({"event": event, **fields}).decode() + "\n")
