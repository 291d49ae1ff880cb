"""A host in another place answers as it would here: what it has, what it does, and what it refuses."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.gateway.served import DATE, DEADLINE, write_kernelspec
from tests.support.processes import environ_in

from kernelway.gateway.remote_host import RemoteHost
from kernelway.host.host import Host, HostOptions
from kernelway.host.kernel import KernelLimits
from kernelway.protocol.channels import Channels, ChannelsClosed, Joining
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import Conflict, KernelwayError, NotFound, Unreachable
from kernelway.protocol.link_framing import FrameKind, LinkId, encode_message_frame, head_of, message_in
from kernelway.protocol.message import Channel, MessageId, SessionId, new_message
from kernelway.protocol.models import (
    KernelId,
    OpenSession,
    Replacement,
    RestSessionId,
    SessionKernel,
    StartKernel,
    UpdateSession,
)
from kernelway.transport.api import hosts
from kernelway.transport.api.client_socket import Beat
from kernelway.transport.api.private import private_application
from kernelway.transport.api.server import serving
from kernelway.transport.listening import listen_on_path

BEAT = Beat(interval=10.0, timeout=20.0)

STRANGE = ["", ".", "..", "a/b", "a%2Fb", "%", "ü", "a b", "?x", "#x", "a\nb", "{id}", "x" * 3000]
"""Ids as a client may send them; nothing of that name is there."""


class NoGateways:
    """A host whose gateway is nobody's business here."""

    async def replace(self) -> Replacement:
        raise Conflict("There is none.")


@dataclass(frozen=True, slots=True)
class Both:
    """The same host, here and from afar."""

    here: Host
    afar: RemoteHost


@pytest.fixture
async def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Both]:
    environ = environ_in(tmp_path)
    pictured = write_kernelspec(tmp_path, "pictured", ["sh", "-c", "echo this is why >&2; exit 3"])
    (pictured / "logo-64x64.png").write_bytes(b"\x89PNG not really")
    monkeypatch.setenv("JUPYTER_DATA_DIR", environ["JUPYTER_DATA_DIR"])
    async with served(environ, tmp_path) as made:
        yield made


@asynccontextmanager
async def served(environ: dict[str, str], home: Path) -> AsyncIterator[Both]:
    with tempfile.TemporaryDirectory(prefix="kw-", dir="/tmp") as folder:
        options = HostOptions(
            folder=Path(tempfile.mkdtemp(dir=folder)),
            home=home,
            environ=environ,
            most_kernels=1,
            limits=KernelLimits(shutdown_wait=2.0),
        )
        path = Path(folder) / "host"
        async with (
            Host(options) as here,
            serving(private_application(here, NoGateways(), BEAT), listen_on_path(path)),
            RemoteHost(path, patience=60.0, beat=BEAT) as afar,
        ):
            yield Both(here, afar)


async def refused(asked: Awaitable[object]) -> tuple[str, int]:
    with pytest.raises(KernelwayError) as caught:
        await asked
    assert caught.value.shown
    return str(caught.value), caught.value.status


async def test_what_it_has_is_the_same(both: Both) -> None:
    assert await both.afar.status() == await both.here.status()
    assert await both.afar.kernelspecs() == await both.here.kernelspecs()
    assert await both.afar.kernelspec("pictured") == await both.here.kernelspec("pictured")
    assert await both.afar.kernelspec_resource("pictured", "logo-64x64.png") == b"\x89PNG not really"
    assert await both.afar.kernels() == []
    assert await both.afar.sessions() == []


async def test_a_kernel_lives_and_ends_at_its_word(both: Both) -> None:
    here, afar = both.here, both.afar
    kernel = await afar.start_kernel(StartKernel(name="python3"))
    assert [each.id for each in await here.kernels()] == [kernel.id]
    await afar.interrupt_kernel(kernel.id)
    restarted = await afar.restart_kernel(kernel.id)
    assert (restarted.id, restarted.name) == (kernel.id, "python3")
    assert (await afar.kernel(kernel.id)).id == kernel.id
    # The limit of one is the host's, and so is the sentence.
    limited = await refused(here.start_kernel(StartKernel(name="python3")))
    assert limited[1] == 403
    assert await refused(afar.start_kernel(StartKernel(name="python3"))) == limited
    await afar.shutdown_kernel(kernel.id)
    assert await here.kernels() == []


async def test_a_session_lives_and_ends_at_its_word(both: Both) -> None:
    here, afar = both.here, both.afar
    opened = await afar.open_session(OpenSession(path="a b/ü.py", kernel=SessionKernel(name="python3")))
    assert [each.id for each in await here.sessions()] == [opened.id]
    assert (await afar.session(opened.id)).path == "a b/ü.py"
    renamed = await afar.update_session(opened.id, UpdateSession(path="c.py"))
    assert (renamed.id, renamed.path, renamed.kernel.id) == (opened.id, "c.py", opened.kernel.id)
    await afar.close_session(opened.id)
    assert (await here.sessions(), await here.kernels()) == ([], [])


async def test_a_kernel_that_cannot_start_is_told_as_the_host_tells_it(both: Both) -> None:
    # Whatever a path of this machine in it is, it is the same.
    assert await refused(both.afar.start_kernel(StartKernel(name="pictured"))) == await refused(
        both.here.start_kernel(StartKernel(name="pictured"))
    )
    missing = StartKernel(name="python3", path="/nonexistent")
    assert await refused(both.afar.start_kernel(missing)) == await refused(both.here.start_kernel(missing))


async def test_a_kernel_is_talked_to_in_the_frames_of_a_link(both: Both) -> None:
    kernel = await both.afar.start_kernel(StartKernel(name="python3"))
    joining = Joining(session=SessionId("s"), link=LinkId("l"))
    channels = await both.afar.connect(kernel.id, joining)
    content = {"code": "6 * 7", "silent": False, "allow_stdin": False}
    request = new_message(
        Channel.SHELL, "execute_request", content, msg_id=MessageId("m"), session=joining.session, date=DATE
    )
    await channels.send(encode_message_frame(FrameKind.REQUEST, 1, request))
    seen: list[tuple[FrameKind, str]] = []
    async with asyncio.timeout(DEADLINE):
        while (FrameKind.MESSAGE, "execute_reply") not in seen:
            for frame in await channels.receive():
                kind, _ = head_of(frame)
                holds = kind is FrameKind.MESSAGE
                seen.append((kind, message_in(frame).read_header().msg_type if holds else ""))
        assert seen[0] == (FrameKind.WELCOME, "")
        assert {(FrameKind.TAKEN, ""), (FrameKind.MESSAGE, "execute_result")} < set(seen)
        # What the host says at the end comes through.
        await both.here.shutdown_kernel(kernel.id)
        assert (await _end_of(channels)).code == CloseCode.KERNEL_GONE


async def _end_of(channels: Channels) -> ChannelsClosed:
    while True:
        try:
            await channels.receive()
        except ChannelsClosed as closed:
            return closed


async def test_a_kernel_that_is_not_there_cannot_be_joined(both: Both) -> None:
    joining = Joining(session=SessionId("s"), link=LinkId("l"))
    for name in ("missing", "a/b", "..", "ü"):
        told = await refused(both.here.connect(KernelId(name), joining))
        assert told[1] == 404
        if name != "..":
            assert await refused(both.afar.connect(KernelId(name), joining)) == told


ASKED: list[Callable[[hosts.Host, str], Awaitable[object]]] = [
    lambda host, name: host.kernel(KernelId(name)),
    lambda host, name: host.session(RestSessionId(name)),
    lambda host, name: host.kernelspec(name),
    lambda host, name: host.kernelspec_resource(name, name),
    lambda host, name: host.shutdown_kernel(KernelId(name)),
    lambda host, name: host.close_session(RestSessionId(name)),
]


@pytest.mark.parametrize("ask", ASKED, ids=["kernel", "session", "spec", "resource", "shutdown", "close"])
async def test_what_is_not_there_is_told_as_the_host_tells_it(
    both: Both, ask: Callable[[hosts.Host, str], Awaitable[object]]
) -> None:
    for name in ("missing", "a/b", "a b", "ü", "%", "a%2Fb", "?x"):
        told = await refused(ask(both.here, name))
        assert told[1] == 404
        assert await refused(ask(both.afar, name)) == told
    for name in STRANGE:
        with pytest.raises(NotFound):
            await ask(both.afar, name)
    # Nothing was asked for but the one thing.
    assert await both.afar.kernels() == []


async def test_a_host_that_is_not_there_is_told() -> None:
    async with RemoteHost(Path("/nonexistent/host"), patience=5.0, beat=BEAT) as afar:
        with pytest.raises(Unreachable, match="The host of this gateway cannot be reached"):
            await afar.kernels()


async def test_many_ask_at_once(both: Both) -> None:
    answers = await asyncio.gather(*(both.afar.kernelspec("pictured") for _ in range(200)))
    assert {answer.name for answer in answers} == {"pictured"}
