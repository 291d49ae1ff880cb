"""The gateway that this user's local work shares."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kernelway.client import Gateway, Result, ServerKind, Stream, local_gateway
from kernelway.client.local import LocalPlace, local_place
from kernelway.protocol.errors import ConfigError, NotJupyter, TimedOut, Unreachable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shared local gateway.")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LocalPlace]:
    """A place of the test's own; the gateway that was started there ends with the test."""
    with tempfile.TemporaryDirectory(prefix="kw-", dir="/tmp") as short:
        place = LocalPlace(Path(short) / "run", tmp_path / "state")
        yield place
        there = gateways(place)
        for process in there:
            process.terminate()
        assert not psutil.wait_procs(there, timeout=30)[1]


def gateways(place: LocalPlace) -> list[psutil.Process]:
    """The processes that serve from here."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("KERNELWAY_STATE_DIR") == str(place.state):
                found.append(process)
    return found


async def test_it_is_started_once_and_serves_whoever_comes(place: LocalPlace, tmp_path: Path) -> None:
    environ = {**os.environ, "GREETING": "hello", "KERNELWAY_TOKEN": "never", "KERNELWAY_BASE_URL": "/never"}
    options = await asyncio.gather(*(local_gateway(environ, place=place) for _ in range(4)))
    assert options == [options[0]] * 4
    assert len(gateways(place)) == 1
    async with Gateway.from_options(options[0]) as gateway:
        assert (await gateway.check()).kind is ServerKind.KERNELWAY
        session = await gateway.open_session(tmp_path / "a.py", cwd=str(tmp_path))
        code = "import os, sys; _ = sys.stdout.write(os.environ['GREETING'] + os.getcwd())"
        outputs = [output async for output in session.kernel.execute(code, timeout=60)]
        assert outputs == [Stream("stdout", f"hello{tmp_path}")]
    again = await local_gateway({}, place=place)
    async with Gateway.from_options(again) as gateway:
        session = await gateway.open_session(tmp_path / "a.py")
        outputs = [output async for output in session.kernel.execute("len(os.getcwd()) > 0", timeout=60)]
        assert outputs == [Result({"text/plain": "True"}, {}, execution_count=2)]
        await session.shutdown()
    assert len(gateways(place)) == 1


async def test_its_files_are_private(place: LocalPlace) -> None:
    await local_gateway(os.environ, place=place)
    assert place.runtime.stat().st_mode & 0o777 == 0o700
    for path in (place.socket, place.lock, place.log):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_socket_that_nobody_serves_any_more_is_replaced(place: LocalPlace) -> None:
    place.runtime.mkdir(mode=0o700)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(place.socket))
    options = await local_gateway(os.environ, place=place)
    async with Gateway.from_options(options) as gateway:
        assert (await gateway.check()).kind is ServerKind.KERNELWAY


async def test_a_gateway_that_cannot_start_tells_why(place: LocalPlace) -> None:
    place.state.write_text("a file where the folder of the state should be")
    with pytest.raises(Unreachable) as caught:
        await local_gateway(os.environ, place=place)
    assert "could not be started. It says:" in str(caught.value)
    assert str(place.state) in str(caught.value)


async def test_a_gateway_that_is_too_slow_is_not_waited_for(place: LocalPlace) -> None:
    with pytest.raises(TimedOut, match=r"did not serve within 0\.01 seconds"):
        await local_gateway(os.environ, place=place, within=0.01)


async def test_something_else_on_the_socket_is_told_apart(place: LocalPlace) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # Who only looks whether somebody is there.
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    place.runtime.mkdir(mode=0o700)
    async with await asyncio.start_unix_server(answer, place.socket):
        with pytest.raises(NotJupyter):
            await local_gateway(os.environ, place=place)


async def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with pytest.raises(ConfigError, match="path"):
        await local_gateway(os.environ, place=LocalPlace(folder, tmp_path / "state"))


def test_the_usual_place_is_private_to_the_user_and_machine(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kw-", dir="/tmp") as short:
        place = local_place({"XDG_RUNTIME_DIR": short})
        assert place.socket.is_relative_to(short)
        assert len(os.fsencode(place.socket)) < 100
        assert place.state.name == "local"
