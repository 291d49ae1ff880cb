"""Listening sockets: ports, and Unix sockets."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelway.protocol.errors import ConfigError, Conflict
from kernelway.transport.folders import LONGEST_SOCKET_PATH
from kernelway.transport.listening import listen_on_path, listen_on_port, unlink_path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def taken() -> Iterator[list[int]]:
    """Two ports in a row that somebody listens on, with a free one after them."""
    with contextlib.ExitStack() as stack:
        while True:
            first = stack.enter_context(listen_on_port("127.0.0.1", 0, retries=0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(Conflict):
                stack.enter_context(listen_on_port("127.0.0.1", port + 1, retries=0))
                listen_on_port("127.0.0.1", port + 2, retries=0).close()
                break
        yield [port, port + 1]


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


# Ports


@pytest.mark.parametrize(
    ("ip", "family", "bound"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("localhost", None, None),
        ("::1", socket.AF_INET6, "::1"),
        ("0.0.0.0", socket.AF_INET, "0.0.0.0"),
        ("", None, None),
    ],
)
def test_any_free_port_of_an_address(ip: str, family: socket.AddressFamily | None, bound: str | None) -> None:
    with listen_on_port(ip, 0, retries=0) as listener:
        assert family in (None, listener.family)
        assert bound in (None, listener.getsockname()[0])
        to = {"0.0.0.0": "127.0.0.1", "": "localhost"}.get(ip, ip)
        with socket.create_connection((to, port_of(listener)), timeout=5):
            pass


def test_a_free_port_is_taken_as_it_is_asked_for(taken: list[int]) -> None:
    with listen_on_port("127.0.0.1", taken[1] + 1, retries=5) as listener:
        assert port_of(listener) == taken[1] + 1


def test_the_next_free_port_is_taken(taken: list[int]) -> None:
    with listen_on_port("127.0.0.1", taken[0], retries=2) as listener:
        assert port_of(listener) == taken[1] + 1


@pytest.mark.parametrize(("retries", "said"), [(0, "port {0} is taken"), (1, "ports {0} to {1} are taken")])
def test_taken_ports_are_told_with_what_to_do(taken: list[int], retries: int, said: str) -> None:
    with pytest.raises(Conflict, match=said.format(*taken)) as caught:
        listen_on_port("127.0.0.1", taken[0], retries=retries)
    assert "On 127.0.0.1, " in str(caught.value)
    assert "--port 0 any free one" in str(caught.value)


def test_no_port_is_tried_beyond_the_last_there_is() -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Conflict):
            stack.enter_context(listen_on_port("127.0.0.1", 65535, retries=0))
        with pytest.raises(Conflict, match="port 65535 is taken"):
            listen_on_port("127.0.0.1", 65535, retries=50)


@pytest.mark.parametrize(
    ("ip", "said"),
    [
        ("192.0.2.1", "--ip 192.0.2.1: cannot listen there: Cannot assign requested address"),
        ("no-such-machine.invalid", "--ip no-such-machine.invalid: this address is not known: "),
        ("300.1.1.1", "this address is not known: "),
        ("..", "no machine can have such a name"),
        ("x" * 70, "no machine can have such a name"),
    ],
)
def test_an_address_that_is_not_ours_is_told(ip: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listen_on_port(ip, 0, retries=0)
    assert said in str(caught.value)


# Unix sockets


def test_a_unix_socket_is_its_users_own(folder: Path) -> None:
    before = os.umask(0)
    try:
        listener = listen_on_path(folder / "s")
    finally:
        os.umask(before)
    with listener:
        assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "s"))


def test_a_dead_socket_is_replaced(folder: Path) -> None:
    listen_on_path(folder / "s").close()
    assert (folder / "s").is_socket()
    listen_on_path(folder / "s").close()


def test_a_served_socket_is_not(folder: Path) -> None:
    with listen_on_path(folder / "s") as listener:
        with pytest.raises(Conflict, match="another gateway serves it"):
            listen_on_path(folder / "s")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "s"))
            listener.accept()[0].close()


def test_a_socket_whose_queue_is_full_is_served(folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(socket.socket(socket.AF_UNIX))
        busy.bind(str(folder / "s"))
        busy.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(folder / "s"))
        with pytest.raises(Conflict, match="another gateway serves it"):
            listen_on_path(folder / "s")
        assert (folder / "s").is_socket()


@pytest.mark.parametrize("kind", ["file", "folder", "fifo", "link to nothing"])
def test_what_else_is_there_is_left_as_it_is(folder: Path, kind: str) -> None:
    path = folder / "s"
    match kind:
        case "file":
            path.write_text("important")
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case _:
            path.symlink_to("nothing")
    before = path.lstat()
    with pytest.raises(ConfigError, match=rf"--socket {path}: something else is there"):
        listen_on_path(path)
    assert path.lstat().st_ino == before.st_ino


def test_a_path_that_no_socket_can_have_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot listen there: No such file or directory"):
        listen_on_path(folder / "nowhere" / "s")
    with pytest.raises(ConfigError, match=f"at most {LONGEST_SOCKET_PATH} bytes"):
        listen_on_path(folder / ("é" * 50))
    assert list(folder.iterdir()) == []


def test_the_path_goes_while_the_socket_still_listens(folder: Path) -> None:
    with listen_on_path(folder / "s") as listener:
        unlink_path(listener)
        assert list(folder.iterdir()) == []
        unlink_path(listener)
        with listen_on_path(folder / "s"):
            # The path is another's by now, and so the end of the first is none of its business.
            listener.close()
            unlink_path(listener)
            assert (folder / "s").is_socket()


def test_a_port_has_no_path(taken: list[int]) -> None:
    with listen_on_port("127.0.0.1", 0, retries=0) as listener:
        unlink_path(listener)
        assert listener.fileno() >= 0
