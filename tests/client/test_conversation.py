"""What ends a request before its answer, told by a server that follows a script."""

from __future__ import annotations

import asyncio

import pytest
from tests.client.scripted import KERNEL_ID, Wire, collect, scripted_kernel

from kernelway.client import execution as execution_module
from kernelway.client.conversation import _PROBE
from kernelway.protocol.errors import KernelDied, KernelRestarted, TimedOut
from kernelway.protocol.execution import Output, Stream
from kernelway.protocol.message import Channel


@pytest.mark.parametrize(
    ("state", "said", "known", "kind", "told"),
    [
        ("dead", {}, {"reason": "It was killed (SIGKILL)."}, KernelDied, "died: It was killed (SIGKILL)."),
        ("dead", {"reason": "Out of memory"}, {}, KernelDied, "died: Out of memory."),
        ("dead", {}, {}, KernelDied, "died; the server gives no reason."),
        (
            "restarting",
            {},
            {"reason": "It exited with 7."},
            KernelRestarted,
            "restarted while somebody waited",
        ),
        ("restarting", {}, {"reason": "It exited with 7."}, KernelRestarted, ": It exited with 7."),
        ("restarting", {"reason": "It exited"}, {}, KernelRestarted, ": It exited."),
        ("restarting", {}, {}, KernelRestarted, "; the server gives no reason."),
    ],
)
async def test_a_kernels_end_ends_what_waits_with_the_reason(state, said, known, kind, told) -> None:
    async def script(wire: Wire) -> None:
        first = await wire.request()
        await wire.stream("before", first)
        await wire.request()
        await wire.status(state, **said)
        await wire.until_closed()

    async with scripted_kernel(script, model=known) as kernel:
        execution, completion = kernel.execute("1", timeout=20), asyncio.create_task(kernel.complete("a"))
        outputs: list[Output] = []
        with pytest.raises(kind) as caught:
            await collect(execution, outputs)
        assert outputs == [Stream("stdout", "before")]
        assert told in str(caught.value)
        assert KERNEL_ID in str(caught.value)
        with pytest.raises(kind):
            await completion
        with pytest.raises(kind):
            await execution.reply


async def test_a_dead_kernel_takes_no_requests_until_it_runs_again() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.status("dead")
        await wire.until_closed()

    async with scripted_kernel(script, model={"reason": "gone"}) as kernel:
        with pytest.raises(KernelDied):
            await kernel.execute("1").reply
        with pytest.raises(KernelDied, match="restart it, or start another"):
            kernel.execute("2")


async def test_starting_after_running_is_a_restart_by_somebody_else() -> None:
    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.status("busy", request)
        await wire.status("starting")
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        with pytest.raises(KernelRestarted, match="by somebody else"):
            await kernel.execute("1", timeout=20).reply


async def test_starting_is_no_restart_of_a_kernel_that_was_not_seen_to_run() -> None:
    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.status("starting")
        await wire.status("busy", request)
        await wire.reply(request)
        await wire.status("idle", request)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        assert (await kernel.execute("1", timeout=20).reply).status == "ok"


@pytest.mark.parametrize(("restart", "kind"), [(True, KernelRestarted), (False, KernelDied)])
async def test_a_shutdown_that_somebody_else_asked_for(restart, kind) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.say(Channel.IOPUB, "shutdown_reply", {"status": "ok", "restart": restart})
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        with pytest.raises(kind, match="was asked to"):
            await kernel.execute("1", timeout=20).reply


async def test_messages_of_other_clients_are_nobodys() -> None:
    async def script(wire: Wire) -> None:
        mine = await wire.request()
        other = type(mine)(mine.channel, mine.header.replace(b'"msg_id":"', b'"msg_id":"other-'))
        await wire.stream("theirs", other)
        await wire.reply(other)
        await wire.status("idle", other)
        await wire.stream("mine", mine)
        await wire.reply(mine)
        await wire.status("idle", mine)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        outputs = [output async for output in kernel.execute("1", timeout=20)]
    assert outputs == [Stream("stdout", "mine")]


async def test_an_idle_status_that_a_server_lost_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert execution_module._IDLE_OVERDUE < _PROBE
    monkeypatch.setattr(execution_module, "_IDLE_OVERDUE", 0.2)

    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.stream("all of it", request)
        await wire.reply(request)
        probe = await wire.request()
        assert probe.read_header().msg_type == "kernel_info_request"
        await wire.reply(probe)
        await wire.status("idle", probe)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        execution = kernel.execute("1", timeout=60)
        assert (await execution.reply).status == "ok"
        assert not execution.finished
        assert [output async for output in execution] == [Stream("stdout", "all of it")]


async def test_outputs_that_come_after_the_reply_are_not_lost() -> None:
    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.reply(request)
        await wire.stream("late", request)
        await wire.status("idle", request)
        await wire.until_closed()

    async with scripted_kernel(script) as kernel:
        assert [output async for output in kernel.execute("1")] == [Stream("stdout", "late")]


async def test_a_request_that_is_not_answered_in_time_is_forgotten() -> None:
    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.until_closed()
        assert request.read_header().msg_type == "complete_request"

    async with scripted_kernel(script) as kernel:
        with pytest.raises(TimedOut, match=r"complete_request within 0\.05 seconds"):
            await kernel.complete("a", timeout=0.05)
        assert not kernel._conversation._waiting
