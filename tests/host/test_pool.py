"""Kernels that wait: how many there are, when they are started, and when they go."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.host.runs import DEADLINE
from tests.host.specs import Specs
from tests.host.talk import turn
from tests.support.processes import until

from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.host.pool import Pool, PoolRules
from kernelway.host.run import Surroundings
from kernelway.host.warm import Warm

HERE = Path("/tmp")


@pytest.fixture
async def made(surroundings: Surroundings, specs: Specs) -> AsyncIterator[Callable[..., Pool]]:
    """Makes pools, and closes them when the test is over."""
    pools: list[Pool] = []

    def make(default: str | None = "python3", **rules: Any) -> Pool:
        rules = {"size": 1, "has_memory": lambda: True, **rules}
        pool = Pool(surroundings, LocalKernelSpecs(default=default), PoolRules(**rules), home=HERE)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        async with asyncio.timeout(DEADLINE):
            await pool.close()
        assert len(pool) == 0
    assert list(surroundings.folder.iterdir()) == []


async def taken(pool: Pool, name: str = "python3", *, cwd: Path = HERE, **env: str) -> Warm | None:
    """What is handed out for a request; the caller ends it."""
    return pool.take(name, await LocalKernelSpecs().find(name), cwd, env)


async def waits(pool: Pool, count: int = 1) -> None:
    """Wait until so many are ready, and none is being started."""

    async def there() -> bool:
        return pool.ready == count == len(pool)

    await until(there, deadline=DEADLINE)


def pid_of(warm: Warm) -> int:
    process = warm.run._local_process()
    assert process is not None
    return process.pid


def waiting_in(pool: Pool) -> list[Warm]:
    return [warm for shelf in pool._shelves.values() for warm in shelf.kernels]


async def test_a_pool_of_none_does_nothing(made: Callable[..., Pool]) -> None:
    pool = made(size=0)
    pool.open()
    assert await taken(pool) is None
    assert len(pool) == 0
    assert pool._tasks._tasks == set()


async def test_a_kernel_of_the_default_kernelspec_waits_from_the_beginning(made: Callable[..., Pool]) -> None:
    pool = made()
    pool.open()
    await waits(pool)
    warm = await taken(pool)
    assert warm is not None
    await warm.end()


async def test_the_one_that_was_taken_is_followed_by_another(made: Callable[..., Pool]) -> None:
    pool = made(size=2)
    pool.open()
    await waits(pool, 2)
    warm = await taken(pool)
    assert warm is not None
    await waits(pool, 2)
    assert warm not in waiting_in(pool)
    await warm.end()


async def test_of_two_that_ask_at_once_one_gets_the_kernel_that_waits(made: Callable[..., Pool]) -> None:
    pool = made()
    pool.open()
    await waits(pool)
    with pool.undisturbed():
        first, second = await asyncio.gather(taken(pool), taken(pool))
        assert (first is None) != (second is None)
    for warm in filter(None, (first, second)):
        await warm.end()


async def test_what_cannot_be_applied_exactly_leaves_the_kernel_waiting(made: Callable[..., Pool]) -> None:
    pool = made()
    pool.open()
    await waits(pool)
    assert await taken(pool, PYTHONHASHSEED="1") is None
    assert pool.ready == 1


async def test_none_is_started_while_a_start_that_was_asked_for_goes_on(made: Callable[..., Pool]) -> None:
    pool = made()
    with pool.undisturbed():
        with pool.undisturbed():
            pool.open()
            await asyncio.wait({asyncio.create_task(taken(pool))})
        await turn()
        assert len(pool) == 0
    await waits(pool)


async def test_a_kernelspec_that_is_asked_for_gets_kernels_of_its_own(
    made: Callable[..., Pool], specs: Specs
) -> None:
    specs.add("other", ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")
    pool = made()
    pool.open()
    await waits(pool)
    assert await taken(pool, "other") is None
    await waits(pool, 2)
    warm = await taken(pool, "other")
    assert warm is not None
    await warm.end()


async def test_kernels_that_are_no_ipykernels_never_wait(made: Callable[..., Pool]) -> None:
    pool = made(default="small")
    pool.open()
    assert await taken(pool, "small") is None
    await turn()
    assert len(pool) == 0


async def test_a_default_kernelspec_that_is_not_there_is_no_trouble(
    made: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    pool = made(default="nowhere")
    pool.open()

    async def told() -> bool:
        return "There is no kernelspec 'nowhere' here" in caplog.text

    await until(told)
    await taken(pool)
    await waits(pool)


async def test_nobody_asks_for_a_kernelspec_any_more(made: Callable[..., Pool], specs: Specs) -> None:
    specs.add("other", ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")
    pool = made(keep=0.0)
    pool.open()
    await waits(pool)
    await taken(pool, "other")

    async def forgotten() -> bool:
        return set(pool._shelves) == {"python3"}

    await until(forgotten, deadline=DEADLINE)
    await waits(pool)


async def test_a_kernelspec_that_changed_gets_new_kernels(made: Callable[..., Pool], specs: Specs) -> None:
    command = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    folder = specs.add("own", command, language="python")
    pool = made(default="own")
    pool.open()
    await waits(pool)
    [before] = waiting_in(pool)
    kernelspec = (folder / "kernel.json").read_text()
    (folder / "kernel.json").write_text(kernelspec.replace('"argv"', '"env": {"NEW": "yes"}, "argv"'))
    assert await taken(pool, "own") is None
    await waits(pool)
    warm = await taken(pool, "own")
    assert warm not in (None, before)
    assert warm is not None
    environ = Path(f"/proc/{pid_of(warm)}/environ").read_bytes()
    assert b"\0NEW=yes\0" in environ
    await warm.end()


# Limits


async def test_no_more_wait_than_are_permitted(made: Callable[..., Pool]) -> None:
    pool = made(size=3)
    pool.permit(1)
    pool.open()
    await waits(pool)
    pool.permit(2)
    await waits(pool, 2)
    pool.permit(0)
    assert len(pool) == 0
    pool.permit(None)
    await waits(pool, 3)


async def test_one_that_is_being_started_is_ended_where_it_is_not_permitted(
    made: Callable[..., Pool],
) -> None:
    pool = made()
    pool.open()

    async def starts() -> bool:
        return len(pool) == 1

    await until(starts)
    pool.permit(0)
    assert len(pool) == 0
    pool.permit(1)
    await waits(pool)


async def test_none_is_started_where_memory_is_short(made: Callable[..., Pool]) -> None:
    looked: list[bool] = []
    enough: list[bool] = []

    def has_memory() -> bool:
        looked.append(bool(enough))
        return bool(enough)

    pool = made(has_memory=has_memory)
    pool.open()

    async def has_looked() -> bool:
        return bool(looked)

    await until(has_looked)
    assert len(pool) == 0
    enough.append(True)
    await taken(pool)
    await waits(pool)
    assert looked[0] is False


# Deaths


async def test_one_that_dies_is_replaced(made: Callable[..., Pool], caplog: pytest.LogCaptureFixture) -> None:
    pool = made()
    pool.open()
    await waits(pool)
    [before] = waiting_in(pool)
    os.kill(pid_of(before), signal.SIGKILL)

    async def replaced() -> bool:
        return pool.ready == 1 and before not in waiting_in(pool)

    await until(replaced, deadline=DEADLINE)
    assert "A waiting kernel of 'python3' is dead. The kernel was ended by SIGKILL." in caplog.text


async def test_where_all_die_none_is_started_before_somebody_asks(
    made: Callable[..., Pool], specs: Specs, caplog: pytest.LogCaptureFixture
) -> None:
    specs.add("dying", ["/bin/sh", "-c", "exit 7", "-m", "ipykernel_launcher"])
    pool = made(default="dying")
    pool.open()

    async def given_up() -> bool:
        return "No other is started before somebody asks for one." in caplog.text

    await until(given_up, deadline=DEADLINE)
    assert caplog.text.count("exited with status 7") == 6
    caplog.clear()
    assert await taken(pool, "dying") is None
    await until(given_up, deadline=DEADLINE)


# The end


async def test_the_end_does_not_wait_for_what_waits(made: Callable[..., Pool]) -> None:
    pool = made(size=2)
    pool.open()
    await waits(pool, 2)
    pids = [pid_of(warm) for warm in waiting_in(pool)]
    os.kill(pids[0], signal.SIGSTOP)
    await pool.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert await taken(pool) is None


async def test_the_end_comes_while_one_is_being_started(made: Callable[..., Pool]) -> None:
    pool = made()
    pool.open()

    async def starts() -> bool:
        return len(pool) == 1

    await until(starts)
    await pool.close()
    assert len(pool) == 0
