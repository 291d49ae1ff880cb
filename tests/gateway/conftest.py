"""One gateway, with one kernel, for all tests that leave them as they were."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession
from tests.gateway.served import AUTHORIZED, Served, served_in, write_kernelspec

BASE_URL = "/user/ana/"


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway under a base URL, with kernelspecs that cannot work beside one that can."""
    folder = tmp_path_factory.mktemp("gateway")
    write_kernelspec(folder, "ends at once", ["sh", "-c", "echo this is why >&2; exit 3"])
    write_kernelspec(folder, "not-there", ["/nonexistent/kernel", "{connection_file}"])
    pictured = write_kernelspec(
        folder, "pictured", ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    )
    (pictured / "logo-64x64.png").write_bytes(b"\x89PNG not really")
    (pictured / "kernel.js").write_text("define([])")
    (pictured / "secret.txt").write_text("nobody's business")
    (pictured.parent / "stray.png").write_bytes(b"nobody's business either")
    flags = ("--allow-origin", "https://lab.example", "--allow-host", "lab.example")
    with served_in(folder, *flags, base_url=BASE_URL) as served:
        yield served


@pytest.fixture(scope="session")
def kernel_id(gateway: Served) -> str:
    """A kernel that tests leave running, idle, and without clients."""
    request = urllib.request.Request(f"{gateway.url}api/kernels", b"{}", AUTHORIZED)
    with urllib.request.urlopen(request, timeout=60) as answer:
        started: str = json.load(answer)["id"]
        return started


@pytest.fixture
async def http(gateway: Served) -> AsyncIterator[ClientSession]:
    """A client that shows the token."""
    async with gateway.client() as session:
        yield session
