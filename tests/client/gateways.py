"""Fixtures of the client's tests: gateways of every kind, and kernels on them."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.processes import Process, environ_in
from tests.support.stock import StockServer, jupyter_server_in, kernel_gateway_in
from yarl import URL

from kernelway.client import Gateway, Kernel
from kernelway.client.sync import Gateway as SyncGateway
from kernelway.protocol.models import KernelId


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a gateway serves."""

    kind: str
    base_url: str
    token: str

    @asynccontextmanager
    async def gateway(self, *, alone: bool = True) -> AsyncIterator[Gateway]:
        """The gateway; leaving it must leave no task behind, if it is the only one that begins any."""
        before = asyncio.all_tasks()
        async with Gateway(self.base_url, token=self.token) as gateway:
            yield gateway
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        assert not alone or not [task for task in left if not task.done()]


@contextmanager
def kernelway_in(folder: Path) -> Iterator[Place]:
    """A gateway of our own."""
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "kernelway", "serve", "--ip", "127.0.0.1", "--port", "0"),
        *("--token", token, "--state-dir", str(folder / "state"), "--kernel-shutdown-wait", "2"),
    ]
    with Process(command, ready=r" serves http", environ=environ_in(folder), folder=folder) as process:
        line = next(line for line in process.lines if " serves http" in line)
        url = URL(line.split()[-1])
        yield Place(kind="kernelway", base_url=str(url.with_query(None)), token=token)


def until_listening(base_url: str) -> None:
    """Wait until a server takes connections; jupyter_server says that it serves a moment before it does."""
    url, until = URL(base_url), time.monotonic() + 10
    while True:
        try:
            socket.create_connection((url.host, url.port), timeout=1).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until
            threading.Event().wait(0.02)
        else:
            return


def place_of(kind: str, server: StockServer) -> Place:
    """The place of a stock server, once it takes connections."""
    until_listening(server.base_url)
    return Place(kind=kind, base_url=server.base_url, token=server.token)


@pytest.fixture(scope="session")
def stock_jupyter_server(jupyter_server: StockServer) -> Place:
    return place_of("jupyter_server", jupyter_server)


@pytest.fixture(scope="session")
def old_jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A jupyter_server that speaks the default WebSocket protocol alone."""
    args = ("--ZMQChannelsWebsocketConnection.kernel_ws_protocol=",)
    with jupyter_server_in(tmp_path_factory.mktemp("old_jupyter_server"), args=args) as server:
        yield place_of("old_jupyter_server", server)


@pytest.fixture(scope="session")
def stock_kernel_gateway(kernel_gateway: StockServer) -> Place:
    """A kernel_gateway as it comes: it refuses to list kernels and sessions."""
    return place_of("kernel_gateway", kernel_gateway)


@pytest.fixture(scope="session")
def listing_kernel_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A kernel_gateway that was told to list its kernels and sessions."""
    args = ("--JupyterWebsocketPersonality.list_kernels=True",)
    with kernel_gateway_in(tmp_path_factory.mktemp("listing_gateway"), args=args) as server:
        yield place_of("listing_kernel_gateway", server)


@pytest.fixture(scope="session")
def own_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with kernelway_in(tmp_path_factory.mktemp("kernelway")) as place:
        yield place


EVERY = ("stock_jupyter_server", "stock_kernel_gateway", "own_gateway")
"""The fixtures of the servers that the client must talk to alike."""

LISTING = ("stock_jupyter_server", "listing_kernel_gateway", "own_gateway")
"""Of those that list sessions."""


@pytest.fixture(params=EVERY)
def place(request: pytest.FixtureRequest) -> Place:
    """Each kind of server in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=LISTING)
def listing_place(request: pytest.FixtureRequest) -> Place:
    """Each kind of server that lists sessions, in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found


@asynccontextmanager
async def kernel_on(place: Place) -> AsyncIterator[Kernel]:
    """A kernel of the test's own, which ends with it."""
    async with place.gateway() as gateway:
        kernel = await gateway.start_kernel("python3")
        yield kernel
        await kernel.shutdown()


@pytest.fixture
async def kernel(place: Place) -> AsyncIterator[Kernel]:
    """A kernel on each kind of server in turn."""
    async with kernel_on(place) as kernel:
        yield kernel


@pytest.fixture(scope="module", params=EVERY)
def place_with_kernel(request: pytest.FixtureRequest) -> Iterator[tuple[Place, KernelId]]:
    """Each kind of server in turn, with a kernel for all tests of a file that leave it as it was."""
    place: Place = request.getfixturevalue(request.param)
    with SyncGateway(place.base_url, token=place.token) as gateway:
        kernel_id = gateway.start_kernel("python3").id
    yield place, kernel_id
    with SyncGateway(place.base_url, token=place.token) as gateway:
        gateway.connect(kernel_id).shutdown()


@pytest.fixture
async def lasting_kernel(place_with_kernel: tuple[Place, KernelId]) -> AsyncIterator[Kernel]:
    """That kernel, by a connection of the test's own."""
    place, kernel_id = place_with_kernel
    async with place.gateway() as gateway:
        yield await gateway.connect(kernel_id)


@pytest.fixture
async def own_kernel(own_gateway: Place) -> AsyncIterator[Kernel]:
    """A kernel on a gateway of our own."""
    async with kernel_on(own_gateway) as kernel:
        yield kernel
