"""Asking many gateways at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.peers import http_peer, raw_peer

from kernelway.cli.places import LOCAL, SavedPlaces
from kernelway.cli.survey import Answer, ask_all
from kernelway.client import Gateway
from kernelway.client.saved import GatewaysFile

DEADLINE = 20


@pytest.fixture
def file(tmp_path: Path) -> GatewaysFile:
    return GatewaysFile(tmp_path / "gateways.json")


async def specs(request: web.Request) -> web.Response:
    return web.json_response({"default": request.path, "kernelspecs": {}})


async def default(gateway: Gateway) -> str:
    return (await gateway.kernelspecs()).default


async def test_each_answer_is_its_gateways_own(file: GatewaysFile, runtime: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(runtime)}
    async with http_peer(specs) as good, raw_peer(None) as silent, asyncio.timeout(DEADLINE):
        file.add("silent", {"baseUrl": silent.base_url})
        file.add("good", {"baseUrl": good.base_url})
        file.add("secret", {"baseUrl": good.base_url, "tokenEnv": "NOT_SET"})
        places = SavedPlaces(environ, file=file)
        answers = await ask_all(places, [LOCAL, *places.names], default, within=0.4)
    assert answers[0] == Answer(name=LOCAL)
    assert answers[2] == Answer(name="good", said="/api/kernelspecs")
    assert [answer.name for answer in answers] == [LOCAL, "silent", "good", "secret"]
    assert answers[1].problem is not None
    assert "did not answer within 0.3 seconds" in answers[1].problem
    assert answers[3].problem is not None
    assert "NOT_SET, which is not set" in answers[3].problem


async def test_a_question_that_takes_too_long(file: GatewaysFile) -> None:
    async def never(gateway: Gateway) -> str:
        await gateway.kernelspecs()
        await asyncio.Event().wait()
        return ""

    async with http_peer(specs) as peer, asyncio.timeout(DEADLINE):
        file.add("gpu", {"baseUrl": peer.base_url})
        places = SavedPlaces({}, file=file)
        (answer,) = await ask_all(places, ["gpu"], never, within=0.2)
    assert answer.problem == "It did not answer within 0.2 seconds."
