"""Writing to a stream that may be slow."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator

import pytest

from kernelway.cli.show.writer import Writer

DEADLINE = 20


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """The end to read from, and the stream to write to."""
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w", encoding="utf-8")
    yield reading, stream
    try:
        stream.close()
    except OSError:
        assert stream.closed


async def test_everything_is_written_in_order() -> None:
    stream = io.StringIO()
    async with Writer(stream) as writer:
        for number in range(1000):
            writer.write(f"{number}\n")
    assert stream.getvalue() == "".join(f"{number}\n" for number in range(1000))


async def test_a_reader_that_waits_holds_up_nobody_else(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    async with asyncio.timeout(DEADLINE), Writer(stream) as writer:
        writer.write("x" * 3_000_000)
        waiting = asyncio.create_task(writer.drain())
        # Nobody reads yet: the loop goes on, and whoever asks is made to wait.
        assert await asyncio.to_thread(lambda: "the loop is free") == "the loop is free"
        assert not waiting.done()
        read = await asyncio.to_thread(_read, reading, 3_000_000)
        await waiting
    assert read == 3_000_000


def _read(descriptor: int, count: int) -> int:
    read = 0
    while read < count:
        read += len(os.read(descriptor, 1 << 16))
    os.close(descriptor)
    return read


async def test_a_reader_that_went_away_is_told_of(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    os.close(reading)
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(BrokenPipeError):
            async with Writer(stream) as writer:
                writer.write("text")


async def test_an_error_of_the_command_goes_before_one_of_its_output(
    pipe: tuple[int, io.TextIOWrapper],
) -> None:
    reading, stream = pipe
    os.close(reading)

    async def command() -> None:
        async with Writer(stream) as writer:
            writer.write("text")
            raise ValueError("the command")

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(ValueError, match="the command"):
            await command()


async def test_what_the_locale_lacks_is_written_all_the_same() -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii")
    async with Writer(stream) as writer:
        writer.write("ü \ud800")
    assert buffer.getvalue() == b"\\xfc \\ud800"
