"""What holds for every route: pages of other sites, headers, and how failures are told."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import ClientSession
from tests.gateway.served import AUTHORIZED, TOKEN, Served

from kernelway.gateway.access import AccessRules
from kernelway.gateway.application import application
from kernelway.protocol.errors import InternalError, KernelDied, TimedOut
from kernelway.transport.api import server
from kernelway.transport.api.hosts import Host
from kernelway.transport.api.server import serving, url_of
from kernelway.transport.listening import listen_on_port

LAB = "https://lab.example"

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


# Pages of other sites


@pytest.mark.parametrize(
    "path", ["api/kernels", "api/kernels/x/restart", "api/sessions", "api", "api/nothing"]
)
async def test_a_preflight_of_an_allowed_page_is_answered_without_a_token(gateway: Served, path: str) -> None:
    async with gateway.client({"Origin": LAB, **PREFLIGHT}) as page, page.options(path) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == LAB
        assert {"GET", "POST", "PATCH", "DELETE"} <= set(
            answer.headers["Access-Control-Allow-Methods"].split(", ")
        )
        assert {"authorization", "content-type"} <= set(
            answer.headers["Access-Control-Allow-Headers"].split(", ")
        )
        assert answer.headers["Vary"] == "Origin"


async def test_a_preflight_of_another_page_is_refused(gateway: Served) -> None:
    headers = {"Origin": "https://evil.example", **PREFLIGHT}
    async with gateway.client(headers) as page, page.options("api/kernels") as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_options_that_are_no_preflight_are_a_method_like_others(gateway: Served) -> None:
    async with gateway.client({}) as anonymous, anonymous.options("api/kernels") as answer:
        assert answer.status == 401
    async with gateway.client() as http, http.options("api/kernels") as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("path", "status"), [("api/kernels", 200), ("api/kernels/x", 404), ("api/nothing", 404)]
)
async def test_an_allowed_page_may_read_answers_and_errors(gateway: Served, path: str, status: int) -> None:
    async with gateway.client({"Origin": LAB}) as page, page.get(path, params={"token": TOKEN}) as answer:
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == LAB
    async with gateway.client({"Origin": LAB}) as page, page.get(path) as answer:
        # It can tell that the token is missing, too.
        assert answer.status == 401
        assert answer.headers["Access-Control-Allow-Origin"] == LAB


@pytest.mark.parametrize("path", ["api/kernels", "api", "api/kernels/x/channels", "api/nothing"])
async def test_another_page_may_not_even_with_the_token_in_its_url(gateway: Served, path: str) -> None:
    evil = gateway.client({"Origin": "https://evil.example"})
    async with evil as page, page.get(path, params={"token": TOKEN}) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "--allow-origin https://evil.example" in (await answer.json())["message"]


async def test_a_program_that_sends_an_origin_passes_with_its_header(gateway: Served) -> None:
    headers = {**AUTHORIZED, "Origin": "https://evil.example"}
    async with gateway.client(headers) as program, program.get("api/kernels") as answer:
        assert answer.status == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("lab.example", 200),
        ("127.0.0.1:1", 200),
        ("evil.example", 403),
        ("192.168.99.100:8888", 403),
    ],
)
async def test_on_loopback_only_our_names_are_answered_to(gateway: Served, host: str, status: int) -> None:
    async with gateway.client() as http, http.get("api/kernels", headers={"Host": host}) as answer:
        assert answer.status == status


@pytest.mark.parametrize("path", ["api", "api/kernels", "api/nothing", "api/kernelspecs"])
async def test_nobody_is_to_guess_the_type_of_an_answer(http: ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


# Failures, told by a host that has them


class FailingHost:
    """A host whose list of kernels is an error, and whose sessions wait for ever."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def kernels(self) -> list[Any]:
        raise self._error

    async def sessions(self) -> list[Any]:
        await asyncio.Event().wait()
        return []


@asynccontextmanager
async def served_with(host: FailingHost) -> AsyncIterator[ClientSession]:
    """A client of a gateway with this host; the gateway ends first."""
    listener = listen_on_port("127.0.0.1", 0, retries=0)
    app = application(cast("Host", host), rules=AccessRules(token=TOKEN, on_loopback=True))
    url = url_of(listener, ip="127.0.0.1", base_url="/", tls=False)
    async with ClientSession(url, headers=AUTHORIZED) as http, serving(app, listener):
        yield http


async def test_a_fault_of_ours_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with served_with(FailingHost(ZeroDivisionError("a detail of ours"))) as http:
        async with http.get("api/kernels", params={"token": TOKEN}) as answer:
            assert answer.status == 500
            assert await answer.json() == {
                "message": "Something went wrong in the gateway; its log has the details.",
                "reason": "Internal Server Error",
            }
        async with http.get("api") as answer:
            assert answer.status == 200
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "GET /api/kernels failed."
    assert record.exc_info is not None
    assert TOKEN not in caplog.text


async def test_an_error_that_is_not_to_be_shown_is_not() -> None:
    host = FailingHost(InternalError("a detail of ours"))
    async with served_with(host) as http, http.get("api/kernels") as answer:
        assert answer.status == 500
        assert "a detail of ours" not in await answer.text()


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [(KernelDied("It died."), 410, "Gone"), (TimedOut("It is late."), 504, "Gateway Timeout")],
)
async def test_an_error_of_the_kernel_or_the_way_is_told(error: Exception, status: int, reason: str) -> None:
    async with served_with(FailingHost(error)) as http, http.get("api/kernels") as answer:
        assert answer.status == status
        assert await answer.json() == {"message": str(error), "reason": reason}


async def test_a_request_that_never_ends_does_not_keep_the_gateway_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_SHUTDOWN", 0.1)
    async with asyncio.timeout(10):
        async with served_with(FailingHost(Exception())) as http:
            waiting = asyncio.create_task(http.get("api/sessions"))
            async with http.get("api") as answer:
                assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await waiting
        # The server below cancels its handlers last of all, and leaves it to them to end.
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)


# The log


@pytest.mark.parametrize("path", ["api/x%0A2026-11-20 00:00:00 I serve: forged", "api/kernels/a%0d%0ab"])
async def test_a_path_cannot_forge_a_line_of_the_log(gateway: Served, path: str) -> None:
    async with gateway.client({}) as anonymous, anonymous.get(path) as answer:
        assert answer.status == 401
    lines = gateway.process.text.splitlines()
    assert not any(line.startswith("2026-11-20 00:00:00 I serve: forged") for line in lines)


async def test_the_token_is_in_no_line_of_the_log(gateway: Served) -> None:
    async with gateway.client({}) as anonymous:
        for path in ("api/kernels", "api/nothing", "api/kernels/x/channels"):
            async with anonymous.get(path, params={"token": TOKEN}) as answer:
                assert answer.status in (200, 400, 404)
    # Not in a request that is none either, which the server below logs as it came.
    reader, writer = await asyncio.open_connection("127.0.0.1", int(re.findall(r":(\d+)/", gateway.url)[0]))
    writer.write(f"GET /api?token={TOKEN} HTTP/9\r\nAuthorization: token {TOKEN}\r\n\r\n".encode())
    assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    logged = [line for line in gateway.process.lines if " serves http" not in line]
    assert any("/api/nothing" in line for line in logged)
    assert not any(TOKEN in line for line in logged)
