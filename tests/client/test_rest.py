"""The bare requests: what they ask, and what they make of the answers of servers of every kind."""

from __future__ import annotations

import pytest
from tests.client.gateways import Place

from kernelway.protocol.errors import NotFound
from kernelway.protocol.models import OpenSession, SessionKernel, StartKernel, UpdateSession

NOBODY = "00000000-0000-0000-0000-000000000000"


async def test_a_kernels_life(listing_place: Place) -> None:
    async with listing_place.gateway() as gateway:
        rest = gateway.rest
        started = await rest.start_kernel(StartKernel(name="python3"))
        assert started.id in {kernel.id for kernel in await rest.kernels()}
        assert (await rest.kernel(started.id)).name == "python3"
        await rest.interrupt_kernel(started.id)
        assert (await rest.restart_kernel(started.id)).id == started.id
        await rest.shutdown_kernel(started.id)
        with pytest.raises(NotFound):
            await rest.kernel(started.id)


@pytest.mark.parametrize("server", ["own_gateway", "stock_jupyter_server"])  # kernel_gateway answers 500.
async def test_a_sessions_life(server: str, request: pytest.FixtureRequest) -> None:
    place: Place = request.getfixturevalue(server)
    async with place.gateway() as gateway:
        rest = gateway.rest
        asked = OpenSession("ada@laptop/a.ipynb", name="a.ipynb", kernel=SessionKernel(name="python3"))
        opened = await rest.open_session(asked)
        assert (await rest.open_session(asked)).id == opened.id
        moved = await rest.update_session(opened.id, UpdateSession(path="ada@laptop/b.ipynb", name="b.ipynb"))
        assert (moved.path, moved.kernel.id) == ("ada@laptop/b.ipynb", opened.kernel.id)
        other = await rest.update_session(opened.id, UpdateSession(kernel=SessionKernel(name="python3")))
        assert other.kernel.id != opened.kernel.id
        assert opened.kernel.id not in {kernel.id for kernel in await rest.kernels()}
        await rest.close_session(opened.id)
        assert opened.id not in {session.id for session in await rest.sessions()}
        with pytest.raises(NotFound):
            await rest.close_session(opened.id)


async def test_a_logo(place: Place) -> None:
    async with place.gateway() as gateway:
        specs = await gateway.rest.kernelspecs()
        path = specs.kernelspecs["python3"].resources["logo-64x64"]
        base = gateway.options.base_url.rstrip("/")
        relative = path.removeprefix("/" + base.partition("://")[2].partition("/")[2]).lstrip("/")
        assert (await gateway.rest.resource(relative)).startswith(b"\x89PNG")


async def test_what_is_not_there(place: Place) -> None:
    async with place.gateway() as gateway:
        for ask in (gateway.rest.kernel, gateway.rest.interrupt_kernel, gateway.rest.shutdown_kernel):
            with pytest.raises(NotFound):
                await ask(NOBODY)
