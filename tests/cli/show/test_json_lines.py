"""A run for machines."""

from __future__ import annotations

import io
import json

from tests.cli.show.pieces import ERROR, LOST, OK, display, listed, out, result

from kernelway.cli.show.json_lines import JsonView
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import Clear, Update


async def test_every_event_is_a_line() -> None:
    _, (piece,) = listed("\nf(\n)")
    stream = io.StringIO()
    async with Writer(stream) as writer:
        view = JsonView(writer)
        view.begin(piece)
        for output in (
            *(out("a\n"), result("1"), display("d", "id"), ERROR, Clear(wait=True)),
            Update("id", {"text/plain": "e"}, {}),
            LOST,
        ):
            await view.receive(output)
        view.note("A sentence.")
        view.end(OK)
        view.finish(status="ok", ran=1, not_run=0)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "start", "first_line": 2, "last_line": 3, "code": "f(\n)"},
        {"event": "output", "type": "stream", "name": "stdout", "text": "a\n"},
        {
            "event": "output",
            "type": "result",
            "data": {"text/plain": "1"},
            "metadata": {},
            "execution_count": 1,
            "display_id": None,
        },
        {
            "event": "output",
            "type": "display",
            "data": {"text/plain": "d"},
            "metadata": {},
            "display_id": "id",
        },
        {
            "event": "output",
            "type": "error",
            "name": "ValueError",
            "value": "no",
            "traceback": ERROR.traceback,
        },
        {"event": "output", "type": "clear", "wait": True},
        {
            "event": "output",
            "type": "update",
            "display_id": "id",
            "data": {"text/plain": "e"},
            "metadata": {},
        },
        {"event": "output", "type": "lost", "messages": 1234, "reason": "The disk was full."},
        {"event": "note", "text": "A sentence."},
        {"event": "reply", "status": "ok", "execution_count": 1},
        {"event": "end", "status": "ok", "ran": 1, "not_run": 0},
    ]


async def test_code_that_nobody_waited_for_has_no_reply() -> None:
    _, (piece,) = listed("f()")
    stream = io.StringIO()
    async with Writer(stream) as writer:
        view = JsonView(writer)
        view.begin(piece)
        view.end(None)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["start"]
