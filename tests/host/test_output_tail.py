"""OutputTail with real processes and pipes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from kernelway.host.output_tail import OutputTail

DEADLINE = 20.0

BESIDE_THE_POINT = b"""\
[IPKernelApp] WARNING | Kernel is running over TCP without encryption. All communication (including code
0.00s - Debugger warning: It seems that frozen modules are being used, which may
0.00s - make the debugger miss breakpoints. Please pass -Xfrozen_modules=off
0.00s - to python to disable frozen modules.
0.00s - Note: Debugging will proceed. Set PYDEVD_DISABLE_FILE_VALIDATION=1 to disable this validation.
"""


@pytest.fixture
async def tail() -> AsyncIterator[OutputTail]:
    tail = OutputTail()
    yield tail
    tail.close()


def written(tail: OutputTail, data: bytes) -> str:
    os.write(tail.writer, data)
    return tail.text()


async def run_python(tail: OutputTail, code: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", code), stdout=tail.writer, stderr=tail.writer
    )
    async with asyncio.timeout(DEADLINE):
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"one\ntwo\n", "one\ntwo"),
        (b"no end", "no end"),
        (b"one\n\n  \ntwo\n", "one\ntwo"),
        ("grüße\n".encode(), "grüße"),
        (b"half a \xe2\x82", "half a \ufffd"),
        (b"\x1b[31mred\x1b[0m\x1b]0;title\x07\n", "red]0;title"),
        (b"10%\r20%\r30%\n", "10%\n20%\n30%"),
        (b"".join(b"%d\n" % number for number in range(30)), "\n".join(map(str, range(10, 30)))),
        (BESIDE_THE_POINT + b"ValueError: cannot encrypt this\n", "ValueError: cannot encrypt this"),
    ],
)
async def test_the_end_is_told_without_what_never_explains_anything(
    tail: OutputTail, data: bytes, text: str
) -> None:
    assert written(tail, data) == text


async def test_no_line_is_told_without_end(tail: OutputTail) -> None:
    text = written(tail, b"x" * 20_000 + b"the end")
    assert len(text) == 4096
    assert text.endswith("the end")


async def test_megabytes_are_read_and_only_their_end_is_kept(tail: OutputTail) -> None:
    await run_python(tail, "for n in range(400_000): print('line', n, 'x' * 40)")
    assert tail.text(lines=2).splitlines() == [f"line {n} {'x' * 40}" for n in (399_998, 399_999)]
    assert len(tail._kept) <= 16 * 1024


async def test_what_was_written_just_before_the_end_is_told_at_once(tail: OutputTail) -> None:
    code = "import sys; sys.stderr.write('x' * 60_000 + '\\nlast words')"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], stderr=tail.writer, timeout=DEADLINE)
    assert tail.text().endswith("last words")


async def test_it_is_told_after_the_close_as_well(tail: OutputTail) -> None:
    os.write(tail.writer, b"last words")
    tail.close()
    tail.close()
    assert tail.text() == "last words"


async def test_the_end_of_the_pipe_is_noticed(tail: OutputTail) -> None:
    await run_python(tail, "print('words')")
    tail.close_writer()
    tail.close_writer()
    assert tail.text() == "words"
    assert tail.text() == "words"


async def test_a_writer_that_stays_does_not_hold_the_close(tail: OutputTail) -> None:
    with subprocess.Popen(["sleep", "600"], stdout=tail.writer) as process:
        tail.close()
        assert tail.text() == ""
        process.kill()
