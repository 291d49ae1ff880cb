"""A whole host: what it answers, what it leaves, and that it stays responsive."""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.host.runs import DEADLINE, process_of
from tests.host.specs import Specs
from tests.host.talk import LIMITS, hosting, joining, talk_to, turn, until_gone

from kernelway.host import host as host_module
from kernelway.host.culler import CullRules
from kernelway.host.host import Host, HostOptions
from kernelway.protocol.channels import ChannelsClosed, Joining
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import InvalidRequest, NotFound
from kernelway.protocol.link_framing import LinkId
from kernelway.protocol.message import SessionId
from kernelway.protocol.models import (
    ExecutionState,
    KernelId,
    OpenSession,
    SessionKernel,
    StartKernel,
    UpdateSession,
)

SMALL = StartKernel(name="small")


def options(**changes: Any) -> HostOptions:
    folder = Path(tempfile.mkdtemp(prefix="h-", dir=os.environ["XDG_RUNTIME_DIR"]))
    return HostOptions(folder=folder, home=Path("/tmp"), environ=dict(os.environ), limits=LIMITS, **changes)


async def test_kernels_from_their_start_to_their_end(specs: Specs) -> None:
    async with hosting() as host:
        assert await host.kernels() == []
        model = await host.start_kernel(SMALL)
        assert model.execution_state is ExecutionState.IDLE
        assert await host.kernels() == [model]
        assert await host.kernel(model.id) == model
        talk = await talk_to(host, model.id)
        assert (await host.kernel(model.id)).connections == 1
        await talk.run("x = 1")
        await host.interrupt_kernel(model.id)
        assert (await host.restart_kernel(model.id)).id == model.id
        assert (await talk.run("x")).error == "NameError"
        await host.shutdown_kernel(model.id)
        assert await host.kernels() == []


@pytest.mark.parametrize(
    "name", ["kernel", "interrupt_kernel", "restart_kernel", "shutdown_kernel", "session", "close_session"]
)
async def test_what_is_not_there_is_not_found(name: str) -> None:
    async with hosting() as host:
        with pytest.raises(NotFound):
            await getattr(host, name)("gone")
        with pytest.raises(NotFound):
            await host.connect(KernelId("gone"), joining("me"))


async def test_two_languages_side_by_side(specs: Specs) -> None:
    specs.add_bash()
    async with hosting() as host:
        python, bash = await asyncio.gather(
            *(host.start_kernel(StartKernel(name=name, env={"MINE": name})) for name in ("python3", "bash"))
        )
        talks = [await talk_to(host, model.id) for model in (python, bash)]
        codes = ("import os; print(os.environ['MINE'])", "echo $MINE")
        ran = await asyncio.gather(*(talk.run(code) for talk, code in zip(talks, codes, strict=True)))
        assert [each.text.strip() for each in ran] == ["python3", "bash"]


async def test_sessions_have_kernels_of_the_host(specs: Specs) -> None:
    async with hosting() as host:
        session = await host.open_session(OpenSession(path="a", kernel=SessionKernel(name="small")))
        assert await host.sessions() == [session]
        assert [kernel.id for kernel in await host.kernels()] == [session.kernel.id]
        renamed = await host.update_session(session.id, UpdateSession(name="b"))
        assert (await host.session(session.id)).name == renamed.name == "b"
        await host.close_session(session.id)
        assert await host.kernels() == []


async def test_kernelspecs_and_their_resources(specs: Specs) -> None:
    (specs.folder / "small" / "logo-64x64.png").write_bytes(b"picture")
    async with hosting(default_kernel="small") as host:
        found = await host.kernelspecs()
        assert found.default == "small"
        assert found.kernelspecs["small"] == await host.kernelspec("small")
        assert await host.kernelspec_resource("small", "logo-64x64.png") == b"picture"
        with pytest.raises(NotFound):
            await host.kernelspec_resource("small", "kernel.json")


async def test_the_status_counts(specs: Specs) -> None:
    async with hosting() as host:
        status = await host.status()
        assert (status.kernels, status.connections) == (0, 0)
        assert status.last_activity == status.started
        model = await host.start_kernel(SMALL)
        await talk_to(host, model.id)
        await talk_to(host, model.id)
        status = await host.status()
        assert (status.kernels, status.connections) == (1, 2)
        assert status.last_activity > status.started


@pytest.mark.parametrize("session", ["", "x" * 256, "é" * 128, "\0x"])
async def test_a_session_id_that_cannot_be_a_name_is_refused(specs: Specs, session: str) -> None:
    async with hosting() as host:
        model = await host.start_kernel(SMALL)
        with pytest.raises(InvalidRequest, match="1 to 255 bytes"):
            await host.connect(model.id, Joining(session=SessionId(session), link=LinkId("l")))
        assert (await host.kernel(model.id)).connections == 0


@pytest.mark.parametrize("link", ["", "x" * 256, "é" * 128])
async def test_a_link_that_is_too_long_to_remember_is_refused(specs: Specs, link: str) -> None:
    async with hosting() as host:
        model = await host.start_kernel(SMALL)
        with pytest.raises(InvalidRequest, match="id of a link"):
            await host.connect(model.id, Joining(session=SessionId("me"), link=LinkId(link)))
        assert (await host.kernel(model.id)).connections == 0


@pytest.mark.parametrize("session", ["x", "x" * 255, "é" * 127, "a\0b"])
async def test_any_other_session_id_is_taken(specs: Specs, session: str) -> None:
    async with hosting() as host:
        model = await host.start_kernel(SMALL)
        talk = await talk_to(host, model.id, session)
        assert (await talk.run("show(1)")).text == "1"


async def test_idle_kernels_are_ended_where_that_is_asked_for(specs: Specs) -> None:
    async with hosting(cull=CullRules(idle_timeout=0.1, interval=0.05)) as host:
        await host.start_kernel(SMALL)
        async with asyncio.timeout(DEADLINE):
            await host.unused_for(0.0)


@pytest.mark.parametrize(("soft", "after"), [(500, 1000), (1500, 1500)])
def test_a_process_may_have_descriptors_for_its_kernels(soft: int, after: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    host_module._permit_descriptors(1000)
    found = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert found == (after, before[1])


def test_options_do_not_tell_variables_when_they_are_printed() -> None:
    made = HostOptions(folder=Path("/f"), home=Path("/h"), environ={"PASSWORD": "secret"})
    assert "secret" not in repr(made)


# Leaving


async def test_leaving_ends_everything_and_tells_clients(specs: Specs) -> None:
    specs.add_script("silent", "import time\ntime.sleep(600)")
    async with hosting() as host:
        models = await asyncio.gather(
            host.start_kernel(SMALL), host.start_kernel(StartKernel(name="python3"))
        )
        talks = [await talk_to(host, model.id) for model in models]
        child = psutil.Process(int((await talks[0].run(CHILD)).text))
        processes = [process_of(kernel) for kernel in host._kernels]
        starting = asyncio.create_task(host.start_kernel(StartKernel(name="silent")))
        async with asyncio.timeout(DEADLINE):
            while len(host._kernels) < 3:
                await turn()
        loop = asyncio.get_running_loop()
        began = loop.time()
    assert loop.time() - began < 10
    assert not any(process.is_running() for process in processes)
    await until_gone(child)
    for talk in talks:
        assert (await talk.channels.wait_closed()).code == CloseCode.KERNEL_GONE
        with pytest.raises(ChannelsClosed):
            await talk.hear_text()
    assert "was shut down" in str((await asyncio.gather(starting, return_exceptions=True))[0])


CHILD = "import subprocess\nshow(subprocess.Popen(['setsid', 'sleep', '600']).pid)"


@pytest.mark.parametrize("times", [1, 3])
async def test_leaving_goes_on_to_its_end_when_it_is_cancelled(specs: Specs, times: int) -> None:
    host = Host(options())
    await host.__aenter__()
    await host.start_kernel(SMALL)
    [kernel] = host._kernels
    process = process_of(kernel)
    leaving = asyncio.create_task(host.__aexit__())
    for _ in range(times):
        await turn()
        leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not process.is_running()
    assert not host._options.folder.exists()
    assert host._context.closed


async def test_one_kernel_that_does_not_end_well_does_not_keep_the_rest(
    specs: Specs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting() as host:
        await host.start_kernel(SMALL)
        await host.start_kernel(SMALL)
        bad, good = host._kernels
        process = process_of(good)
        shutdown = bad.shutdown

        async def fail() -> None:
            await shutdown()
            raise RuntimeError("broken on purpose")

        monkeypatch.setattr(bad, "shutdown", fail)
    assert not process.is_running()
    assert "broken on purpose" in caplog.text


async def test_a_socket_that_was_left_open_does_not_hold_the_host(
    specs: Specs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host_module, "_TERMINATE_WITHIN", 0.1)
    async with hosting() as host:
        left = host._context.socket(1)
    assert "was left open" in caplog.text
    left.close()
    async with asyncio.timeout(DEADLINE):
        while not host._context.closed:
            await turn()


async def test_a_host_that_cannot_begin_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    host = Host(options())
    with pytest.raises(FileNotFoundError):
        await host.__aenter__()
    assert not host._options.folder.exists()
    assert host._context.closed


async def test_hosts_side_by_side_do_not_touch_each_other(specs: Specs) -> None:
    async with hosting() as host:
        model = await host.start_kernel(SMALL)
        async with hosting() as other:
            await other.start_kernel(SMALL)
        assert (await (await talk_to(host, model.id)).run("show(1)")).text == "1"


# Floods


FLOOD = """
import time
end = time.monotonic() + 2
count = 0
while time.monotonic() < end:
    show("x" * 200)
    count += 1
show(f"count {count}")
"""


async def test_a_flood_leaves_the_loop_responsive_and_memory_bounded(specs: Specs) -> None:
    async with hosting() as host:
        flooding, quiet = await host.start_kernel(SMALL), await host.start_kernel(SMALL)
        talk, other = await talk_to(host, flooding.id), await talk_to(host, quiet.id)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        request = await talk.execute(FLOOD)
        received = 0
        loop = asyncio.get_running_loop()
        delays: list[float] = []

        async def ask_the_other() -> None:
            while True:
                began = loop.time()
                await other.run("pass")
                delays.append(loop.time() - began)
                other.heard.clear()

        asking = asyncio.create_task(ask_the_other())
        async with asyncio.timeout(DEADLINE):
            last = b""
            while b"count" not in last:
                message = await talk.hear(lambda each: each.read_header().msg_type == "stream")
                talk.heard.clear()
                received, last = received + 1, bytes(message.content)
                assert message.read_parent_header().msg_id == request
        asking.cancel()
        await asyncio.wait({asking})
        assert f"count {received - 1}".encode() in last
        assert received > 1000
        # Both kernels and this process share what processors there are.
        assert sorted(delays)[len(delays) // 2] < 0.2
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
