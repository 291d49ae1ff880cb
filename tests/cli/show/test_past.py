"""What stands for code that was run before."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from tests.cli.journals import Journal

from kernelway.cli.history import History
from kernelway.cli.replaying import Replay
from kernelway.cli.show.past import PastCode, PastLines
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.plain import PlainView
from kernelway.cli.show.writer import Writer
from kernelway.client import LogEntry

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def shown(entries: list[LogEntry], past: PastCode | PastLines) -> list[str]:
    """The rows that are written for these entries."""

    async def each() -> AsyncIterator[LogEntry]:
        for entry in entries:
            yield entry

    async def is_over() -> bool:
        return True

    stream = io.StringIO()
    async with Writer(stream) as writer:
        view = PlainView(writer, AttachmentFolder("x"), past, notes=io.StringIO())
        await Replay(history=History(), past=past, view=view, is_over=is_over).show(each())
    return stream.getvalue().splitlines()


def of_a_file(journal: Journal) -> list[LogEntry]:
    return [
        journal.request("a", "x = 1", row=0),
        journal.request("b", "for n in x:\n    print(n)", row=1),
        journal.request("c", "last()", row=9),
        journal.input("a", "x = 1"),
        journal.idle("a"),
        journal.input("b", "for n in x:\n    print(n)", 2),
        journal.out("b", "1\n2\n"),
        journal.idle("b"),
        journal.input("c", "last()", 3),
        journal.out("c", "over"),
        journal.idle("c"),
    ]


async def test_code_stands_as_in_its_file() -> None:
    journal = Journal()
    again = [journal.request("d", "x = 1"), journal.input("d", "x = 1", 4), journal.idle("d")]
    assert await shown([*of_a_file(Journal()), *again], PastCode(NOW)) == [
        "── ada@laptop/a.py, 10:00:04 ──",
        "x = 1           [✓]",
        "for n in x:",
        "    print(n)",
        "  │ 1",
        "  │ 2",
        "",
        "last()          [over]",
        "",
        "── ada@laptop/a.py, 10:00:02 ──",
        "x = 1    [✓]",
    ]


async def test_code_of_no_file_and_what_is_printed_later() -> None:
    journal = Journal()
    entries = [
        journal.input("a", "start()"),
        journal.idle("a"),
        journal.out("a", "tick\ntock\n"),
        journal.input("b", "2", 2),
        journal.idle("b"),
        journal.status("dead"),
    ]
    assert await shown(entries, PastCode(NOW)) == [
        "── 10:00:01 ──",
        "start()    [✓]",
        "⋮ start(), later",
        "  │ tick",
        "  │ tock",
        "",
        "2          [✓]",
        "── The kernel ended. ──",
    ]


async def test_lines_tell_when_and_where() -> None:
    journal = Journal()
    entries = [
        *of_a_file(journal),
        journal.hole(1),
        journal.input("d", "import this\nthis", 4),
        journal.hole(),
        journal.error("d"),
    ]
    assert await shown(entries, PastLines(datetime(2026, 11, 22, tzinfo=UTC))) == [
        "2026-11-21 10:00:04  ada@laptop/a.py:1    [✓]",
        "2026-11-21 10:00:06  ada@laptop/a.py:2-3",
        "  │ 1",
        "  │ 2",
        "2026-11-21 10:00:09  ada@laptop/a.py:10     [over]",
        "── 1 message is no longer kept: The disk was full. ──",
        "2026-11-21 10:00:13  import this …",
        "  │ ⋯ 1,234 messages are no longer kept: The disk was full.",
        "  │ ValueError: no",
    ]
