"""Gateways of every kind: what they are, what runs there, and sessions."""

from __future__ import annotations

import asyncio
from dataclasses import fields

import pytest
from tests.client.gateways import Place
from tests.support.processes import until

from kernelway.client import Gateway, GatewayOptions, Result, ServerKind, Session
from kernelway.client.gateway import MoreOptions, more_options
from kernelway.client.session import own_session_path
from kernelway.protocol.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    KernelwayError,
    NotFound,
    WrongCredentials,
)
from kernelway.protocol.models import OpenSession, SessionKernel

DEADLINE = 60.0

pytestmark = pytest.mark.usefixtures("in_a_folder_of_its_own")


@pytest.fixture
def in_a_folder_of_its_own(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def value_of(session: Session, code: str) -> object:
    outputs = [output async for output in session.kernel.execute(code, timeout=DEADLINE)]
    assert isinstance(outputs[-1], Result), outputs
    return outputs[-1].data["text/plain"]


async def test_what_kind_of_server_it_is(place: Place) -> None:
    async with place.gateway() as gateway:
        server = await gateway.check()
        specs = await gateway.kernelspecs()
    assert server.kind == ServerKind(place.kind)
    assert server.version
    assert specs.default == "python3"
    assert specs.kernelspecs["python3"].spec.language == "python"


async def test_a_check_tells_of_wrong_credentials(place: Place) -> None:
    async with Gateway(place.base_url, token="wrong") as gateway:
        with pytest.raises(WrongCredentials, match="token"):
            await gateway.check()
        with pytest.raises(WrongCredentials, match="token"):
            await gateway.open_session("analysis.py")


async def test_the_status(stock_jupyter_server: Place, own_gateway: Place) -> None:
    for place in (stock_jupyter_server, own_gateway):
        async with place.gateway() as gateway:
            assert (await gateway.status()).kernels >= 0


async def test_kernels_are_listed_where_the_server_lists_them(listing_place: Place) -> None:
    async with listing_place.gateway() as gateway:
        kernel = await gateway.start_kernel()
        assert kernel.id in {model.id for model in await gateway.kernels()}
        await kernel.shutdown()
        assert kernel.id not in {model.id for model in await gateway.kernels()}
        with pytest.raises(NotFound):
            await gateway.connect(kernel.id)


async def test_a_kernelspec_that_is_not_there_is_an_error_that_names_it(listing_place: Place) -> None:
    async with listing_place.gateway() as gateway:
        before = len(await gateway.kernels())
        with pytest.raises(KernelwayError, match="nope"):
            await gateway.open_session("analysis.py", kernel="nope")
        assert len(await gateway.kernels()) == before


async def test_our_own_server_takes_folder_and_environment(own_gateway: Place, tmp_path) -> None:
    async with own_gateway.gateway() as gateway:
        code = "import os; print(os.environ['GREETING'], os.getcwd(), end='')"
        kernel = await gateway.start_kernel("python3", cwd=str(tmp_path), env={"GREETING": "hello"})
        texts = [output.text async for output in kernel.execute(code, timeout=DEADLINE)]
        await kernel.shutdown()
        session = await gateway.open_session("x.py", cwd=str(tmp_path), env={"GREETING": "hi"})
        more = [output.text async for output in session.kernel.execute(code, timeout=DEADLINE)]
        await session.shutdown()
    assert "".join(texts) == f"hello {tmp_path}"
    assert "".join(more) == f"hi {tmp_path}"


async def test_a_lease_is_taken_by_our_own_server_and_ignored_by_others(listing_place: Place) -> None:
    async with listing_place.gateway() as gateway:
        kernel = await gateway.start_kernel("python3", lease=3600)
        session = await gateway.open_session("leased.py", kernel="python3", lease=3600.0)
        assert await value_of(session, "6 * 7") == "42"
        await kernel.shutdown()
        await session.shutdown()


async def test_a_lease_that_runs_out_ends_a_session_of_our_own_server(own_gateway: Place) -> None:
    async with own_gateway.gateway() as gateway:
        for refused in (
            gateway.start_kernel("python3", lease=0),
            gateway.open_session("leased.py", kernel="python3", lease=-1),
        ):
            with pytest.raises(InvalidRequest, match="lease"):
                await refused
        asked = OpenSession("leased", kernel=SessionKernel(name="python3", lease=0.5))
        session = await gateway.rest.open_session(asked)

        async def gone() -> bool:
            return session.id not in {model.id for model in await gateway.sessions()}

        await until(gone)
        [reason] = [each.reason for each in await gateway.ended() if each.id == session.kernel.id]
    assert reason == "Its lease of 0.5 s ran out: nobody was connected to it for so long."


async def test_a_session_is_made_and_joined_again(listing_place: Place) -> None:
    async with listing_place.gateway() as gateway:
        session = await gateway.open_session("analysis.py", kernel="python3")
        assert session.path == own_session_path("analysis.py")
        assert session.name == "analysis.py"
        assert session.id is not None
        assert await value_of(session, "x = 41; x") == "41"
    async with listing_place.gateway() as gateway:
        again = await gateway.open_session("analysis.py")
        assert again.id == session.id
        assert await value_of(again, "x + 1") == "42"
        with pytest.raises(Conflict, match="python3 kernel, not julia"):
            await gateway.open_session("analysis.py", kernel="julia")
        await again.shutdown()
        assert session.id not in {model.id for model in await gateway.sessions()}
        assert again.kernel.id not in {model.id for model in await gateway.kernels()}


async def test_files_of_one_name_in_two_folders_do_not_meet(listing_place: Place, tmp_path) -> None:
    async with listing_place.gateway() as gateway:
        one = await gateway.open_session(tmp_path / "one" / "main.py")
        two = await gateway.open_session(tmp_path / "two" / "main.py")
        assert one.kernel.id != two.kernel.id
        with pytest.raises(Conflict, match="2 sessions are named 'main"):
            await gateway.find_session("main.py")
        assert two.id is not None
        found = await gateway.find_session(two.id)
        assert (found.path, found.kernel.id) == (two.path, two.kernel.id)
        await one.shutdown()
        await two.shutdown()


async def test_a_new_session_of_a_file_is_another_one(listing_place: Place) -> None:
    async with listing_place.gateway() as gateway:
        first = await gateway.open_session("analysis.py")
        new = await gateway.open_session("analysis.py", new=True, name="experiment")
        again = await gateway.open_session("analysis.py")
        assert new.kernel.id != first.kernel.id
        assert again.kernel.id == first.kernel.id
        if listing_place.kind != "listing_kernel_gateway":
            assert new.name == "experiment"  # kernel_gateway keeps no names.
        await first.shutdown()
        await new.shutdown()


# kernel_gateway answers one of two such requests with a 500 now and then, and leaves a kernel behind.
@pytest.mark.parametrize("listing_place", ["stock_jupyter_server", "own_gateway"], indirect=True)
async def test_two_who_open_a_session_at_once_get_the_same_one(listing_place: Place) -> None:
    async with listing_place.gateway() as one, listing_place.gateway(alone=False) as two:
        opening = (gateway.open_session("race.py") for gateway in (one, two, one, two))
        sessions = await asyncio.gather(*opening)
        there = [model for model in await one.sessions() if model.path == own_session_path("race.py")]
        assert len(there) == 1
        assert {session.id for session in sessions} == {there[0].id}
        assert {session.kernel.id for session in sessions} == {there[0].kernel.id}
        running = await one.kernels()
        assert [model.id for model in running if model.id == there[0].kernel.id]
        assert await value_of(sessions[0], "1 + 1") == "2"
        assert await value_of(sessions[3], "2 + 2") == "4"
        await sessions[0].shutdown()


async def test_a_server_that_lists_no_sessions_starts_a_plain_kernel(stock_kernel_gateway: Place) -> None:
    async with stock_kernel_gateway.gateway() as gateway:
        with pytest.raises(Forbidden, match="takes the credentials, but does not list"):
            await gateway.sessions()
        with pytest.raises(Forbidden, match="list_kernels=True"):
            await gateway.kernels()
        session = await gateway.open_session("analysis.py", kernel="python3")
        assert session.id is None
        assert session.path == own_session_path("analysis.py")
        assert await value_of(session, "1 + 1") == "2"
        await session.shutdown()
        with pytest.raises(NotFound):
            await gateway.connect(session.kernel.id)


async def test_closing_a_session_leaves_its_kernel(listing_place: Place) -> None:
    async with listing_place.gateway() as gateway:
        session = await gateway.open_session("analysis.py")
        await value_of(session, "x = 1; x")
        await session.close()
        assert not gateway._kernels
        again = await gateway.open_session("analysis.py")
        assert await value_of(again, "x") == "1"
        await again.shutdown()
        assert not gateway._kernels


def test_the_keywords_are_the_options() -> None:
    names = {field.name for field in fields(GatewayOptions)} - {"base_url", "token"}
    assert set(MoreOptions.__annotations__) == names
    options = GatewayOptions(base_url="http://host:8888/deep", timeout=5, user="ada", password="p")
    assert Gateway.from_options(options).options == options
    assert more_options(options)["timeout"] == 5
