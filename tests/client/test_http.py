from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
from aiohttp import web
from tests.support.certificates import Authority
from tests.support.peers import http_peer, raw_peer
from tests.support.processes import free_port
from tests.support.stock import StockServer

from kernelway.client.http import MOST_BYTES, HttpClient
from kernelway.client.options import GatewayOptions
from kernelway.protocol.errors import (
    ConfigError,
    KernelwayError,
    LinkLost,
    NotFound,
    NotJupyter,
    TimedOut,
    Unreachable,
    WrongCertificate,
    WrongCredentials,
)
from kernelway.protocol.models import KernelSpecs, Status
from kernelway.transport.tls import server_context

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SECRETS = {"token": "s3cret-token", "request_headers": {"X-Api-Key": "s3cret-key"}}


def client(base_url: str, **options: Any) -> HttpClient:
    return HttpClient(GatewayOptions(base_url=base_url, **options))


async def ask(http: HttpClient, way: str) -> Any:
    """One request on REST or on a WebSocket."""
    if way == "rest":
        return await http.call("GET", "api", answer=dict)
    websocket = await http.websocket("api/kernels/1/channels", query={"session_id": "s"}, subprotocols=["v1"])
    await websocket.close()
    return websocket


async def failure(base_url: str, way: str = "rest", **options: Any) -> KernelwayError:
    """What a request ends with; its words name the address, and hold nothing secret."""
    async with client(base_url, **options) as http:
        with pytest.raises(KernelwayError) as caught:
            await ask(http, way)
    words = str(caught.value)
    assert base_url.removeprefix("unix:") in words
    assert "s3cret" not in words + repr(caught.value) + repr(caught.value.__cause__)
    assert words.endswith(".")
    return caught.value


both_ways = pytest.mark.parametrize("way", ["rest", "websocket"])


async def version(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"version": "1"})


async def rest_or_websocket(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Upgrade") != "websocket":
        return await version(request)
    websocket = web.WebSocketResponse(protocols=["v1"], compress=True)
    await websocket.prepare(request)
    async for message in websocket:
        await websocket.send_bytes(message.data * 5_000_000)
    return websocket


class TestStockServers:
    async def test_models_come_back(self, jupyter_server: StockServer, kernel_gateway: StockServer) -> None:
        for server in (jupyter_server, kernel_gateway):
            async with client(server.base_url, token=server.token) as http:
                specs = await http.call("GET", "api/kernelspecs", answer=KernelSpecs)
                assert specs.default in specs.kernelspecs
                logo = await http.fetch(f"kernelspecs/{specs.default}/logo-64x64.png")
                assert logo.startswith(b"\x89PNG")

    async def test_a_body_goes_there_and_no_content_comes_back(self, jupyter_server: StockServer) -> None:
        async with client(jupyter_server.base_url + "/", token=jupyter_server.token) as http:
            kernel = await http.call("POST", "api/kernels", answer=dict, body={"name": "python3"})
            path = f"api/kernels/{kernel['id']}"
            query = {"session_id": "s"}
            websocket = await http.websocket(f"{path}/channels", query=query, subprotocols=["no", "v1"])
            assert websocket.protocol is None
            await websocket.close()
            done: None = await http.call("DELETE", path, answer=NoneType)
            assert done is None
            with pytest.raises(NotFound, match="Kernel does not exist"):
                await http.call("GET", path, answer=dict)
            with pytest.raises(NotFound):
                await http.websocket(f"{path}/channels", query=query, subprotocols=[])

    @pytest.mark.parametrize("token", [None, "wrong-s3cret"])
    @both_ways
    async def test_a_wrong_token_is_told(
        self, way: str, token: str | None, jupyter_server: StockServer, kernel_gateway: StockServer
    ) -> None:
        for server in (jupyter_server, kernel_gateway):
            async with client(server.base_url, token=token) as http:
                request = (
                    http.call("GET", "api/kernels", answer=list)
                    if way == "rest"
                    else http.websocket(f"api/kernels/{UNKNOWN}/channels", query={}, subprotocols=[])
                )
                words = "asks for a token" if token is None else "refuses the token"
                with pytest.raises(WrongCredentials, match=words):
                    await request

    async def test_a_post_with_a_wrong_token_is_told(self, jupyter_server: StockServer) -> None:
        async with client(jupyter_server.base_url, token="wrong") as http:
            with pytest.raises(WrongCredentials, match="refuses the token"):
                await http.call("POST", "api/kernels", answer=dict, body={"name": "python3"})

    async def test_the_wrong_base_path_is_told(self, jupyter_server: StockServer) -> None:
        base_url = jupyter_server.base_url.replace("/deep/base", "/lab")
        error = await failure(base_url, token=jupyter_server.token)
        assert isinstance(error, NotJupyter)
        assert "a path such as /lab or /tree does not belong to it" in str(error)


class TestRequests:
    @both_ways
    async def test_secrets_travel_in_headers_and_never_in_the_url(self, way: str) -> None:
        async with http_peer(rest_or_websocket) as peer, client(peer.base_url + "/base", **SECRETS) as http:
            await ask(http, way)
        (request,) = peer.requests
        assert request.headers["Authorization"] == "token s3cret-token"
        assert request.headers["X-Api-Key"] == "s3cret-key"
        assert request.path.startswith("/base/api")
        assert "s3cret" not in request.path_qs
        assert "Sec-WebSocket-Extensions" not in request.headers

    async def test_a_path_stays_one_path(self) -> None:
        async with http_peer(version) as peer, client(peer.base_url + "/base/") as http:
            await http.call("GET", "api/a b?c#d%2F", answer=dict, query={"q": "ä&x=1"})
        (request,) = peer.requests
        assert request.path == "/base/api/a b?c#d%2F"
        assert dict(request.query) == {"q": "ä&x=1"}

    async def test_websockets_go_to_their_own_url(self) -> None:
        async with (
            http_peer(version) as rest,
            http_peer(rest_or_websocket) as other,
            client(rest.base_url, ws_url=f"ws://127.0.0.1:{other.port}/ws", **SECRETS) as http,
        ):
            await ask(http, "rest")
            await ask(http, "websocket")
        assert [request.path for request in rest.requests] == ["/api"]
        assert [request.path for request in other.requests] == ["/ws/api/kernels/1/channels"]

    async def test_the_url_of_websockets_is_named_where_it_is_wrong(self) -> None:
        ws_url = f"ws://127.0.0.1:{free_port()}/ws"
        async with http_peer(version) as rest, client(rest.base_url, ws_url=ws_url) as http:
            with pytest.raises(Unreachable, match=f"Nobody listens at {ws_url}"):
                await ask(http, "websocket")

    @both_ways
    async def test_a_unix_socket_is_an_address(self, way: str, tmp_path: Path) -> None:
        path = tmp_path / "a socket"
        async with (
            http_peer(rest_or_websocket, unix_path=path) as peer,
            client(peer.base_url, **SECRETS) as http,
        ):
            await ask(http, way)
        assert peer.requests[0].host == "localhost"

    async def test_a_large_frame_comes_in_one_piece(self) -> None:
        async with http_peer(rest_or_websocket) as peer, client(peer.base_url) as http:
            websocket = await http.websocket("api", query={}, subprotocols=["v1"])
            assert websocket.protocol == "v1"
            await websocket.send_bytes(b"abcd")
            assert len(await websocket.receive_bytes()) == 20_000_000
            await websocket.close()

    async def test_a_websocket_outlives_the_deadline_of_its_handshake(self) -> None:
        async with http_peer(rest_or_websocket) as peer, client(peer.base_url, timeout=0.5) as http:
            websocket = await http.websocket("api", query={}, subprotocols=[])
            with pytest.raises(TimeoutError):
                await websocket.receive(timeout=0.7)
            await websocket.send_bytes(b"")
            assert await websocket.receive_bytes() == b""
            await websocket.close()

    async def test_more_websockets_are_open_than_aiohttp_would_allow(self) -> None:
        async with http_peer(rest_or_websocket) as peer, client(peer.base_url) as http:
            opened = [await http.websocket("api", query={}, subprotocols=[]) for _ in range(101)]
            await ask(http, "rest")
            await asyncio.gather(*(websocket.close() for websocket in opened))

    async def test_cancelling_gives_the_request_up(self) -> None:
        arrived, gone = asyncio.Event(), asyncio.Event()

        async def hang(_request: web.Request) -> web.StreamResponse:
            arrived.set()
            try:
                await gone.wait()
            finally:
                gone.set()
            raise AssertionError

        async with http_peer(hang) as peer, client(peer.base_url) as http, asyncio.timeout(10):
            request = asyncio.create_task(ask(http, "rest"))
            await arrived.wait()
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            gone.set()

    async def test_a_client_is_used_inside_its_block_only(self) -> None:
        with pytest.raises(RuntimeError, match="inside `async with`"):
            await ask(client("http://127.0.0.1:1"), "rest")


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @both_ways
    async def test_nobody_else_is_sent_anything(self, way: str, status: int) -> None:
        async def redirect(request: web.Request) -> web.StreamResponse:
            location = f"http://127.0.0.1:{thief.port}/elsewhere{request.path_qs}"
            return web.Response(status=status, headers={"Location": location})

        async with http_peer(rest_or_websocket) as thief, http_peer(redirect) as peer:
            error = await failure(peer.base_url, way, **SECRETS)
        assert isinstance(error, NotJupyter)
        assert f"a redirect to {thief.base_url}/elsewhere/; use that as the base URL" in str(error)
        assert len(peer.requests) == 1
        assert thief.requests == []

    @pytest.mark.parametrize(
        "location", ["/login?next=%2Fapi", "/hub/login", "/hub/api/oauth2/authorize?client_id=x", "/login/"]
    )
    @both_ways
    async def test_a_login_page_means_wrong_credentials(self, way: str, location: str) -> None:
        async def redirect(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": location})

        async with http_peer(redirect) as peer:
            error = await failure(peer.base_url, way, **SECRETS)
        assert isinstance(error, WrongCredentials)
        assert len(peer.requests) == 1

    @pytest.mark.parametrize("location", [None, "http://[", "http://me:s3cret@h/?token=s3cret"])
    async def test_a_strange_redirect_is_told(self, location: str | None) -> None:
        async def redirect(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={} if location is None else {"Location": location})

        async with http_peer(redirect) as peer:
            assert isinstance(await failure(peer.base_url), NotJupyter)


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "content_type", "body"),
        [
            (200, "text/html", b"<html>Sign in to the hotel's network</html>"),
            (200, "application/json", b""),
            (200, "application/json", b"\xff"),
            (200, "application/json", b'{"kernels": "many"}'),
            (404, "text/html", b"<html>nginx</html>"),
        ],
    )
    async def test_what_is_not_jupyters_is_told(self, status: int, content_type: str, body: bytes) -> None:
        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, content_type=content_type, body=body)

        async with http_peer(answer) as peer, client(peer.base_url) as http:
            with pytest.raises(NotJupyter, match="does not answer api as a Jupyter server does"):
                await http.call("GET", "api", answer=Status)

    async def test_html_is_no_answer_where_none_is_expected_either(self) -> None:
        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(content_type="text/html", text="<html></html>")

        async with http_peer(answer) as peer, client(peer.base_url) as http:
            with pytest.raises(NotJupyter):
                await http.call("DELETE", "api/kernels/1", answer=NoneType)

    @pytest.mark.parametrize("announced", [True, False])
    async def test_an_endless_answer_is_cut_off(self, announced: bool) -> None:
        sent = 0

        async def flood(request: web.Request) -> web.StreamResponse:
            nonlocal sent
            response = web.StreamResponse()
            if announced:
                response.content_length = 2**40
            await response.prepare(request)
            with contextlib.suppress(OSError):
                while True:
                    await response.write(b" " * 2**20)
                    sent += 2**20
            return response

        async with http_peer(flood) as peer, client(peer.base_url) as http:
            with pytest.raises(NotJupyter, match="more than 64 MiB"):
                await ask(http, "rest")
        assert sent < 2 * MOST_BYTES

    @both_ways
    async def test_a_websocket_refused_in_words_is_refused_in_these_words(self, way: str) -> None:
        async def refuse(_request: web.Request) -> web.StreamResponse:
            return web.json_response({"message": "No \x1b[31msuch\nkernel.", "reason": None}, status=404)

        async with http_peer(refuse) as peer:
            error = await failure(peer.base_url, way)
        assert isinstance(error, NotFound)
        assert str(error).endswith(": No [31msuch kernel.")

    async def test_a_proxy_that_passes_no_websockets_is_told(self) -> None:
        async with http_peer(version) as peer:
            error = await failure(peer.base_url, "websocket")
        assert isinstance(error, NotJupyter)
        assert "may not pass WebSockets on" in str(error)

    @pytest.mark.parametrize(
        ("answer", "kind", "words"),
        [
            (b"", LinkLost, "the other side closed it"),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", NotJupyter, "is not HTTP: check the port"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", LinkLost, "before the answer was complete"),
            (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", KernelwayError, ""),
        ],
    )
    @both_ways
    async def test_bytes_that_are_no_answer_are_told(
        self, way: str, answer: bytes, kind: type[KernelwayError], words: str
    ) -> None:
        async with raw_peer(answer) as peer:
            error = await failure(peer.base_url, way, **SECRETS)
        if b"200 OK" in answer and way == "websocket":
            kind, words = KernelwayError, ""
        assert isinstance(error, kind)
        assert words in str(error)


class TestAddresses:
    @both_ways
    async def test_nobody_listens(self, way: str) -> None:
        error = await failure(f"http://127.0.0.1:{free_port()}", way, **SECRETS)
        assert isinstance(error, Unreachable)
        assert "Nobody listens at" in str(error)

    @both_ways
    async def test_there_is_no_such_socket(self, way: str, tmp_path: Path) -> None:
        error = await failure(f"unix:{tmp_path}/missing.sock", way)
        assert isinstance(error, Unreachable)
        assert "There is no socket" in str(error)

    async def test_nobody_serves_the_socket_any_more(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "old.sock"))
        error = await failure(f"unix:{tmp_path}/old.sock")
        assert isinstance(error, Unreachable)
        assert "any more: start the server again" in str(error)

    @both_ways
    async def test_an_answer_that_never_comes_has_a_deadline(self, way: str) -> None:
        async with raw_peer(None) as peer:
            error = await failure(peer.base_url, way, timeout=1, **SECRETS)
        assert isinstance(error, TimedOut)
        assert "within 1 seconds" in str(error)

    async def test_an_answer_that_drips_has_the_same_deadline(self) -> None:
        async def drip(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            with contextlib.suppress(OSError):
                while not gone.is_set():
                    await response.write(b" ")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(gone.wait(), 0.05)
            return response

        gone = asyncio.Event()

        async with http_peer(drip) as peer:
            error = await failure(peer.base_url, timeout=1)
            gone.set()
        assert isinstance(error, TimedOut)

    async def test_a_connection_that_is_never_accepted_has_a_deadline(self) -> None:
        with full_listener() as port:
            error = await failure(f"http://127.0.0.1:{port}", timeout=0.3)
        assert isinstance(error, Unreachable)
        assert "within 0.15 seconds" in str(error)

    async def test_a_tls_handshake_that_never_ends_has_a_deadline(self) -> None:
        async with raw_peer(None) as peer:
            error = await failure(peer.base_url.replace("http:", "https:"), timeout=0.3)
        assert isinstance(error, Unreachable)


@contextlib.contextmanager
def full_listener() -> Iterator[int]:
    """A port whose queue of connections is full: Linux drops what asks for another one."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class TestTls:
    @both_ways
    async def test_the_authority_in_the_options_is_trusted(self, way: str, authority: Authority) -> None:
        async with http_peer(rest_or_websocket, tls=authority.server()) as peer:
            async with client(peer.base_url, ca_file=str(authority.file), **SECRETS) as http:
                await ask(http, way)
            error = await failure(peer.base_url, way, **SECRETS)
        assert isinstance(error, WrongCertificate)
        assert "Nobody known here vouches" in str(error)
        assert len(peer.requests) == 1

    @both_ways
    async def test_an_unknown_certificate_is_pinned_by_what_the_error_says(
        self, way: str, authority: Authority
    ) -> None:
        issued = authority.issue("some.other.name")
        tls = server_context(certfile=issued.cert, keyfile=issued.key)
        async with http_peer(rest_or_websocket, tls=tls) as peer:
            error = await failure(peer.base_url, way, **SECRETS)
            assert f"(SHA-256 fingerprint {issued.fingerprint})" in str(error)
            for pin in (issued.fingerprint, issued.fingerprint.replace(":", "").lower()):
                async with client(peer.base_url, fingerprint=pin, **SECRETS) as http:
                    await ask(http, way)

    @both_ways
    async def test_any_certificate_will_do_where_none_is_to_be_validated(
        self, way: str, authority: Authority
    ) -> None:
        tls = authority.server("some.other.name")
        async with (
            http_peer(rest_or_websocket, tls=tls) as peer,
            client(peer.base_url, validate_cert=False, **SECRETS) as http,
        ):
            await ask(http, way)

    @both_ways
    async def test_a_wrong_fingerprint_is_told_before_anything_is_sent(
        self, way: str, authority: Authority
    ) -> None:
        pinned, shown = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")
        tls = server_context(certfile=shown.cert, keyfile=shown.key)
        async with raw_peer(b"", tls=tls) as peer:
            for more in ({}, {"ca_file": str(authority.file)}):
                error = await failure(peer.base_url, way, fingerprint=pinned.fingerprint, **more, **SECRETS)
                assert isinstance(error, WrongCertificate)
                assert f"Its SHA-256 fingerprint is {shown.fingerprint}" in str(error)
        assert peer.received == b""
        async with raw_peer(b"", tls=tls) as peer:
            await failure(peer.base_url, way, fingerprint=shown.fingerprint, **SECRETS)
        assert b"s3cret-token" in peer.received

    async def test_a_pin_does_not_take_the_place_of_an_authority(
        self, authority: Authority, tmp_path: Path
    ) -> None:
        issued = authority.issue("127.0.0.1")
        other = Authority(tmp_path)
        tls = server_context(certfile=issued.cert, keyfile=issued.key)
        async with http_peer(version, tls=tls) as peer:
            error = await failure(peer.base_url, fingerprint=issued.fingerprint, ca_file=str(other.file))
        assert isinstance(error, WrongCertificate)
        assert peer.requests == []

    @pytest.mark.parametrize(
        ("identity", "days", "words"),
        [
            ("other.example", (-1, 1), "is for another name"),
            ("10.1.2.3", (-1, 1), "is for another name"),
            ("127.0.0.1", (-3, -1), "has expired"),
            ("127.0.0.1", (1, 3), "is not valid yet"),
        ],
    )
    @both_ways
    async def test_what_is_wrong_with_a_certificate_is_told(
        self, way: str, authority: Authority, identity: str, days: tuple[int, int], words: str
    ) -> None:
        async with http_peer(rest_or_websocket, tls=authority.server(identity, days=days)) as peer:
            error = await failure(peer.base_url, way, ca_file=str(authority.file), **SECRETS)
        assert isinstance(error, WrongCertificate)
        assert words in str(error)
        assert peer.requests == []

    @both_ways
    async def test_a_plain_server_behind_https_is_told(self, way: str) -> None:
        async with http_peer(version) as peer:
            error = await failure(peer.base_url.replace("http:", "https:"), way, **SECRETS)
        assert isinstance(error, WrongCertificate)
        assert "does not speak TLS: say http://" in str(error)
        assert peer.requests == []

    @both_ways
    async def test_a_tls_server_behind_http_is_told(self, way: str, authority: Authority) -> None:
        async with http_peer(version, tls=authority.server()) as peer:
            error = await failure(peer.base_url.replace("https:", "http:"), way)
        assert isinstance(error, WrongCertificate)
        assert "expects TLS: say https://" in str(error)

    @both_ways
    async def test_a_client_certificate_is_shown(self, way: str, authority: Authority) -> None:
        server, mine = authority.issue("127.0.0.1"), authority.issue("me@example.com")
        tls = server_context(certfile=server.cert, keyfile=server.key, client_ca=authority.file)
        options = {"client_cert": str(mine.cert), "client_key": str(mine.key)}
        async with http_peer(rest_or_websocket, tls=tls) as peer:
            for trust in ({"ca_file": str(authority.file)}, {"fingerprint": server.fingerprint}):
                async with client(peer.base_url, **options, **trust) as http:
                    await ask(http, way)
            assert len(peer.requests) == 2
            error = await failure(peer.base_url, way, ca_file=str(authority.file))
        assert isinstance(error, WrongCertificate | LinkLost)
        assert "give clientCert and clientKey" in str(error)
        assert len(peer.requests) == 2

    async def test_a_file_that_cannot_be_used_is_told_on_entering(self) -> None:
        with pytest.raises(ConfigError, match=r"/missing/ca\.pem cannot be read"):
            async with client("https://127.0.0.1:1", ca_file="/missing/ca.pem"):
                pass
