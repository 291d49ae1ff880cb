"""A stock jupyter_server whose kernels all run on our gateway: `--gateway-url`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.interop.conftest import GatewayServer
from tests.support.stock import StockServer, jupyter_server_in

from kernelway.client import Error, Gateway, Result, Stream
from kernelway.client.kernel import Kernel


@pytest.fixture(scope="module")
def notebook_server(
    gateway_server: GatewayServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StockServer]:
    args = [
        f"--gateway-url={gateway_server.url.rstrip('/')}",
        f"--GatewayClient.auth_token={gateway_server.token}",
    ]
    with jupyter_server_in(tmp_path_factory.mktemp("notebook"), args=args) as server:
        yield server


@pytest.fixture
async def through(notebook_server: StockServer) -> AsyncIterator[Gateway]:
    async with Gateway(notebook_server.base_url, token=notebook_server.token) as gateway:
        yield gateway


@pytest.fixture
async def directly(gateway_server: GatewayServer) -> AsyncIterator[Gateway]:
    async with Gateway(gateway_server.url, token=gateway_server.token) as gateway:
        yield gateway


@pytest.fixture
async def kernel(through: Gateway) -> AsyncIterator[Kernel]:
    kernel = await through.start_kernel("python3")
    yield kernel
    await kernel.shutdown()


async def outputs(kernel: Kernel, code: str) -> list[object]:
    return [output async for output in kernel.execute(code, timeout=30)]


async def test_our_kernelspecs_are_listed(through: Gateway, directly: Gateway) -> None:
    assert set((await through.kernelspecs()).kernelspecs) == set((await directly.kernelspecs()).kernelspecs)


async def test_a_kernel_started_there_runs_here(kernel: Kernel, directly: Gateway) -> None:
    assert kernel.id in {each.id for each in await directly.kernels()}


async def test_code_runs_and_its_outputs_come_in_order(kernel: Kernel) -> None:
    seen = await outputs(kernel, "print('one')\n1 + 1")
    stream, result = seen
    assert isinstance(stream, Stream)
    assert stream.text == "one\n"
    assert isinstance(result, Result)
    assert result.data["text/plain"] == "2"


async def test_a_running_kernel_is_interrupted(kernel: Kernel) -> None:
    execution = kernel.execute("print('begun', flush=True)\nwhile True: pass", timeout=30)
    seen: list[object] = []
    async for output in execution:
        seen.append(output)
        if isinstance(output, Stream):
            await kernel.interrupt()
    assert isinstance(seen[-1], Error)
    assert seen[-1].name == "KeyboardInterrupt"


async def test_a_restarted_kernel_has_forgotten_and_works(kernel: Kernel) -> None:
    await outputs(kernel, "x = 1")
    await kernel.restart()
    (error,) = await outputs(kernel, "x")
    assert isinstance(error, Error)
    assert error.name == "NameError"


async def test_a_kernel_shut_down_there_is_gone_here(through: Gateway, directly: Gateway) -> None:
    kernel = await through.start_kernel("python3")
    await kernel.shutdown()
    assert kernel.id not in {each.id for each in await directly.kernels()}
