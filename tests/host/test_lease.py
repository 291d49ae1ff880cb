"""When a kernel ends because nobody is connected to it, and when it does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.host.runs import DEADLINE, attach, kernels_in
from tests.host.specs import Specs
from tests.host.talk import hosting, turn

from kernelway.host.journals import Journals
from kernelway.host.kernels import Kernels
from kernelway.host.lease import Lease
from kernelway.host.run import Surroundings
from kernelway.host.sessions import Sessions
from kernelway.protocol.errors import KernelStartFailed
from kernelway.protocol.models import (
    KernelId,
    OpenSession,
    SessionKernel,
    StartKernel,
    UpdateSession,
)

SOON, LATE = 0.05, 3600.0


@pytest.fixture
async def kernels(surroundings: Surroundings, specs: Specs, journals: Journals) -> AsyncIterator[Kernels]:
    kernels = kernels_in(surroundings, journals, home=surroundings.folder.parent)
    yield kernels
    await kernels.close()


@pytest.fixture
def sessions(kernels: Kernels, journals: Journals) -> Sessions:
    return Sessions(kernels, journals)


class Watched(Lease):
    """A lease whose end can be waited for."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, self._note)
        self.over = asyncio.Event()
        self.told: list[float] = []

    def _note(self, seconds: float) -> None:
        self.told.append(seconds)
        self.over.set()

    async def until_over(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.over.wait()


def _left(lease: Lease) -> None:
    lease.hold()
    lease.release()


@pytest.mark.parametrize("before", [lambda lease: None, Lease.release, _left])
async def test_it_runs_out_where_nobody_comes_or_who_came_has_left(before: Callable[[Lease], None]) -> None:
    lease = Watched(SOON)
    before(lease)
    lease.begin()
    await lease.until_over()
    assert lease.told == [SOON]


async def test_it_runs_out_once() -> None:
    lease, later = Watched(SOON), Watched(SOON)
    lease.begin()
    await lease.until_over()
    _left(lease)
    later.begin()
    await later.until_over()
    assert lease.told == [SOON]


def _nothing_begun(_: Lease) -> None: ...


def _held(lease: Lease) -> None:
    lease.begin()
    lease.hold()


def _held_before(lease: Lease) -> None:
    lease.hold()
    lease.begin()


def _void(lease: Lease) -> None:
    lease.begin()
    lease.void()
    _left(lease)


@pytest.mark.parametrize("how", [_nothing_begun, _held, _held_before, _void])
async def test_it_does_not_run_out_while_it_is_held_nor_before_it_began_nor_when_it_is_void(
    how: Callable[[Lease], None],
) -> None:
    lease, other = Watched(SOON), Watched(SOON)
    how(lease)
    # One that was begun later runs out, so that this one would have.
    other.begin()
    await other.until_over()
    await turn()
    assert lease.told == []


async def test_a_kernel_to_which_nobody_comes_is_ended_and_the_end_is_told(
    specs: Specs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with hosting(journals=tmp_path / "j") as host, asyncio.timeout(DEADLINE):
        model = await host.start_kernel(StartKernel(name="small", lease=SOON))
        await host.unused_for(0)
        [ended] = await host.ended_kernels()
    told = "Its lease of 0.05 s ran out: nobody was connected to it for so long."
    assert (ended.id, ended.reason) == (model.id, told)
    assert f"Kernel {model.id} is ended. {told}" in caplog.text


async def test_time_counts_from_when_the_last_client_has_left(kernels: Kernels) -> None:
    starting = asyncio.create_task(kernels.start(StartKernel(name="small", lease=SOON)))
    async with asyncio.timeout(DEADLINE):
        await kernels._taken.wait()
        [kernel] = kernels
        first, second = attach(kernel, "a"), attach(kernel, "b")
        await starting
        assert (await first.run("show(1)")).text == "1"
        first.channels.close(1000, "")
        # Of one session only the newest is connected: the older one's end is nobody's leaving.
        again = attach(kernel, "b")
        await second.hear_all()
        assert (await again.run("show(2)")).text == "2"
        assert list(kernels) == [kernel]
        again.channels.close(1000, "")
        await kernels.unused_for(0)


async def test_a_start_that_takes_longer_than_the_lease_is_not_given_up(kernels: Kernels) -> None:
    async with asyncio.timeout(DEADLINE):
        # Ended in the middle, it would raise.
        await kernels.start(StartKernel(name="small", lease=0.0001))
        await kernels.unused_for(0)


async def test_a_kernel_that_did_not_start_is_gone_at_once(kernels: Kernels, specs: Specs) -> None:
    specs.add_script("ending", "import sys; sys.exit('no licence')")
    with pytest.raises(KernelStartFailed):
        await kernels.start(StartKernel(name="ending", lease=LATE))
    assert not list(kernels)


async def test_a_kernel_that_ended_in_another_way_is_not_ended_again(
    specs: Specs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with hosting(journals=tmp_path / "j") as host:
        first = await host.start_kernel(StartKernel(name="small", lease=LATE))
        await host.shutdown_kernel(first.id)
        [ended] = await host.ended_kernels()
    assert ended.reason == "It was shut down."
    assert "lease" not in caplog.text


async def _lease_of(kernels: Kernels, kernel_id: KernelId) -> float | None:
    return kernels.get(kernel_id).lease.seconds


async def test_a_second_session_makes_it_void(sessions: Sessions, kernels: Kernels) -> None:
    asked = SessionKernel(name="small", lease=LATE)
    first = await sessions.open(OpenSession("a", kernel=asked))
    assert await _lease_of(kernels, first.kernel.id) == LATE
    # The same session again is no second one; nor is the kernel another that it has already.
    await sessions.open(OpenSession("a", kernel=asked))
    own = UpdateSession(name="n", kernel=SessionKernel(id=first.kernel.id))
    await sessions.update(first.id, own)
    assert await _lease_of(kernels, first.kernel.id) == LATE
    second = await sessions.open(OpenSession("b", kernel=SessionKernel(id=first.kernel.id)))
    assert await _lease_of(kernels, first.kernel.id) is None
    # For good: whatever the second does then.
    await sessions.update(second.id, UpdateSession(kernel=SessionKernel(name="small")))
    assert await _lease_of(kernels, first.kernel.id) is None


async def test_a_session_that_takes_the_kernel_up_makes_it_void(sessions: Sessions, kernels: Kernels) -> None:
    leased = await kernels.start(StartKernel(name="small", lease=LATE))
    other = await sessions.open(OpenSession("b", kernel=SessionKernel(name="small")))
    await sessions.update(other.id, UpdateSession(kernel=SessionKernel(id=leased.id)))
    assert await _lease_of(kernels, leased.id) is None


async def test_a_session_that_opens_on_a_bare_kernel_makes_it_void(
    sessions: Sessions, kernels: Kernels
) -> None:
    leased = await kernels.start(StartKernel(name="small", lease=LATE))
    await sessions.open(OpenSession("b", kernel=SessionKernel(id=leased.id)))
    assert await _lease_of(kernels, leased.id) is None


async def test_a_restart_leaves_it_as_it_is(kernels: Kernels) -> None:
    kernel = await kernels.start(StartKernel(name="small", lease=LATE))
    await kernels.restart(kernel.id)
    assert await _lease_of(kernels, kernel.id) == LATE
