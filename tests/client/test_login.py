from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import NoneType

import aiohttp
import pytest
from aiohttp import web
from jupyter_server.auth import passwd
from tests.support.certificates import Authority
from tests.support.peers import http_peer
from tests.support.processes import free_port, until
from tests.support.stock import StockServer, jupyter_server_in

from kernelway.client.http import HttpClient
from kernelway.client.options import GatewayOptions
from kernelway.protocol.errors import Unreachable, WrongCredentials

PASSWORD = "correct horse ä&=+ battery"


def password_server(
    folder: Path, *, port: int | None = None, scheme: str = "http", args: Sequence[str] = ()
) -> AbstractContextManager[StockServer]:
    hashed = passwd(PASSWORD, algorithm="sha1")
    given = [
        "--ServerApp.allow_password_change=False",
        f"--PasswordIdentityProvider.hashed_password={hashed}",
    ]
    return jupyter_server_in(
        folder, token="", base_path="/base", port=port, scheme=scheme, args=[*given, *args]
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    with password_server(tmp_path_factory.mktemp("password")) as server:
        yield server


def client(base_url: str, password: str = PASSWORD, user: str | None = None) -> HttpClient:
    return HttpClient(GatewayOptions(base_url=base_url, password=password, user=user))


@pytest.mark.parametrize("user", [None, "me"])
async def test_a_password_opens_rest_and_websocket(server: StockServer, user: str | None) -> None:
    async with client(server.base_url, user=user) as http:
        kernel = await http.call("POST", "api/kernels", answer=dict, body={"name": "python3"})
        path = f"api/kernels/{kernel['id']}"
        websocket = await http.websocket(f"{path}/channels", query={"session_id": "s"}, subprotocols=[])
        await websocket.close()
        await http.call("DELETE", path, answer=NoneType)
        assert await http.call("GET", "api/kernels", answer=list) == []


async def test_a_password_and_a_certificate_that_nobody_signed_go_together(tmp_path: Path) -> None:
    issued = Authority(tmp_path / "tls").issue("some.name")
    args = [f"--ServerApp.certfile={issued.cert}", f"--ServerApp.keyfile={issued.key}"]
    with password_server(tmp_path, scheme="https", args=args) as server:
        options = GatewayOptions(base_url=server.base_url, password=PASSWORD, fingerprint=issued.fingerprint)
        async with HttpClient(options) as http:
            kernel = await http.call("POST", "api/kernels", answer=dict, body={"name": "python3"})
            path = f"api/kernels/{kernel['id']}"
            websocket = await http.websocket(f"{path}/channels", query={"session_id": "s"}, subprotocols=[])
            await websocket.close()
            await http.call("DELETE", path, answer=NoneType)


async def test_a_wrong_password_is_told_on_entering(server: StockServer) -> None:
    with pytest.raises(WrongCredentials, match="refuses the password: check it") as caught:
        async with client(server.base_url, "wr0ng"):
            pass
    assert "wr0ng" not in str(caught.value)


async def test_a_server_that_wants_a_password_says_so_to_others(server: StockServer) -> None:
    async with HttpClient(GatewayOptions(base_url=server.base_url)) as http:
        with pytest.raises(WrongCredentials, match="asks for a token or a password"):
            await http.call("GET", "api/kernels", answer=list)


async def test_a_server_without_a_password_login_is_told(kernel_gateway: StockServer) -> None:
    with pytest.raises(WrongCredentials, match="has no password login: give its token"):
        async with client(kernel_gateway.base_url):
            pass


async def test_nobody_there_is_told_on_entering() -> None:
    with pytest.raises(Unreachable):
        async with client(f"http://127.0.0.1:{free_port()}"):
            pass


async def test_a_login_that_ran_out_is_renewed_once_for_all(tmp_path: Path) -> None:
    port = free_port()
    with password_server(tmp_path, port=port) as before:
        http = client(before.base_url)
        await http.__aenter__()
        assert await http.call("GET", "api/kernels", answer=list) == []
    try:
        # Another cookie secret makes every session of the server before void.
        args = ["--ServerApp.cookie_secret=another"]
        with password_server(tmp_path, port=port, args=args) as after:
            asked = (http.call("GET", "api/kernels", answer=list) for _ in range(5))
            assert await asyncio.gather(*asked) == [[]] * 5

            async def said() -> bool:
                return "logged in" in after.process.text

            await until(said)
            assert after.process.text.count("logged in") == 1
    finally:
        await http.__aexit__(None, None, None)


async def test_a_login_that_ran_out_is_renewed_for_a_post_and_a_websocket(server: StockServer) -> None:
    async with client(server.base_url) as http:
        _forget(http)
        kernel = await http.call("POST", "api/kernels", answer=dict, body={"name": "python3"})
        path = f"api/kernels/{kernel['id']}"
        _forget(http)
        websocket = await http.websocket(f"{path}/channels", query={"session_id": "s"}, subprotocols=[])
        await websocket.close()
        await http.call("DELETE", path, answer=NoneType)


def _forget(http: HttpClient) -> None:
    """As when the server's cookies have run out."""
    assert http._session is not None
    http._session.cookie_jar.clear()


async def test_a_server_that_forgets_at_once_is_not_asked_for_ever() -> None:
    async def forget(request: web.Request) -> web.StreamResponse:
        if request.path == "/login":
            return web.Response(status=302 if request.method == "POST" else 200, headers={"Location": "/"})
        return web.json_response({"message": "Forbidden"}, status=403)

    async with http_peer(forget) as peer, client(peer.base_url) as http:
        with pytest.raises(WrongCredentials):
            await http.call("GET", "api/kernels", answer=list)
    asked = [(request.method, request.path) for request in peer.requests]
    login = [("GET", "/login"), ("POST", "/login")]
    assert asked == [*login, ("GET", "/api/kernels"), *login, ("GET", "/api/kernels")]


async def test_the_password_follows_no_redirect() -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        location = f"{thief.base_url}{request.path_qs}"
        return web.Response(status=307 if request.method == "POST" else 200, headers={"Location": location})

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response({})

    async with http_peer(answer) as thief, http_peer(redirect) as peer, client(peer.base_url):
        assert thief.requests == []


async def test_a_proxy_that_asks_by_itself_is_given_name_and_password() -> None:
    expected = aiohttp.encode_basic_auth("me", PASSWORD)

    async def guard(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != expected:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="lab"'})
        if "Upgrade" in request.headers:
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            await websocket.close()
            return websocket
        return web.json_response({"version": "1"})

    async with http_peer(guard) as peer:
        async with client(peer.base_url, user="me") as http:
            assert await http.call("GET", "api", answer=dict) == {"version": "1"}
            await (await http.websocket("api", query={}, subprotocols=[])).close()
        for wrong in (client(peer.base_url, "wr0ng", user="me"), client(peer.base_url)):
            with pytest.raises(WrongCredentials, match="refuses the password"):
                async with wrong:
                    pass
