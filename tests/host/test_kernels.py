"""All kernels of a host: limits, overlapping starts, and what a caller's leaving does not undo."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.host.runs import DEADLINE, attach, kernels_in, process_of
from tests.host.specs import Specs
from tests.host.talk import LIMITS, turn
from tests.support.processes import until

from kernelway.host import kernels as kernels_module
from kernelway.host.journals import Journals
from kernelway.host.kernels import Kernels
from kernelway.host.pool import PoolRules
from kernelway.host.run import Surroundings
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.errors import (
    Conflict,
    InvalidRequest,
    KernelStartFailed,
    LimitReached,
    NotFound,
)
from kernelway.protocol.models import ExecutionState, KernelId, StartKernel

SMALL = StartKernel(name="small")

SLEEPS = "import time\ntime.sleep(600)"


@pytest.fixture
async def made(
    surroundings: Surroundings, specs: Specs, journals: Journals, tmp_path: Path
) -> AsyncIterator[Callable[..., Kernels]]:
    """Makes registries, and closes them when the test is over."""
    registries: list[Kernels] = []

    def make(
        *,
        most: int | None = None,
        default: str | None = None,
        pool: PoolRules | None = None,
        **limits: Any,
    ) -> Kernels:
        kernels = kernels_in(
            surroundings,
            journals,
            home=tmp_path,
            limits=replace(LIMITS, **limits),
            most=most,
            default=default,
            pool=pool,
        )
        registries.append(kernels)
        return kernels

    yield make
    for kernels in registries:
        async with asyncio.timeout(DEADLINE):
            await kernels.close()
        assert len(kernels) == 0
    assert list(surroundings.folder.iterdir()) == []


@pytest.fixture
def kernels(made: Callable[..., Kernels]) -> Kernels:
    return made()


# Starts


async def test_a_kernel_is_found_by_its_id_until_it_is_shut_down(kernels: Kernels) -> None:
    kernel = await kernels.start(SMALL)
    assert kernels.get(kernel.id) is kernel
    assert list(kernels) == [kernel]
    await kernels.shutdown(kernel.id)
    assert len(kernels) == 0
    with pytest.raises(NotFound, match=kernel.id):
        kernels.get(kernel.id)
    for missing in (kernels.shutdown, kernels.restart):
        with pytest.raises(NotFound, match=kernel.id):
            await missing(kernel.id)


@pytest.mark.parametrize("path", [None, "", "sub", "../{name}/sub", "{home}/sub"])
async def test_a_kernel_works_where_it_is_told(kernels: Kernels, tmp_path: Path, path: str | None) -> None:
    (tmp_path / "sub").mkdir()
    told = path.format(name=tmp_path.name, home=tmp_path) if path is not None else None
    kernel = await kernels.start(StartKernel(name="small", path=told))
    expected = tmp_path / "sub" if path else tmp_path
    assert process_of(kernel).cwd() == str(expected)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (StartKernel(name="none"), NotFound, "no kernelspec 'none' here; there are: .*small"),
        (StartKernel(name="small", path="gone"), InvalidRequest, "'.*/gone' does not exist"),
        (StartKernel(name="small", path="/etc/passwd"), InvalidRequest, "'/etc/passwd' does not exist"),
        (StartKernel(name="small", path="~nobody-at-all"), InvalidRequest, "'~nobody-at-all' cannot be"),
        (StartKernel(name="small", path="a\0b"), InvalidRequest, "does not exist"),
        (StartKernel(name="small", env={"": "x"}), InvalidRequest, "variable's name is empty"),
        (StartKernel(name="small", env={"A=B": "x"}), InvalidRequest, "has an ="),
        (StartKernel(name="small", env={"A": "secret\0"}), InvalidRequest, "NUL"),
    ],
)
async def test_what_cannot_be_is_refused_and_takes_no_place(
    made: Callable[..., Kernels], request_: StartKernel, error: type[Exception], message: str
) -> None:
    kernels = made(most=1)
    with pytest.raises(error, match=message) as refused:
        await kernels.start(request_)
    assert "secret" not in str(refused.value)
    assert len(kernels) == 0


async def test_the_default_is_started_where_nothing_is_named(made: Callable[..., Kernels]) -> None:
    kernel = await made(default="small").start(StartKernel())
    assert kernel.order.spec_name == "small"


async def test_a_start_that_fails_takes_no_place_and_ends_those_who_waited(
    kernels: Kernels, specs: Specs
) -> None:
    specs.add_script("ending", "import sys; sys.exit('no licence')")
    starting = asyncio.create_task(kernels.start(StartKernel(name="ending")))
    async with asyncio.timeout(DEADLINE):
        while not len(kernels):
            await turn()
    [kernel] = kernels
    talk = attach(kernel)
    with pytest.raises(KernelStartFailed, match="no licence"):
        await starting
    assert len(kernels) == 0
    with pytest.raises(ChannelsClosed):
        await talk.hear_text()


async def test_a_start_that_takes_long_is_answered_as_it_is(
    made: Callable[..., Kernels], specs: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels_module, "_ANSWER_AFTER", 0.1)
    specs.add_script("slow", "import sys, time\nprint('loading', flush=True)\ntime.sleep(600)")
    kernels = made(start_timeout=0.6)
    kernel = await kernels.start(StartKernel(name="slow"))
    assert kernel.model().execution_state is ExecutionState.STARTING
    talk = attach(kernel)
    await talk.hear_status("dead")
    # Whoever has its id can still learn what became of it.
    assert kernels.get(kernel.id).model().execution_state is ExecutionState.DEAD
    assert "did not answer within 0.6 s" in str(kernel.model().reason)


async def test_cancelling_the_caller_leaves_the_kernel_to_start(kernels: Kernels) -> None:
    starting = asyncio.create_task(kernels.start(SMALL))
    while not len(kernels):
        await turn()
    starting.cancel()
    await asyncio.wait({starting})
    [kernel] = kernels
    assert (await attach(kernel).run("show(1)")).text == "1"


# Limits


async def test_a_burst_does_not_pass_the_limit(made: Callable[..., Kernels]) -> None:
    kernels = made(most=3)
    answers = await asyncio.gather(*(kernels.start(SMALL) for _ in range(20)), return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, LimitReached)]
    assert len(refusals) == 17
    assert len(kernels) == 3
    assert "3 kernels already" in str(refusals[0])
    # A place that becomes free can be taken.
    await kernels.shutdown(next(iter(kernels)).id)
    await kernels.start(SMALL)
    with pytest.raises(LimitReached):
        await kernels.start(SMALL)


async def test_a_limit_of_none_is_a_limit(made: Callable[..., Kernels]) -> None:
    with pytest.raises(LimitReached):
        await made(most=0).start(SMALL)


# Kernels that wait

PYTHON = StartKernel(name="python3")

ONE_WAITS = PoolRules(size=1, has_memory=lambda: True)


async def waits(kernels: Kernels, count: int) -> None:
    """Wait until so many are ready to be asked for, and no other is being started."""

    async def there() -> bool:
        return kernels._pool.ready == len(kernels._pool) == count

    await until(there, deadline=DEADLINE)


def waiting_in(kernels: Kernels) -> set[KernelId]:
    return {warm.id for shelf in kernels._pool._shelves.values() for warm in shelf.kernels}


async def test_a_kernel_that_waits_is_nobodys_until_it_is_asked_for(made: Callable[..., Kernels]) -> None:
    kernels = made(pool=ONE_WAITS, default="python3")
    await waits(kernels, 1)
    [waiting] = waiting_in(kernels)
    assert list(kernels) == []
    with pytest.raises(NotFound):
        kernels.get(waiting)
    with pytest.raises(NotFound):
        await kernels.shutdown(waiting)
    assert list(kernels._journals.ended()) == []
    kernel = await kernels.start(StartKernel(env={"GIVEN": "here"}))
    assert kernel.id == waiting
    assert kernel.model().execution_state is ExecutionState.IDLE
    assert (await attach(kernel).run("import os; print(os.environ['GIVEN'])")).text == "here\n"
    await waits(kernels, 1)


async def test_of_those_that_ask_at_once_each_has_a_kernel_of_its_own(made: Callable[..., Kernels]) -> None:
    kernels = made(pool=ONE_WAITS, default="python3")
    await waits(kernels, 1)
    waiting = waiting_in(kernels)
    requests = [StartKernel(name="python3", env={"GIVEN": str(number)}) for number in range(3)]
    started = await asyncio.gather(*map(kernels.start, requests))
    assert len({kernel.id for kernel in started}) == 3
    assert waiting < {kernel.id for kernel in started}
    for number, kernel in enumerate(started):
        ran = await attach(kernel).run("import os; print(os.environ['GIVEN'])")
        assert (ran.text, ran.reply.execution_count) == (f"{number}\n", 1)


async def test_a_kernel_that_waits_makes_room_for_one_that_was_asked_for(
    made: Callable[..., Kernels],
) -> None:
    kernels = made(pool=ONE_WAITS, default="python3", most=2)
    await waits(kernels, 1)
    await kernels.start(SMALL)
    await waits(kernels, 1)
    other = await kernels.start(SMALL)
    assert len(kernels._pool) == 0
    with pytest.raises(LimitReached):
        await kernels.start(PYTHON)
    await kernels.shutdown(other.id)
    await waits(kernels, 1)
    # The place that it has is the place that it takes.
    [waiting] = waiting_in(kernels)
    assert (await kernels.start(PYTHON)).id == waiting
    assert len(kernels) == 2


async def test_the_caller_of_a_kernel_that_waited_may_go_away(made: Callable[..., Kernels]) -> None:
    kernels = made(pool=ONE_WAITS, default="python3")
    await waits(kernels, 1)
    [waiting] = waiting_in(kernels)
    starting = asyncio.create_task(kernels.start(PYTHON))
    async with asyncio.timeout(DEADLINE):
        while not len(kernels):
            await turn()
    starting.cancel()
    await asyncio.wait({starting})
    assert (await attach(kernels.get(waiting)).run("print(1)")).text == "1\n"


async def test_no_kernel_is_made_ready_while_one_waits_for_its_first_result(
    made: Callable[..., Kernels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels_module, "_SETTLES_WITHIN", DEADLINE)
    kernels = made(pool=ONE_WAITS, default="python3")
    await waits(kernels, 1)
    kernel = await kernels.start(PYTHON)
    talk = attach(kernel)
    await talk.execute("import time; time.sleep(0.2)")
    assert not kernel.answered.is_set()
    assert len(kernels._pool) == 0
    await talk.hear_type("execute_reply")
    await waits(kernels, 1)
    assert kernel.answered.is_set()


async def test_where_nobody_asks_for_a_result_another_is_made_ready_nevertheless(
    made: Callable[..., Kernels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels_module, "_SETTLES_WITHIN", 0.05)
    kernels = made(pool=ONE_WAITS, default="python3")
    await waits(kernels, 1)
    kernel = await kernels.start(PYTHON)
    await waits(kernels, 1)
    assert not kernel.answered.is_set()


async def test_the_end_of_all_ends_those_that_wait(made: Callable[..., Kernels]) -> None:
    kernels = made(pool=ONE_WAITS, default="python3")
    await waits(kernels, 1)
    [warm] = [warm for shelf in kernels._pool._shelves.values() for warm in shelf.kernels]
    await kernels.close()
    assert "SIGKILL" in await warm.run.exited()
    with pytest.raises(Conflict):
        await kernels.start(PYTHON)


# Environments


def variables(number: int) -> dict[str, str]:
    return {"NUMBER": str(number), f"ONLY_{number}": "yes", "SECRET": f"{number}" * 50}


async def environment_of(kernels: Kernels, name: str, number: int, code: str) -> dict[str, str]:
    kernel = await kernels.start(StartKernel(name=name, env=variables(number)))
    environ: dict[str, str] = json.loads((await attach(kernel).run(code)).text)
    return environ


@pytest.mark.parametrize(
    ("name", "count", "code"),
    [
        ("small", 200, "import json, os\nshow(json.dumps(dict(os.environ)))"),
        ("python3", 12, "import json, os\nprint(json.dumps(dict(os.environ)))"),
    ],
    ids=["200 small kernels", "12 ipykernels"],
)
async def test_overlapping_starts_never_mix_environments(
    made: Callable[..., Kernels], name: str, count: int, code: str
) -> None:
    kernels = made(start_timeout=100.0)
    before = dict(os.environ)
    environs = await asyncio.gather(*(environment_of(kernels, name, number, code) for number in range(count)))
    for number, environ in enumerate(environs):
        assert environ.items() >= variables(number).items()
        assert [each for each in environ if each.startswith("ONLY_")] == [f"ONLY_{number}"]
    assert dict(os.environ) == before


async def test_a_restart_keeps_the_environment(kernels: Kernels) -> None:
    kernel = await kernels.start(StartKernel(name="small", env={"MINE": "1"}))
    restarted = await kernels.restart(kernel.id)
    assert restarted is kernel
    assert (await attach(kernel).run("import os\nshow(os.environ['MINE'])")).text == "1"


# What a caller's leaving does not undo


async def test_cancelling_the_caller_leaves_the_kernel_to_restart(kernels: Kernels) -> None:
    kernel = await kernels.start(SMALL)
    talk = attach(kernel)
    await talk.run("x = 1")
    restarting = asyncio.create_task(kernels.restart(kernel.id))
    await talk.hear_status("starting")
    restarting.cancel()
    await asyncio.wait({restarting})
    assert (await talk.run("x")).error == "NameError"
    assert kernel.state is ExecutionState.IDLE


async def test_cancelling_the_caller_leaves_the_kernel_to_end(kernels: Kernels) -> None:
    kernel = await kernels.start(SMALL)
    talk, process = attach(kernel), process_of(kernel)
    ending = asyncio.create_task(kernels.shutdown(kernel.id))
    await turn()
    ending.cancel()
    await asyncio.wait({ending})
    with pytest.raises(ChannelsClosed):
        await talk.hear_text()
    assert not process.is_running()
    assert len(kernels) == 0


async def test_shutdowns_at_once_are_one(kernels: Kernels) -> None:
    kernel = await kernels.start(SMALL)
    await asyncio.gather(*(kernels.shutdown(kernel.id) for _ in range(3)))
    with pytest.raises(NotFound):
        await kernels.shutdown(kernel.id)


# Closing


async def test_closing_ends_kernels_and_starts_and_lets_none_begin(
    made: Callable[..., Kernels], specs: Specs
) -> None:
    specs.add_script("silent", SLEEPS)
    kernels = made(start_timeout=100.0)
    kernel = await kernels.start(SMALL)
    process = process_of(kernel)
    begun = asyncio.create_task(kernels.start(StartKernel(name="silent")))
    while len(kernels) < 2:
        await turn()
    # This one has not taken its place yet.
    late = asyncio.create_task(kernels.start(SMALL))
    await turn()
    async with asyncio.timeout(10):
        await kernels.close()
    assert not process.is_running()
    assert len(kernels) == 0
    with pytest.raises(KernelStartFailed, match="was shut down"):
        await begun
    with pytest.raises(Conflict, match="stopping"):
        await late
    with pytest.raises(Conflict, match="stopping"):
        await kernels.start(SMALL)


async def test_one_kernel_that_does_not_end_well_does_not_keep_the_others(
    kernels: Kernels, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await kernels.start(SMALL), await kernels.start(SMALL)
    process = process_of(second)
    shutdown = first.shutdown

    async def fail() -> None:
        await shutdown()
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(first, "shutdown", fail)
    await kernels.close()
    assert not process.is_running()
    assert "did not end as it should: broken on purpose" in caplog.text
    kernels._forget(first.id, "It was shut down.")


# Being unused


async def test_it_is_unused_once_there_was_no_kernel_for_long_enough(kernels: Kernels) -> None:
    async with asyncio.timeout(DEADLINE):
        await kernels.unused_for(0.01)
    kernel = await kernels.start(SMALL)
    unused = asyncio.create_task(kernels.unused_for(0.01))
    await asyncio.wait({unused}, timeout=0.1)
    assert not unused.done()
    await kernels.shutdown(kernel.id)
    async with asyncio.timeout(DEADLINE):
        await unused


async def test_a_kernel_in_time_begins_the_wait_anew(kernels: Kernels) -> None:
    unused = asyncio.create_task(kernels.unused_for(0.5))
    await turn()
    kernel = await kernels.start(SMALL)
    await asyncio.wait({unused}, timeout=0.6)
    assert not unused.done()
    await kernels.shutdown(kernel.id)
    async with asyncio.timeout(DEADLINE):
        await unused


def test_an_id_that_is_none_is_not_found(made: Callable[..., Kernels]) -> None:
    with pytest.raises(NotFound, match="'nonsense'"):
        made().get(KernelId("nonsense"))
