"""A host and its gateway put together: settings that do not go together, and one inside this process."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, UnixConnector
from tests.gateway.served import connected
from tests.support.certificates import Authority
from tests.support.processes import until
from yarl import URL

from kernelway.gateway.service import (
    check,
    default_state_folder,
    embedded,
    listen,
    new_folder,
    service,
)
from kernelway.host.state import noted_state_folders
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import ConfigError
from kernelway.settings import ServeSettings, environment
from kernelway.transport.api.server import url_of
from kernelway.transport.folders import runtime_folder
from kernelway.transport.listening import unlink_path

OUTER = "192.168.99.100"


@dataclass(frozen=True)
class Case:
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None


CASES = [
    Case("nothing is set"),
    Case("an outer address, with a token", {"ip": OUTER}),
    Case("all addresses, with a token", {"ip": ""}),
    Case("no token on loopback", {"no_auth": True}),
    Case("no token on ::1", {"no_auth": True, "ip": "::1"}),
    Case("no token on localhost", {"no_auth": True, "ip": "localhost"}),
    Case("no token on a private socket", {"no_auth": True, "ip": OUTER, "socket": Path("/tmp/s")}),
    Case("no token outside", {"no_auth": True, "ip": OUTER}, f"--no-auth would .* who can reach {OUTER}"),
    Case("no token on a name", {"no_auth": True, "ip": "gateway"}, "who can reach gateway"),
    Case(
        "no token on all addresses", {"no_auth": True, "ip": ""}, "who can reach any address of this machine"
    ),
    Case("no token on 0.0.0.0", {"no_auth": True, "ip": "0.0.0.0"}, "add --insecure to insist"),
    Case("no token on ::", {"no_auth": True, "ip": "::"}, "Leave it out, listen on 127.0.0.1"),
    Case("no token outside, and that is meant", {"no_auth": True, "ip": OUTER, "insecure": True}),
    Case("--insecure alone", {"insecure": True}),
    Case("an empty token", {"token": ""}, "An empty token lets everybody in: .* say --no-auth"),
    Case("an empty token, and that is meant", {"token": "", "no_auth": True}),
    Case("a token", {"token": "a-Z_0.9~!"}),
    Case("a token with a blank", {"token": "two words"}, "no blanks"),
    Case("a token with a line's end", {"token": "word\n"}, "no blanks"),
    Case("a token beyond ASCII", {"token": "schlüssel"}, "signs of ASCII only"),
    Case("a token that is no text", {"token": "\udcff"}, "signs of ASCII only"),
    Case("a base URL", {"base_url": "/user/ana%40b.org/a-b_c.d~e/"}),
    Case("a base URL with a blank", {"base_url": "/a b/"}, "--base-url /a b/: a path has letters"),
    Case("a base URL with a quoted blank", {"base_url": "/a%20b/"}, "a path has letters"),
    Case("a base URL with a pattern", {"base_url": "/{user}/"}, "a path has letters"),
    Case("a base URL with a query", {"base_url": "/x?y"}, "a path has letters"),
    Case("a whole URL", {"base_url": "http://x/"}, "a path has letters"),
    Case("a certificate", {"certfile": Path("c")}),
    Case("a certificate and its key", {"certfile": Path("c"), "keyfile": Path("k"), "client_ca": Path("a")}),
    Case("a key alone", {"keyfile": Path("k")}, "--keyfile needs --certfile beside it"),
    Case("an authority alone", {"client_ca": Path("a")}, "--client-ca needs --certfile beside it"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_settings_that_do_not_go_together(case: Case) -> None:
    settings = ServeSettings(**case.settings)
    if case.refused is None:
        check(settings)
        return
    with pytest.raises(ConfigError, match=case.refused) as caught:
        check(settings)
    assert settings.token is None or settings.token == "" or settings.token not in str(caught.value)


async def test_a_gateway_inside_this_process_has_a_socket_that_nobody_else_can_reach() -> None:
    runtime = runtime_folder(environment())
    async with embedded(ServeSettings(ip="0.0.0.0", max_kernels=1), environ=environment()) as inside:
        path = Path(inside.url.removeprefix("unix:"))
        assert inside.token is None
        assert inside.url_with_token == inside.url
        assert path.is_relative_to(runtime)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        async with ClientSession("http://localhost/", connector=UnixConnector(str(path))) as http:
            async with http.post("api/kernels", json={}) as answer:
                assert answer.status == 201
                kernel_id = (await answer.json())["id"]
            async with connected(http, kernel_id) as client:
                assert await client.value("6 * 7") == "42"
            async with http.post("api/kernels", json={}) as answer:
                assert answer.status == 403
    # Its kernel, its guard and its folder are gone: that no test leaves one of them is checked anyway.
    assert not path.parent.exists()


@pytest.mark.parametrize("no_fork", [False, True])
async def test_how_kernels_start_is_a_matter_of_the_settings(*, no_fork: bool) -> None:
    settings = ServeSettings(port=0, warm=1, preload=("colorsys",), no_fork=no_fork, default_kernel="gone")
    async with service(settings, listen(settings), token="t", environ=environment()) as serving:
        options = serving.host._options
        assert (options.fork, options.preload, options.warm) == (not no_fork, ("colorsys",), 1)


async def test_kernels_that_wait_are_in_no_list_and_no_count() -> None:
    settings = ServeSettings(port=0, warm=1)
    async with service(settings, listen(settings), token="t", environ=environment()) as serving:
        pool = serving.host._pool
        pool._rules = dataclasses.replace(pool._rules, has_memory=lambda: True)

        async def one_waits() -> bool:
            return pool.ready == 1

        await until(one_waits)
        headers = {"Authorization": "token t"}
        async with ClientSession(serving.url, headers=headers) as http:
            for place in ("kernels", "sessions"):
                async with http.get(f"api/{place}") as answer:
                    assert await answer.json() == []
            async with http.get("api/status") as answer:
                assert (await answer.json())["kernels"] == 0
            async with http.post("api/kernels", json={"env": {"GIVEN": "here"}}) as answer:
                kernel_id = (await answer.json())["id"]
            async with connected(http, kernel_id) as client:
                assert await client.value("__import__('os').environ['GIVEN']") == "'here'"
            async with http.get("api/kernels") as answer:
                assert [each["id"] for each in await answer.json()] == [kernel_id]


async def test_a_gateway_for_one_command_makes_nothing_ready() -> None:
    async with embedded(ServeSettings(warm=1), environ=environment()) as inside:
        options = inside.host._options
        assert (options.fork, options.warm) == (False, 0)


async def test_what_failed_to_serve_leaves_nothing() -> None:
    class Unheard(Exception):
        pass

    runtime = runtime_folder(environment())
    before = list(runtime.iterdir())
    with pytest.raises(Unheard):
        async with embedded(ServeSettings(), environ=environment()):
            raise Unheard
    with listen(ServeSettings(port=0)) as listener:
        missing = ServeSettings(certfile=Path("/nonexistent.pem"))
        with pytest.raises(ConfigError, match=r"/nonexistent\.pem cannot be read"):
            async with service(missing, listener, token="t", environ=environment()):
                raise AssertionError("it came to serve")
    assert list(runtime.iterdir()) == before


@pytest.mark.parametrize(
    ("given", "served"),
    [
        ("/", "/"),
        ("", "/"),
        ("x", "/x/"),
        ("/x/y", "/x/y/"),
        ("//x//", "/x/"),
        ("/user/ana%40b.org/", "/user/ana%40b.org/"),
    ],
)
async def test_the_base_url_begins_and_ends_with_a_slash(given: str, served: str) -> None:
    settings = ServeSettings(port=0, base_url=given, warm=0)
    async with service(settings, listen(settings), token="t", environ=environment()) as serving:
        url = URL(serving.url, encoded=True)
        assert url.raw_path == served
        assert serving.url_with_token == f"{serving.url}?token=t"
        async with ClientSession() as http:
            # What is open stays open, and what is not does not, wherever it is served.
            async with http.get(URL(f"{url}api", encoded=True)) as answer:
                assert answer.status == 200
            async with http.get(URL(f"{url}api/kernels", encoded=True)) as answer:
                assert answer.status == 401


async def test_clients_hear_that_it_stops_and_why_their_kernels_end() -> None:
    settings = ServeSettings(port=0, kernel_shutdown_wait=2.0, warm=0)
    async with contextlib.AsyncExitStack() as clients:
        async with service(settings, listen(settings), token="t", environ=environment()) as serving:
            headers = {"Authorization": "token t"}
            http = await clients.enter_async_context(ClientSession(serving.url, headers=headers))
            async with http.post("api/kernels", json={}) as answer:
                kernel_id = (await answer.json())["id"]
            sockets = [await clients.enter_async_context(connected(http, kernel_id)) for _ in range(5)]
            for socket in sockets:
                assert await socket.value("6 * 7") == "42"
            hearing = asyncio.gather(*(socket.closed() for socket in sockets))
        # The kernel's end, and not that of the gateway, which follows.
        assert await hearing == [(CloseCode.KERNEL_GONE, "The kernel was shut down.")] * 5


async def test_while_it_runs_it_is_found_by_its_state_folder_and_can_be_replaced(tmp_path: Path) -> None:
    settings = ServeSettings(port=0, warm=0)
    async with service(
        settings, listen(settings), token="t", environ=environment(), state=tmp_path
    ) as serving:
        assert serving.supervisor is not None
        assert noted_state_folders(runtime_folder(environment())) >= {tmp_path}
        before = serving.supervisor.pid
        replacement = await serving.supervisor.replace()
        assert replacement.pid == serving.supervisor.pid != before
    assert tmp_path not in noted_state_folders(runtime_folder(environment()))


async def test_a_gateway_serves_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("127.0.0.1")
    settings = ServeSettings(port=0, certfile=issued.cert, keyfile=issued.key, warm=0)
    async with service(settings, listen(settings), token="t", environ=environment()) as serving:
        assert serving.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(authority.file))
        async with ClientSession() as http, http.get(f"{serving.url}api", ssl=context) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("localhost", "localhost"),
        ("::1", "[::1]"),
        ("::", "[::1]"),
    ],
)
def test_the_url_is_one_that_this_machine_can_use(ip: str, name: str) -> None:
    with listen(ServeSettings(ip=ip, port=0)) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener, ip=ip, base_url="/x/", tls=False) == f"http://{name}:{port}/x/"
        with socket.create_connection((name.strip("[]"), port), timeout=5):
            pass


def test_the_state_folder_is_named_after_what_is_listened_on(tmp_path: Path) -> None:
    with listen(ServeSettings(port=0)) as listener:
        folder = default_state_folder(listener)
        assert folder.name == str(listener.getsockname()[1])
        assert folder.is_relative_to(os.environ["XDG_STATE_HOME"])
    with listen(ServeSettings(socket=tmp_path / "mine.sock")) as listener:
        assert default_state_folder(listener).name == "mine"
        unlink_path(listener)


def test_each_host_has_a_folder_of_its_own() -> None:
    folders = {new_folder(environment()) for _ in range(3)}
    assert len(folders) == 3
    for folder in folders:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.rmdir()


async def test_trouble_with_the_disk_is_in_the_status(tmp_path: Path) -> None:
    settings = ServeSettings(port=0, kernel_shutdown_wait=2.0, warm=0)
    headers = {"Authorization": "token t"}
    async with (
        service(settings, listen(settings), token="t", environ=environment(), state=tmp_path) as serving,
        ClientSession(serving.url, headers=headers) as http,
    ):

        async def trouble() -> str:
            async with http.get("api/status") as answer:
                told: str = (await answer.json()).get("trouble", "")
            return told

        assert await trouble() == ""
        (tmp_path / "journals").rename(tmp_path / "elsewhere")
        (tmp_path / "journals").write_text("in the way")
        async with http.post("api/kernels", json={}) as answer:
            kernel_id = (await answer.json())["id"]
        async with connected(http, kernel_id) as client:
            # A disk that takes nothing ends no kernel.
            assert await client.value("6 * 7") == "42"

        async def told() -> bool:
            return str(tmp_path / "journals") in await trouble()

        await until(told)


@pytest.mark.parametrize("no_journal", [False, True])
async def test_journals_are_kept_in_the_state_folder_unless_that_is_not_wanted(
    tmp_path: Path, *, no_journal: bool
) -> None:
    settings = ServeSettings(port=0, kernel_shutdown_wait=2.0, no_journal=no_journal, warm=0)
    headers = {"Authorization": "token t"}
    async with (
        service(settings, listen(settings), token="t", environ=environment(), state=tmp_path) as serving,
        ClientSession(serving.url, headers=headers) as http,
    ):
        async with http.post("api/kernels", json={}) as answer:
            kernel_id = (await answer.json())["id"]
        async with connected(http, kernel_id) as client:
            assert await client.value("6 * 7") == "42"
        async with http.get("api/status") as answer:
            assert "trouble" not in await answer.json()
    assert [each.name for each in (tmp_path / "journals").glob("*")] == ([] if no_journal else [kernel_id])
