"""A run in a pipe or a file."""

from __future__ import annotations

import io

import pytest
from tests.cli.show.pieces import ERROR, FAILED, LOST, LOST_TEXT, OK, display, listed, out, result

from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.plain import PlainView
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import Clear, Error, ExecuteReply, Output, Update


async def run(source: str, *outputs: list[Output], reply: ExecuteReply | None = OK) -> str:
    """What is written for a file with these outputs of its pieces."""
    listing, pieces = listed(source)
    stream = io.StringIO()
    async with Writer(stream) as writer:
        view = PlainView(writer, AttachmentFolder("x"), listing, notes=io.StringIO())
        for piece, shown in zip(pieces, outputs, strict=False):
            view.begin(piece)
            for output in shown:
                await view.receive(output)
            view.end(reply)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("outputs", "written"),
    [
        ([], "f()    [✓]\n"),
        ([result("1")], "f()    [1]\n"),
        ([out("a"), out("b\n")], "f()    [ab]\n"),
        ([out("10 %\r"), out("20 %")], "f()    [20 %]\n"),
        ([out("a\nb\n")], "f()\n  │ a\n  │ b\n"),
        ([out("a\n"), out("b")], "f()\n  │ a\n  │ b\n"),
        ([out("a\n"), result("1")], "f()\n  │ a\n  │ 1\n"),
        ([result("a\nb")], "f()\n  │ a\n  │ b\n"),
        ([out("x" * 200)], f"f()\n  │ {'x' * 200}\n"),
        ([display("1", "d"), Update("d", {"text/plain": "2"}, {})], "f()    [2]\n"),
        ([display("1"), display("2")], "f()\n  │ 1\n  │ 2\n"),
        ([display("1", "d"), out("a\n"), Update("d", {"text/plain": "2"}, {})], "f()\n  │ 1\n  │ a\n  │ 2\n"),
        ([out("a"), Clear(wait=True), out("b")], "f()    [b]\n"),
        ([out("a\nb\n"), Clear(wait=False), out("c\n")], "f()\n  │ a\n  │ b\n  │ c\n"),
        (
            [ERROR],
            "f()    [✗ ValueError: no]\n" + "".join(f"  │ {line}\n" for line in ERROR.traceback),
        ),
        ([out("a\n"), Error("E", "v")], "f()    [✗ E: v]\n  │ a\n  │ E: v\n"),
        ([out("a\nb\n"), Error("E", "v")], "f()\n  │ a\n  │ b\n  │ E: v\n"),
        ([Error("", "exit status 1")], "f()    [✗ exit status 1]\n"),
        ([LOST], f"f()\n  │ ⋯ {LOST_TEXT}\n"),
        ([out("a\n"), LOST, out("b\n")], f"f()\n  │ a\n  │ ⋯ {LOST_TEXT}\n  │ b\n"),
    ],
)
async def test_outputs_become_text(outputs: list[Output], written: str) -> None:
    assert await run("f()", outputs) == written


async def test_a_whole_file() -> None:
    source = "# Title\n\nimport x\nx.version\n\n\nfor n in x:\n    print(n)\n"
    assert await run(source, [], [result("'2.6.6'")], [out("1\n2\n")]) == (
        "# Title\n\nimport x        [✓]\nx.version       ['2.6.6']\n\n"
        "for n in x:\n    print(n)\n  │ 1\n  │ 2\n"
    )


async def test_code_that_nobody_waited_for() -> None:
    assert await run("f()", [], reply=None) == "f()    […]\n"


async def test_lines_are_written_as_they_come() -> None:
    listing, (piece,) = listed("f()")
    stream = io.StringIO()
    async with Writer(stream) as writer:
        view = PlainView(writer, AttachmentFolder("x"), listing, notes=io.StringIO())
        view.begin(piece)
        seen = []
        for text in ("a", "\nb", "\nc", "\r", "d\n"):
            await view.receive(out(text))
            await writer.flush()
            seen.append(stream.getvalue())
        view.end(FAILED)
    assert seen == [
        "",
        "f()\n  │ a\n",
        "f()\n  │ a\n  │ b\n",
        "f()\n  │ a\n  │ b\n",
        "f()\n  │ a\n  │ b\n  │ d\n",
    ]


async def test_sentences_of_our_own_do_not_get_into_the_text() -> None:
    listing, (piece,) = listed("f()")
    stream, notes = io.StringIO(), io.StringIO()
    async with Writer(stream) as writer:
        view = PlainView(writer, AttachmentFolder("x"), listing, notes=notes)
        view.begin(piece)
        view.note("Interrupting.")
        view.end(OK)
    assert (stream.getvalue(), notes.getvalue()) == ("f()    [✓]\n", "Interrupting.\n")


async def test_a_sentence_between_pieces_stays() -> None:
    listing, pieces = listed("f()\ng()")
    stream = io.StringIO()
    async with Writer(stream) as writer:
        view = PlainView(writer, AttachmentFolder("x"), listing, notes=io.StringIO())
        for piece in pieces:
            view.begin(piece)
            view.end(OK)
            view.aside("── It was restarted. ──")
    assert stream.getvalue() == "f()    [✓]\n── It was restarted. ──\ng()    [✓]\n── It was restarted. ──\n"
