from __future__ import annotations

import asyncio
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Any

import psutil
import pytest
from aiohttp import web
from tests.support.certificates import Authority
from tests.support.peers import http_peer
from tests.support.processes import free_port, until
from tests.support.sshd import MISSING, SSHD, SshServer
from tests.support.stock import StockServer

from kernelway.client import tunnel as tunnel_module
from kernelway.client.http import HttpClient
from kernelway.client.options import GatewayOptions, SshDestination, parse_destination
from kernelway.client.tunnel import Tunnel
from kernelway.protocol.errors import ConfigError, LinkError, TimedOut, TunnelFailed
from kernelway.transport.tls import server_context

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="The tests need an sshd."),
    pytest.mark.skipif(not Path(SSHD).exists(), reason=MISSING),
]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    server = SshServer.create(tmp_path_factory.mktemp("sshd"))
    with server.running():
        yield server


@pytest.fixture(autouse=True)
def no_ssh_is_left() -> Iterator[None]:
    yield
    assert ssh_processes() == []


def ssh_processes() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        # One that ends just now is none.
        with suppress(psutil.NoSuchProcess):
            if child.name() == "ssh":
                found.append(child)
    return found


async def echo(request: web.Request) -> web.StreamResponse:
    if "Upgrade" not in request.headers:
        return web.json_response({"host": request.host, "path": request.path})
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    async for message in websocket:
        await websocket.send_str(f"{request.host} {message.data}")
    return websocket


def through(sshd: SshServer, base_url: str, *, key: str = "mine", **options: Any) -> HttpClient:
    given = GatewayOptions(base_url=base_url, ssh=sshd.destination, **options)
    return HttpClient(given, ssh_command=sshd.ssh(key=key))


async def check(http: HttpClient, host: str) -> None:
    """REST and WebSocket arrive, and the server sees the name that it was addressed by."""
    assert await http.call("GET", "api", answer=dict) == {"host": host, "path": "/api"}
    websocket = await http.websocket("api/ws", query={}, subprotocols=[])
    await websocket.send_str("hello")
    assert await websocket.receive_str(timeout=10) == f"{host} hello"
    await websocket.close()


async def test_a_stock_server_is_reached(sshd: SshServer, jupyter_server: StockServer) -> None:
    async with through(sshd, jupyter_server.base_url, token=jupyter_server.token) as http:
        kernel = await http.call("POST", "api/kernels", answer=dict, body={"name": "python3"})
        path = f"api/kernels/{kernel['id']}"
        websocket = await http.websocket(f"{path}/channels", query={"session_id": "s"}, subprotocols=[])
        await websocket.close()
        await http.call("DELETE", path, answer=NoneType)


async def test_a_remote_socket_is_reached(sshd: SshServer, tmp_path: Path) -> None:
    async with (
        http_peer(echo, unix_path=tmp_path / "a socket") as peer,
        through(sshd, peer.base_url) as http,
    ):
        await check(http, "localhost")


async def test_tls_goes_through_with_the_servers_own_name(sshd: SshServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued, other = authority.issue("localhost"), authority.issue("localhost")
    tls = server_context(certfile=issued.cert, keyfile=issued.key)
    async with http_peer(echo, tls=tls) as peer:
        base_url = f"https://localhost:{peer.port}"
        for trust in ({"ca_file": str(authority.file)}, {"fingerprint": issued.fingerprint}):
            async with through(sshd, base_url, **trust) as http:
                await check(http, f"localhost:{peer.port}")
        async with through(sshd, peer.base_url, ca_file=str(authority.file)) as http:
            with pytest.raises(LinkError, match=f"for another name .*{issued.fingerprint}"):
                await http.call("GET", "api", answer=dict)
        async with through(sshd, base_url, fingerprint=other.fingerprint) as http:
            with pytest.raises(LinkError, match="another certificate than the pinned one"):
                await http.call("GET", "api", answer=dict)


async def test_the_local_socket_is_private_and_goes_away(sshd: SshServer) -> None:
    tunnel = Tunnel(parse_destination(sshd.destination), remote="127.0.0.1:1", command=sshd.ssh())
    async with tunnel:
        path = (await tunnel.ready(deadline=30)).path
        assert path is not None
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(ssh_processes()) == 1
    assert not path.parent.exists()


@pytest.mark.parametrize("key", ["stranger", "missing"])
async def test_a_refused_key_is_told_in_sshs_words(sshd: SshServer, key: str) -> None:
    with pytest.raises(TunnelFailed, match="Permission denied") as caught:
        async with through(sshd, "http://127.0.0.1:1", key=key):
            pass
    assert f"ssh could not make the tunnel to {sshd.destination}" in str(caught.value)
    assert f"`ssh -p {sshd.port} " in str(caught.value)


async def test_an_unknown_host_is_told_in_sshs_words(sshd: SshServer) -> None:
    program, *options = sshd.ssh()
    command = (program, "-o", "UserKnownHostsFile=/dev/null", *options)
    tunnel = Tunnel(parse_destination(sshd.destination), remote="127.0.0.1:1", command=command)
    with pytest.raises(TunnelFailed, match="Host key verification failed"):
        async with tunnel:
            pass


async def test_no_sshd_is_told_in_sshs_words(sshd: SshServer) -> None:
    destination = SshDestination("127.0.0.1", port=free_port())
    with pytest.raises(TunnelFailed, match="Connection refused"):
        async with Tunnel(destination, remote="127.0.0.1:1", command=sshd.ssh()):
            pass


async def test_a_missing_ssh_is_named() -> None:
    tunnel = Tunnel(SshDestination("host"), remote="127.0.0.1:1", command=("/missing/ssh",))
    with pytest.raises(TunnelFailed, match=r"/missing/ssh cannot be started .* openssh-client"):
        async with tunnel:
            pass


async def test_nobody_at_the_remote_end_is_told_in_sshs_words(sshd: SshServer) -> None:
    async with through(sshd, f"http://127.0.0.1:{free_port()}") as http:
        with pytest.raises(LinkError, match=r"ssh says: .*Connection refused") as caught:
            await http.call("GET", "api", answer=dict)
    assert f"(through ssh to {sshd.destination})" in str(caught.value)


@pytest.mark.parametrize("over_unix", [True, False])
async def test_a_broken_tunnel_is_made_again(sshd: SshServer, over_unix: bool) -> None:
    destination = parse_destination(sshd.destination)
    async with (
        http_peer(echo) as peer,
        Tunnel(
            destination, remote=f"127.0.0.1:{peer.port}", over_unix=over_unix, command=sshd.ssh()
        ) as tunnel,
    ):

        async def forwards() -> bool:
            return [process.pid for process in ssh_processes()] != [ssh.pid] and await answers(tunnel)

        for _ in range(2):
            (ssh,) = ssh_processes()
            ssh.kill()
            await until(forwards)


async def answers(tunnel: Tunnel) -> bool:
    try:
        local = await tunnel.ready(deadline=30)
        if local.path is not None:
            reader, writer = await asyncio.open_unix_connection(local.path)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", local.port)
        writer.write(b"GET /api HTTP/1.0\r\n\r\n")
        line = await reader.readline()
        writer.close()
    except (TunnelFailed, OSError):
        return False
    return line.split()[1:2] == [b"200"]


async def test_an_outage_is_told_and_survived(tmp_path: Path) -> None:
    server = SshServer.create(tmp_path)
    told: list[LinkError] = []
    async with http_peer(echo) as peer:
        http = through(server, peer.base_url)

        async def works() -> bool:
            try:
                await http.call("GET", "api", answer=dict)
            except LinkError as error:
                told.append(error)
                return False
            return True

        async def is_told() -> bool:
            return not await works() and isinstance(told[-1], TunnelFailed)

        with server.running():
            await http.__aenter__()
        try:
            await until(is_told)
            assert "Connection refused" in str(told[-1])
            with server.running():
                await until(works)
        finally:
            await http.__aexit__(None, None, None)


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "ssh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return (str(path),)


async def test_an_ssh_that_hangs_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel_module, "READY_TIMEOUT", 0.3)
    command = script(tmp_path, "echo waiting for godot >&2; exec sleep 600")
    with pytest.raises(TunnelFailed, match="waiting for godot"):
        async with Tunnel(SshDestination("host"), remote="127.0.0.1:1", command=command):
            pass


async def test_a_cancelled_entry_leaves_no_ssh(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = script(tmp_path, f"echo $$ > {shlex.quote(str(pid_file))}; exec sleep 600")
    entry = asyncio.create_task(
        Tunnel(SshDestination("host"), remote="127.0.0.1:1", command=command).__aenter__()
    )

    async def started() -> bool:
        return pid_file.exists() and pid_file.read_text().endswith("\n")

    await until(started)
    entry.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entry
    assert not psutil.pid_exists(int(pid_file.read_text()))


async def test_an_ssh_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel_module, "_ENDING", 0.2)
    command = script(tmp_path, "trap '' TERM; echo kernelway-tunnel-ready; while :; do sleep 0.1; done")
    async with Tunnel(SshDestination("host"), remote="127.0.0.1:1", command=command):
        (stubborn,) = [child for child in psutil.Process().children() if child.name() == "ssh"]
    assert not psutil.pid_exists(stubborn.pid)


async def test_endless_words_are_bounded(tmp_path: Path) -> None:
    command = script(tmp_path, "yes 'all work and no play' | head -c 1000000 >&2; echo the end >&2; exit 1")
    with pytest.raises(TunnelFailed, match="the end") as caught:
        async with Tunnel(SshDestination("host"), remote="127.0.0.1:1", command=command):
            pass
    assert len(str(caught.value)) < 8000


async def test_a_closed_tunnel_lets_nobody_wait(sshd: SshServer) -> None:
    async with Tunnel(
        parse_destination(sshd.destination), remote="127.0.0.1:1", command=sshd.ssh()
    ) as tunnel:
        await tunnel.ready(deadline=30)
    with pytest.raises(TunnelFailed, match="is closed"):
        await tunnel.ready(deadline=30)


async def test_waiting_for_a_way_has_a_deadline(tmp_path: Path) -> None:
    up = shlex.quote(str(tmp_path / "up"))
    command = script(tmp_path, f"test -e {up} && exec sleep 600; touch {up}; echo kernelway-tunnel-ready")
    async with Tunnel(SshDestination("host"), remote="127.0.0.1:1", command=command) as tunnel:

        async def is_up() -> bool:
            await tunnel.ready(deadline=0.2)
            return False

        with pytest.raises(TimedOut, match=r"not there again within 0\.2 seconds"):
            await until(is_up)


@pytest.mark.parametrize("path", ["/a:b", "/a%h", "/a$HOME", "/a\\b"])
def test_a_socket_that_ssh_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="cannot be named to ssh"):
        Tunnel(SshDestination("host"), remote=path)
