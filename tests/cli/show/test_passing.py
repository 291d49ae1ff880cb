"""Outputs of ``exec`` in a pipe."""

from __future__ import annotations

import io

import pytest
from tests.cli.show.pieces import ERROR, LOST, LOST_TEXT, OK, display, listed, out, result

from kernelway.cli.show.passing import PassingView
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import Clear, Output, Stream


@pytest.mark.parametrize(
    ("outputs", "stdout", "stderr"),
    [
        ([out("a"), out("b\n")], "ab\n", ""),
        ([out("\x1b[31mred\r")], "\x1b[31mred\r", ""),
        ([Stream("stderr", "warning\n"), out("text\n")], "text\n", "warning\n"),
        ([result("1")], "1\n", ""),
        ([display("a\nb\n")], "a\nb\n", ""),
        ([ERROR], "", "Traceback (most recent call last)\nhello.py:1\nValueError: no\n"),
        ([out("a\n"), Clear(wait=False)], "a\n", ""),
        ([Clear(wait=True), result("1")], "1\n", ""),
    ],
)
async def test_outputs_go_where_a_program_would_write_them(
    outputs: list[Output], stdout: str, stderr: str
) -> None:
    _, (piece,) = listed("f()")
    written, errors = io.StringIO(), io.StringIO()
    async with Writer(written) as to_stdout, Writer(errors) as to_stderr:
        view = PassingView(to_stdout, to_stderr, AttachmentFolder("x"), notes=io.StringIO())
        view.begin(piece)
        for output in outputs:
            await view.receive(output)
        view.end(OK)
    assert (written.getvalue(), errors.getvalue()) == (stdout, stderr)


async def test_what_is_lost_does_not_get_into_the_output() -> None:
    written, errors, notes = io.StringIO(), io.StringIO(), io.StringIO()
    async with Writer(written) as to_stdout, Writer(errors) as to_stderr:
        view = PassingView(to_stdout, to_stderr, AttachmentFolder("x"), notes=notes)
        await view.receive(LOST)
    assert (written.getvalue(), notes.getvalue()) == ("", LOST_TEXT + "\n")
