"""Places over real gateways: own ones, and a kernel_gateway."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from tests.client.gateways import Place as Server
from tests.client.gateways import kernelway_in, place_of
from tests.jupyter.saving import environ_of_tests, places_of, save
from tests.support.processes import Process, environ_in
from tests.support.relay import Relay
from tests.support.stock import kernel_gateway_in
from yarl import URL

from kernelway.client import Gateway, GatewayOptions
from kernelway.client.local import local_place
from kernelway.jupyter.naming_gateways import NamedGateway
from kernelway.jupyter.place import Patience, Place, PlaceChange
from kernelway.jupyter.places import MOST_RETIRED, Places
from kernelway.protocol.errors import ConfigError, LinkLost, NotFound, Unreachable
from kernelway.protocol.models import (
    ExecutionState,
    KernelId,
    KernelModel,
    OpenSession,
    RestSessionId,
    SessionKernel,
    SessionModel,
    StartKernel,
)

DEADLINE = 30.0
NOBODY = {"baseUrl": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with kernelway_in(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A kernel_gateway as it comes: it refuses to list kernels and sessions."""
    with kernel_gateway_in(tmp_path_factory.mktemp("refusing")) as server:
        yield place_of("kernel_gateway", server)


def saved(server: Server, **more: object) -> dict[str, object]:
    return {"baseUrl": server.base_url, "token": server.token, **more}


def through(relay: Relay, server: Server) -> dict[str, object]:
    url = URL(server.base_url).with_host("127.0.0.1").with_port(relay.port)
    return {"baseUrl": str(url), "token": server.token}


def port_of(server: Server) -> int:
    port = URL(server.base_url).port
    assert port is not None
    return port


@asynccontextmanager
async def gateway_of(server: Server) -> AsyncIterator[Gateway]:
    async with Gateway(server.base_url, token=server.token) as gateway:
        yield gateway


@asynccontextmanager
async def kernel_on(server: Server) -> AsyncIterator[KernelModel]:
    """A kernel that somebody else started."""
    async with gateway_of(server) as gateway:
        model = await gateway.rest.start_kernel(StartKernel(name="python3"))
        yield model
        try:
            await gateway.rest.shutdown_kernel(model.id)
        except NotFound:
            return


@contextmanager
def serving(socket: Path, state: Path) -> Iterator[Process]:
    """A gateway on a Unix socket, which another may serve on after it."""
    command = [
        *(sys.executable, "-m", "kernelway", "serve", "--socket", str(socket), "--no-auth"),
        *("--state-dir", str(state), "--kernel-shutdown-wait", "2"),
    ]
    environ = environ_in(state.parent)
    with Process(command, ready=" serves ", environ=environ, folder=state.parent) as process:
        yield process


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's."""
    folder = Path(tempfile.mkdtemp(prefix="kwp-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


async def refreshed(places: Places) -> tuple[Place, ...]:
    """All places, once each has answered or is known to be unreachable."""
    await places.refresh(within=DEADLINE)
    return places.all()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what goes on in the background."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


def made_up(kernel_id: str) -> KernelModel:
    return KernelModel(
        id=KernelId(kernel_id),
        name="python3",
        last_activity="",
        execution_state=ExecutionState.IDLE,
        connections=0,
    )


# What is there


async def test_what_others_started_is_in_the_lists(own: Server, tmp_path: Path) -> None:
    async with gateway_of(own) as gateway, places_of(tmp_path, {"GPU box": saved(own)}) as places:
        opened = await gateway.rest.open_session(
            OpenSession(path="ada@laptop/x.py", type="file", name="x", kernel=SessionKernel(name="python3"))
        )
        (place,) = await refreshed(places)
        assert (place.name, place.label) == ("GPU box", "gpu-box")
        assert (place.answered, place.unreachable, place.keeps_sessions) == (True, None, True)
        assert "python3" in place.kernelspecs
        assert place.default_kernelspec == "python3"
        assert set(place.kernels) == {opened.kernel.id}
        assert places.place_of(opened.kernel.id) is place
        found = places.session(opened.id)
        assert found is not None
        assert found[0] is place
        assert found[1].path == "ada@laptop/x.py"
        assert places.kernelspec("python3.gpu-box") == (place, "python3")
        assert (await place.gateway.rest.kernel(opened.kernel.id)).id == opened.kernel.id
        await gateway.rest.close_session(opened.id)


async def test_what_is_nowhere_is_nobody_s(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"one": saved(own), "other": NOBODY}) as places:
        _, other = await refreshed(places)
        assert places.place_of("3c5b3a0e-unknown") is None
        assert places.session("unknown") is None
        assert places.kernelspec("python3") is None
        assert places.kernelspec("python3.third") is None
        assert places.kernelspec("r.other") == (other, "r")


async def test_a_gateway_that_settings_name_joins_the_list(own: Server, tmp_path: Path) -> None:
    named = NamedGateway("host", GatewayOptions(base_url=own.base_url, token=own.token), {"KERNEL_X": "1"})
    async with places_of(tmp_path, {"off": NOBODY}, named=[named]) as places:
        off, place = await refreshed(places)
        assert (place.name, place.answered, dict(place.env)) == ("host", True, {"KERNEL_X": "1"})
        assert off.env == {}


async def test_one_gateway_under_two_names_is_the_first_one_s(own: Server, tmp_path: Path) -> None:
    entries = {"one": saved(own), "other": saved(own)}
    async with places_of(tmp_path, entries) as places, kernel_on(own) as kernel:
        one, other = await refreshed(places)
        assert kernel.id in other.kernels
        assert places.place_of(kernel.id) is one


# The first refresh begins it, and the end ends everything


async def test_it_begins_by_itself_and_ends_twice(own: Server, tmp_path: Path) -> None:
    places = Places(environ_of_tests(), file=save(tmp_path, {"gpu": saved(own)}))
    assert places.all() == ()
    (place,) = await refreshed(places)
    assert place.answered
    feed = places.changes()
    await places.aclose()
    await places.aclose()
    assert [change async for change in feed] == []
    await places.refresh()
    assert places.all() == ()


async def test_it_can_end_while_everything_is_under_way(own: Server, tmp_path: Path) -> None:
    async with Relay(port_of(own)) as relay:
        entries = {"off": NOBODY, "silent": through(relay, own), "own": saved(own)}
        with relay.holding():
            async with places_of(tmp_path, entries) as places:
                await places.refresh(within=0.01)


# Nobody waits for a gateway that is away


async def test_a_gateway_that_never_answers_keeps_nobody_waiting(own: Server, tmp_path: Path) -> None:
    async with Relay(port_of(own)) as relay:
        entries = {"silent": through(relay, own), "gpu": saved(own)}
        async with places_of(tmp_path, entries, patience=Patience(answers_within=0.5)) as places:
            with relay.holding():
                silent, gpu = places.all()
                await places.refresh(within=0.1)
                await until(lambda: gpu.answered and silent.unreachable is not None)
                assert not silent.answered
                assert silent.unreachable == "It does not answer within 0.5 seconds"
                # It is not waited for any more, and would not answer for as long as this lasts.
                await places.refresh(within=10 * DEADLINE)
            await until(lambda: silent.answered)
            assert silent.unreachable is None


async def test_a_silent_gateway_keeps_its_last_known_lists(own: Server, tmp_path: Path) -> None:
    async with (
        kernel_on(own) as kernel,
        Relay(port_of(own)) as relay,
        places_of(tmp_path, {"gpu": through(relay, own)}, patience=Patience(answers_within=0.5)) as places,
    ):
        (place,) = await refreshed(places)
        await until(lambda: place.answered)
        with relay.holding():
            place.trouble(LinkLost("It broke."))
            await until(lambda: place.unreachable is not None)
            assert places.place_of(kernel.id) is place
            assert "python3" in place.kernelspecs
            assert await places.find(kernel.id) is place


async def test_a_gateway_that_is_off_says_so_and_the_others_are_there(own: Server, tmp_path: Path) -> None:
    entries = {
        "off": NOBODY,
        "secretive": saved(own, token=None, tokenEnv="NOT_SET"),
        "wrong": saved(own, token="wrong"),
        "gpu": saved(own),
    }
    async with places_of(tmp_path, entries) as places:
        off, secretive, wrong, gpu = await refreshed(places)
        assert off.unreachable == "Nobody listens at http://127.0.0.1:9"
        assert "environment variable NOT_SET, which is not set" in (secretive.unreachable or "")
        assert wrong.unreachable == f"{own.base_url} refuses the token"
        assert gpu.unreachable is None
        assert gpu.answered
        with pytest.raises(ConfigError, match="NOT_SET"):
            _ = secretive.gateway
        assert not any(place.answered for place in (off, secretive, wrong))


async def test_a_gateway_that_is_killed_comes_back_by_itself(short: Path, tmp_path: Path) -> None:
    socket = short / "s"
    async with places_of(tmp_path, {"gpu": {"baseUrl": f"unix:{socket}"}}) as places:
        feed = places.changes()
        changes = aiter(feed)
        async with asyncio.timeout(2 * DEADLINE):
            with serving(socket, short / "state"):
                (place,) = await refreshed(places)
                assert place.is_here
                places.note_kernel(place, made_up("k"))
            place.trouble(LinkLost("It broke."))
            lost = await anext(changes)
            assert lost == PlaceChange("gpu", place.unreachable)
            assert lost.reason
            await places.refresh()
            assert places.place_of("k") is place
            with serving(socket, short / "state"):
                assert await anext(changes) == PlaceChange("gpu", None)
                assert places.place_of("k") is None
                assert place.unreachable is None
        feed.close()


async def test_trouble_that_is_none_changes_nothing(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"gpu": saved(own)}, patience=Patience(fresh_for=DEADLINE)) as places:
        (place,) = await refreshed(places)
        place.trouble(NotFound("There is no such kernel."))
        assert place.ask() is None
        place.trouble(Unreachable("Nobody listens."))
        await refreshed(places)
        assert place.unreachable is None


# Asking once


async def test_two_refreshes_at_once_ask_once(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"gpu": saved(own)}, patience=Patience(fresh_for=DEADLINE)) as places:
        (place,) = places.all()
        asking = place.ask()
        await asyncio.gather(*(places.refresh(within=DEADLINE) for _ in range(10)))
        assert asking is not None
        assert asking.done()
        # What was answered just now will do, unless this server changed something since.
        assert place.ask() is None
        places.note_kernel(place, made_up("k"))
        again = place.ask()
        assert again is not None
        await again
        assert "k" not in place.kernels


async def test_what_this_server_does_is_known_at_once(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"gpu": saved(own)}) as places:
        (place,) = await refreshed(places)
        model = made_up("k")
        session = SessionModel(
            id=RestSessionId("s"), path="p", name="n", type="notebook", kernel=made_up("of-s")
        )
        places.note_kernel(place, model)
        places.note_session(place, session)
        assert places.place_of("k") is place
        assert places.place_of("of-s") is place
        assert places.session("s") == (place, session)
        places.forget_session("s")
        places.forget_kernel("k")
        assert places.session("s") is None
        assert places.place_of("of-s") is None
        assert places.place_of("k") is None


async def test_an_answer_to_an_earlier_question_does_not_undo_it(own: Server, tmp_path: Path) -> None:
    async with (
        kernel_on(own) as kernel,
        Relay(port_of(own)) as relay,
        places_of(tmp_path, {"gpu": through(relay, own)}) as places,
    ):
        (place,) = await refreshed(places)
        with relay.holding():
            asking = place.ask(anew=True)
            assert asking is not None
            await asyncio.sleep(0)
            places.note_kernel(place, made_up("k"))
            places.forget_kernel(kernel.id)
        await asyncio.wait_for(asking, DEADLINE)
        assert places.place_of("k") is place
        assert places.place_of(kernel.id) is None
        # The next question is asked later than that, and its answer counts.
        await refreshed(places)
        assert places.place_of("k") is None
        assert places.place_of(kernel.id) is place


# Looking for one kernel


async def test_a_kernel_that_was_started_a_moment_ago_is_found(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"gpu": saved(own)}) as places:
        (place,) = await refreshed(places)
        async with kernel_on(own) as kernel:
            assert await places.find(kernel.id) is place
            assert await places.find("3c5b3a0e-unknown") is None


async def test_a_kernel_may_be_on_a_gateway_that_never_answered(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"off": NOBODY, "gpu": saved(own)}) as places, kernel_on(own) as kernel:
        assert await places.find(kernel.id) is places.all()[1]
        with pytest.raises(Unreachable, match=r"may be on off, which has not answered yet: Nobody listens"):
            await places.find("3c5b3a0e-unknown")


# Servers that list nothing


async def test_a_server_that_lists_nothing_has_what_this_server_started(
    refusing: Server, tmp_path: Path
) -> None:
    async with places_of(tmp_path, {"kg": saved(refusing)}) as places:
        (place,) = await refreshed(places)
        assert (place.answered, place.keeps_sessions) == (True, False)
        assert "python3" in place.kernelspecs
        assert not place.kernels
        async with kernel_on(refusing) as mine, kernel_on(refusing) as other:
            places.note_kernel(place, mine)
            await refreshed(places)
            assert set(place.kernels) == {mine.id}
            assert await places.find(other.id) is place
            await refreshed(places)
            assert set(place.kernels) == {mine.id, other.id}
            await place.gateway.rest.shutdown_kernel(mine.id)
            places.forget_kernel(mine.id)
            await refreshed(places)
            assert set(place.kernels) == {other.id}
        assert await places.find("3c5b3a0e-0000-0000-0000-000000000000") is None


# A file that changes


async def test_gateways_come_and_go_with_the_file(
    own: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with places_of(tmp_path, {"gpu": saved(own)}) as places:
        (gpu,) = await refreshed(places)
        save(tmp_path, {"other": NOBODY, "gpu": saved(own)})
        other, same = await refreshed(places)
        assert same is gpu
        assert other.unreachable is not None
        caplog.clear()
        (tmp_path / "gateways.json").write_text("{")
        assert await refreshed(places) == (other, gpu)
        assert await refreshed(places) == (other, gpu)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        save(tmp_path, {"other": NOBODY})
        assert await refreshed(places) == (other,)
        # Who is linked to a kernel there stays so.
        assert (await gpu.gateway.rest.kernelspecs()).default == "python3"
        gpu.trouble(LinkLost("It broke."))
        assert gpu.ask() is None


async def test_a_gateway_whose_options_change_is_asked_anew(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"gpu": saved(own, token="wrong")}) as places:
        (wrong,) = await refreshed(places)
        assert wrong.unreachable is not None
        save(tmp_path, {"gpu": saved(own)})
        (right,) = await refreshed(places)
        assert right is not wrong
        assert right.answered


async def test_connections_to_what_is_gone_from_the_file_are_bounded(own: Server, tmp_path: Path) -> None:
    async with places_of(tmp_path, {"gpu": saved(own)}) as places:
        (first,) = await refreshed(places)
        _ = first.gateway
        for number in range(MOST_RETIRED + 1):
            save(tmp_path, {f"gpu-{number}": NOBODY})
            await places.refresh(within=0)

        def is_closed() -> bool:
            try:
                return first.gateway is None
            except Unreachable:
                return True

        await until(is_closed)


# This machine's own gateway


async def test_this_machine_s_own_gateway_is_there_while_it_runs(short: Path, tmp_path: Path) -> None:
    environ = environ_of_tests()
    socket = local_place(environ).socket
    file = save(tmp_path, {})
    async with Places(environ, file=file) as places:
        assert await refreshed(places) == ()
        with serving(socket, short / "state"):
            (local,) = await refreshed(places)
            assert (local.name, local.is_here, local.offers_kernelspecs) == ("local", True, False)
            places.note_kernel(local, made_up("k"))
            assert places.place_of("k") is local
            assert places.kernelspec("python3.local") is None
        local.trouble(LinkLost("It broke."))
        await refreshed(places)
        assert places.all() == ()
        assert places.place_of("k") is None


async def test_a_socket_that_nobody_listens_on_is_no_place(tmp_path: Path) -> None:
    environ = environ_of_tests()
    socket = local_place(environ).socket
    socket.touch()
    async with Places(environ, file=save(tmp_path, {})) as places:
        assert await refreshed(places) == ()
        assert await places.find("3c5b3a0e-unknown") is None
    socket.unlink()
