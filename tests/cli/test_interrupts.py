"""Ctrl-C: once interrupts, twice leaves."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from kernelway.cli.interrupts import Interrupts, Left
from kernelway.protocol.errors import LinkLost

DEADLINE = 20


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Code:
    """Code that can be interrupted."""

    def __init__(self, error: Exception | None = None) -> None:
        self.interrupted = asyncio.Event()
        self.notes: list[str] = []
        self.noted = asyncio.Event()
        self._error = error

    async def interrupt(self) -> None:
        self.interrupted.set()
        if self._error is not None:
            raise self._error

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.noted.set()


async def forever() -> None:
    await asyncio.Event().wait()


async def test_once_interrupts_the_code_that_runs() -> None:
    interrupts, code = Interrupts(), Code()

    async def work() -> str:
        with interrupts.interruptible(code.interrupt, code.note):
            press()
            await code.interrupted.wait()
        return "went on"

    async with asyncio.timeout(DEADLINE):
        assert await interrupts.watch(work()) == "went on"
    assert interrupts.interrupted


async def test_twice_leaves() -> None:
    interrupts, code = Interrupts(), Code()
    cleaned = []

    async def work() -> None:
        try:
            with interrupts.interruptible(code.interrupt, code.note):
                press()
                await code.interrupted.wait()
                press()
                await forever()
        finally:
            cleaned.append(True)

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(Left) as left:
            await interrupts.watch(work())
    assert left.value.status == 130
    assert cleaned


async def test_once_leaves_where_no_code_runs() -> None:
    async def work() -> None:
        press()
        await forever()

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(Left) as left:
            await Interrupts().watch(work())
    assert left.value.status == 130


async def test_the_next_piece_of_code_begins_anew() -> None:
    interrupts = Interrupts()

    async def work() -> str:
        for _ in range(3):
            code = Code()
            with interrupts.interruptible(code.interrupt, code.note):
                assert not interrupts.interrupted
                press()
                await code.interrupted.wait()
        return "went on"

    async with asyncio.timeout(DEADLINE):
        assert await interrupts.watch(work()) == "went on"


async def test_an_interrupt_that_fails_is_told_of() -> None:
    interrupts, code = Interrupts(), Code(LinkLost("The connection broke."))

    async def work() -> None:
        with interrupts.interruptible(code.interrupt, code.note):
            press()
            await code.noted.wait()

    async with asyncio.timeout(DEADLINE):
        await interrupts.watch(work())
    assert code.notes == ["The code could not be interrupted: The connection broke. Ctrl-C again leaves."]
    assert not interrupts.interrupted, "what the code ends with is its own doing"


async def test_after_an_interrupt_that_failed_the_next_one_leaves() -> None:
    interrupts, code = Interrupts(), Code(LinkLost("The connection broke."))

    async def work() -> None:
        with interrupts.interruptible(code.interrupt, code.note):
            press()
            await code.noted.wait()
            press()
            await forever()

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(Left):
            await interrupts.watch(work())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_being_told_to_end_leaves_at_once(number: signal.Signals) -> None:
    interrupts, code = Interrupts(), Code()

    async def work() -> None:
        with interrupts.interruptible(code.interrupt, code.note):
            os.kill(os.getpid(), number)
            await forever()

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(Left) as left:
            await interrupts.watch(work())
    assert left.value.status == 143
    assert not code.interrupted.is_set()


async def test_an_error_of_the_work_comes_out() -> None:
    async def work() -> None:
        raise LinkLost("gone")

    with pytest.raises(LinkLost):
        await Interrupts().watch(work())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
