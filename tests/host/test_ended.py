"""Kernels that have ended, and what can still be read of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.host.runs import DEADLINE, process_of
from tests.host.specs import Specs
from tests.host.talk import hosting, talk_to, turn

from kernelway.host.host import Host
from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, NotFound, PositionGone
from kernelway.protocol.message import MessageId
from kernelway.protocol.models import (
    ExecutionState,
    KernelId,
    OpenSession,
    SessionKernel,
    StartKernel,
    UpdateSession,
)

SMALL = StartKernel(name="small")


async def ended(host: Host) -> tuple[KernelId, MessageId]:
    """A kernel that has printed something and was shut down, and the request that made it print."""
    model = await host.start_kernel(SMALL)
    talk = await talk_to(host, model.id, "me")
    asked = await talk.execute("show('something')")
    await talk.result(asked)
    await host.shutdown_kernel(model.id)
    return model.id, asked


async def test_an_ended_kernel_can_be_read_to_its_end(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        kernel_id, asked = await ended(host)
        talk = await talk_to(host, kernel_id, "me", replay_all=True, requests=True)
        assert (await talk.result(asked)).text == "something"
        closed = await talk.hear_all()
        assert closed.code == CloseCode.KERNEL_GONE
        assert "ended at 20" in closed.reason
        assert "It was shut down." in closed.reason
        assert talk.welcome is not None
        assert talk.welcome.ended
        assert [request.read_header().msg_id for request in talk.requests] == [asked]
        assert talk.heard[-1].read_content()["execution_state"] == "dead"
        assert (await talk.channels.wait_closed()).code == CloseCode.KERNEL_GONE
        # Another session sees no replies here either.
        stranger = await talk_to(host, kernel_id, "stranger", replay_all=True)
        await stranger.hear_all()
        assert {message.channel.value for message in stranger.heard} == {"iopub"}


async def test_an_ended_kernel_is_listed_and_not_found(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        kernel_id, _ = await ended(host)
        later, _ = await ended(host)
        listed = await host.ended_kernels()
        assert [each.id for each in listed] == [later, kernel_id]
        assert (listed[1].name, listed[1].reason) == ("small", "It was shut down.")
        assert listed[1].started < listed[1].ended
        assert await host.kernels() == []
        expected = f"kernel ended at {listed[1].ended}. It was shut down."
        for method in (host.kernel, host.interrupt_kernel, host.restart_kernel, host.shutdown_kernel):
            with pytest.raises(NotFound) as missing:
                await method(kernel_id)
            assert expected in str(missing.value)


async def test_a_client_of_an_ended_kernel_goes_on_where_it_wants(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        kernel_id, _ = await ended(host)
        all_of_it = await talk_to(host, kernel_id, "me", replay_all=True)
        await all_of_it.hear_all()
        after = all_of_it.heard[3].read_header().msg_id
        rest = await talk_to(host, kernel_id, "me", after=after)
        await rest.hear_all()
        assert rest.positions == all_of_it.positions[4:]
        with pytest.raises(PositionGone) as gone:
            await talk_to(host, kernel_id, "me", after="never heard of")
        assert gone.value.oldest == 1
        # A host that was killed may have lost the end of what a client has read: that one is at the end.
        for how in ({}, {"position": 10_000}):
            nothing = await talk_to(host, kernel_id, "me", **how)
            await nothing.hear_all()
            assert nothing.positions == []


async def test_a_request_to_an_ended_kernel_closes(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        kernel_id, _ = await ended(host)
        talk = await talk_to(host, kernel_id, "me", replay_all=True)
        await talk.tell_received(1)
        with pytest.raises(FrameError):
            await talk.channels.send(bytes([2]) + bytes(8))
        with pytest.raises(ChannelsClosed) as closed:
            await talk.execute("show(1)")
        assert closed.value.code == CloseCode.KERNEL_GONE
        assert (await talk.channels.wait_closed()).code == CloseCode.KERNEL_GONE
        with pytest.raises(ChannelsClosed):
            await talk.tell_received(1)


async def test_a_client_of_an_ended_kernel_may_leave(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        kernel_id, _ = await ended(host)
        talk = await talk_to(host, kernel_id, "me")
        talk.channels.close(1000, "bye")
        talk.channels.close(1001, "again")
        assert (await talk.channels.wait_closed()).reason == "bye"


async def test_a_kernel_that_died_says_of_what(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        model = await host.start_kernel(SMALL)
        [kernel] = host._kernels
        (specs.folder / "small" / "kernel.json").unlink()
        process_of(kernel).kill()
        async with asyncio.timeout(DEADLINE):
            while kernel.state is not ExecutionState.DEAD:
                await turn()
        await host.shutdown_kernel(model.id)
        [listed] = await host.ended_kernels()
        assert "no kernelspec 'small'" in listed.reason


async def test_kernels_of_a_host_that_was_stopped_are_there_in_the_next(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        model = await host.start_kernel(SMALL)
        await (await talk_to(host, model.id, "me")).run("show('something')")
    async with hosting(journals=tmp_path / "j") as host:
        [listed] = await host.ended_kernels()
        assert (listed.id, listed.reason) == (model.id, "The host was stopped.")
        talk = await talk_to(host, model.id, "me", replay_all=True)
        assert await talk.hear_text() == "something"
        await talk.hear_all()


async def test_sessions_are_noted_with_the_kernels_that_they_had(specs: Specs, tmp_path: Path) -> None:
    small = SessionKernel(name="small")
    async with hosting(journals=tmp_path / "j") as host:
        session = await host.open_session(OpenSession(path="a", name="A", kernel=small))
        shared = SessionKernel(id=session.kernel.id)
        await host.open_session(OpenSession(path="b", type="console", kernel=shared))
        # One goes on with another kernel: the first is the other's alone then.
        moved = await host.update_session(session.id, UpdateSession(path="c", kernel=small))
        await host.shutdown_kernel(session.kernel.id)
        await host.close_session(session.id)
        noted = {
            each.id: [(one.path, one.name, one.type) for one in each.sessions]
            for each in await host.ended_kernels()
        }
        assert noted == {session.kernel.id: [("b", "", "console")], moved.kernel.id: [("c", "A", "notebook")]}


async def test_a_session_that_leaves_a_kernel_to_its_end_is_noted_with_it(
    specs: Specs, tmp_path: Path
) -> None:
    small = SessionKernel(name="small")
    async with hosting(journals=tmp_path / "j") as host:
        session = await host.open_session(OpenSession(path="a", kernel=small))
        await host.update_session(session.id, UpdateSession(kernel=small))
        [listed] = await host.ended_kernels()
        assert [each.id for each in listed.sessions] == [session.id]


async def test_without_a_folder_an_ended_kernel_is_gone(specs: Specs) -> None:
    async with hosting() as host:
        kernel_id, _ = await ended(host)
        assert await host.ended_kernels() == []
        with pytest.raises(NotFound, match="There is no kernel"):
            await host.kernel(kernel_id)
        with pytest.raises(NotFound, match="There is no kernel"):
            await talk_to(host, kernel_id)


async def test_a_client_that_names_a_message_goes_on_after_it(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        model = await host.start_kernel(SMALL)
        talk = await talk_to(host, model.id, "me")
        asked = await talk.execute("show('first')")
        await talk.result(asked)
        reply = next(each for each in talk.heard if each.read_header().msg_type == "stream")
        await talk.run("show('second')")
        again = await talk_to(host, model.id, "me", after=reply.read_header().msg_id)
        assert await again.hear_text() == "second"
        # A request may be named too.
        again = await talk_to(host, model.id, "me", after=asked)
        assert [await again.hear_text(), await again.hear_text()] == ["first", "second"]
        with pytest.raises(PositionGone, match="'unheard' is not kept"):
            await talk_to(host, model.id, "me", after=MessageId("unheard"))


async def test_a_slow_reader_reads_from_disk_without_a_hole(specs: Specs, tmp_path: Path) -> None:
    async with hosting(journals=tmp_path / "j") as host:
        model = await host.start_kernel(SMALL)
        slow, quick = await talk_to(host, model.id), await talk_to(host, model.id)
        await quick.run("for n in range(150): show(str(n) + ' ' * 100_000)")
        texts = [int(await slow.hear_text()) for _ in range(150)]
        assert texts == list(range(150))
        assert slow.holes == []
