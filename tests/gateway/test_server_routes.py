"""``/api``, ``/api/status``, ``/api/me`` and ``/api/spec.json``."""

from __future__ import annotations

import re

import jupyter_server
import pytest
from aiohttp import ClientSession
from tests.gateway.served import TOKEN, Served, connected

from kernelway import __version__

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


async def test_what_answers_is_told_to_everybody(gateway: Served) -> None:
    async with gateway.client({}) as anonymous, anonymous.get("api") as answer:
        assert answer.status == 200
        told = await answer.json()
    assert told.keys() == {"version", "kernelway"}
    assert told["kernelway"] == __version__
    # Clients choose what they do by the version of jupyter_server that they believe to talk to.
    assert told["version"].split(".")[:2] == jupyter_server.__version__.split(".")[:2]


async def test_the_status_counts_kernels_and_connections(http: ClientSession, kernel_id: str) -> None:
    async with connected(http, kernel_id), http.get("api/status") as answer:
        status = await answer.json()
    assert status.keys() == {"started", "last_activity", "connections", "kernels"}
    assert (status["connections"], status["kernels"]) == (1, 1)
    assert MOMENT.fullmatch(status["started"])
    assert MOMENT.fullmatch(status["last_activity"])
    assert status["started"] < status["last_activity"]


async def test_who_has_the_token_is_one_and_the_same(http: ClientSession) -> None:
    async with http.get("api/me") as answer:
        me = await answer.json()
    assert me.keys() == {"identity", "permissions"}
    assert {"username", "name", "display_name", "initials", "avatar_url", "color"} == me["identity"].keys()
    assert me["permissions"]["kernels"] == ["read", "write", "execute"]


@pytest.mark.parametrize(
    "path", ["api/status", "api/me", "api/spec.json", "api/kernels", "api/nothing", "elsewhere"]
)
async def test_everything_else_needs_the_token(gateway: Served, path: str) -> None:
    async with gateway.client({}) as anonymous:
        async with anonymous.get(path) as answer:
            assert answer.status == 401
            refused = await answer.json()
            assert refused["reason"] == "Unauthorized"
            assert "Authorization: token" in refused["message"]
        async with anonymous.get(path, params={"token": "wrong"}) as answer:
            assert answer.status == 401
        async with anonymous.get(path, params={"token": TOKEN}) as answer:
            assert answer.status in (200, 404)
        async with anonymous.get(path, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status in (200, 404)


async def test_nothing_is_served_outside_the_base_url(http: ClientSession, gateway: Served) -> None:
    for path in ("/api", "/", "/user/ana", "/user/bo/api"):
        async with http.get(path) as answer:
            assert answer.status == 404, path
