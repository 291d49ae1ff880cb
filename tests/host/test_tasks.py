"""Work that outlives who asked for it."""

from __future__ import annotations

import asyncio
import gc

import pytest
from tests.host.talk import turn

from kernelway.host.tasks import Tasks, to_the_end
from kernelway.protocol.errors import KernelDied


class Work:
    """Something that goes on until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.done = False
        self.let_go = asyncio.Event()
        self._error = error

    async def do(self) -> None:
        await self.let_go.wait()
        if self._error is not None:
            raise self._error
        self.done = True


async def answer() -> int:
    return 42


async def test_the_result_is_the_works(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    assert await tasks.run(answer(), name="answer") == 42
    await tasks.ended()


async def test_who_asks_gets_the_error_and_the_log_those_that_nobody_expects(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = Tasks()
    for error in (KernelDied("It died."), ValueError("a bug")):
        work = Work(error)
        work.let_go.set()
        with pytest.raises(type(error)):
            await tasks.run(work.do(), name="failing")
    assert [record.getMessage() for record in caplog.records] == ["The task 'failing' failed."]


async def test_cancelling_who_asked_leaves_the_work_to_go_on() -> None:
    tasks, work = Tasks(), Work()
    asking = asyncio.create_task(tasks.run(work.do(), name="work"))
    await turn()
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()
    assert not work.done
    ended = asyncio.create_task(tasks.ended())
    await turn()
    assert not ended.done()
    work.let_go.set()
    await ended
    assert work.done


@pytest.mark.parametrize(("error", "lines"), [(KernelDied("It died."), 0), (ValueError("a bug"), 1)])
async def test_an_error_that_nobody_awaits_is_in_the_log_at_once(
    error: Exception, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    tasks, work = Tasks(), Work(error)
    tasks.begin(work.do(), name="work")
    work.let_go.set()
    await tasks.ended()
    await turn()
    assert len(caplog.records) == lines
    gc.collect()


async def test_to_the_end_is_to_the_end_however_often_it_is_cancelled() -> None:
    work = Work()
    closing = asyncio.create_task(to_the_end(work.do(), name="close"))
    for _ in range(3):
        await turn()
        closing.cancel()
    await turn()
    assert not closing.done()
    work.let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert work.done


async def test_to_the_end_passes_on_an_error() -> None:
    work = Work(ValueError("a bug"))
    work.let_go.set()
    with pytest.raises(ValueError, match="a bug"):
        await to_the_end(work.do(), name="close")


async def test_to_the_end_keeps_a_deadline_of_its_caller() -> None:
    work = Work()
    asyncio.get_running_loop().call_later(0.05, work.let_go.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await to_the_end(work.do(), name="close")
    assert work.done
