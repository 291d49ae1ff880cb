"""What a host serves to its gateway: status, replacement, and channels for links alone."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import ClientSession, WSServerHandshakeError, web
from tests.gateway.scripted import DEADLINE, WELCOME, ScriptedChannels, ScriptedHost

from kernelway.protocol.errors import Conflict, KernelwayError
from kernelway.protocol.link_framing import LINK_SUBPROTOCOL
from kernelway.protocol.models import Replacement, Status
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL
from kernelway.transport.api import kernel_routes, session_routes
from kernelway.transport.api.client_socket import Beat
from kernelway.transport.api.hosts import Host
from kernelway.transport.api.private import ROUTES, private_application
from kernelway.transport.api.server import serving, url_of
from kernelway.transport.listening import listen_on_port

STATUS = Status(
    started="2026-11-20T18:30:00Z", last_activity="2026-11-20T19:30:00Z", connections=2, kernels=1
)


class StatusHost(ScriptedHost):
    async def status(self) -> Status:
        return STATUS


class Gateways:
    """Replaces its gateway, or refuses to."""

    def __init__(self, refusal: KernelwayError | None = None) -> None:
        self.asked = 0
        self._refusal = refusal

    async def replace(self) -> Replacement:
        self.asked += 1
        if self._refusal is not None:
            raise self._refusal
        return Replacement(pid=17, version="2.0")


@asynccontextmanager
async def private(
    *channels: ScriptedChannels, gateways: Gateways | None = None, beat: Beat | None = None
) -> AsyncIterator[ClientSession]:
    host = cast("Host", StatusHost(list(channels)))
    app: web.Application = private_application(host, gateways or Gateways(), beat or Beat())
    listener = listen_on_port("127.0.0.1", 0, retries=0)
    url = url_of(listener, ip="127.0.0.1", base_url="/", tls=False)
    async with serving(app, listener), ClientSession(url) as http:
        yield http


async def test_the_status_is_the_hosts() -> None:
    async with private() as http, http.get("api/status") as answer:
        assert answer.status == 200
        assert await answer.json() == {
            "started": STATUS.started,
            "last_activity": STATUS.last_activity,
            "connections": 2,
            "kernels": 1,
        }


async def test_the_gateway_is_replaced_by_a_post_alone() -> None:
    gateways = Gateways()
    async with private(gateways=gateways) as http:
        async with http.get("api/kernelway/replace") as answer:
            assert (answer.status, gateways.asked) == (405, 0)
        async with http.post("api/kernelway/replace") as answer:
            assert answer.status == 200
            assert await answer.json() == {"pid": 17, "version": "2.0"}
    assert gateways.asked == 1


async def test_why_it_is_not_replaced_is_told_to_who_asks_who_logs_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    gateways = Gateways(Conflict("It is being replaced already."))
    async with private(gateways=gateways) as http, http.post("api/kernelway/replace") as answer:
        assert answer.status == 409
        assert (await answer.json())["message"] == "It is being replaced already."
    assert "replaced already" not in caplog.text


async def test_channels_are_for_links_and_nobody_has_to_show_a_token() -> None:
    channels = ScriptedChannels(b"frame")
    async with private(channels) as http:
        with pytest.raises(WSServerHandshakeError) as caught:
            await http.ws_connect("api/kernels/k/channels", protocols=(V1_SUBPROTOCOL,))
        assert caught.value.status == 400
        async with http.ws_connect("api/kernels/k/channels", protocols=(LINK_SUBPROTOCOL,)) as websocket:
            got = [await websocket.receive_bytes(timeout=DEADLINE) for _ in range(2)]
            assert got == [WELCOME, b"frame"]


async def test_silence_lasts_as_long_as_its_maker_says() -> None:
    channels = ScriptedChannels()
    async with (
        private(channels, beat=Beat(0.05, 0.2)) as http,
        # It never receives, and so it never answers a ping.
        http.ws_connect("api/kernels/k/channels", protocols=(LINK_SUBPROTOCOL,)),
    ):
        assert await channels.closed() == (1012, "The connection ended.")


def test_all_that_a_gateway_serves_of_kernels_and_sessions_is_there() -> None:
    served = {(route.method, route.path) for route in ROUTES}
    assert len(served) == len(ROUTES)
    for route in (*kernel_routes.ROUTES, *session_routes.ROUTES):
        assert (route.method, route.path) in served
