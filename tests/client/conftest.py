"""Stock servers for the tests of the client, one of each for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.client.gateways import (  # noqa: F401 - fixtures that this folder's tests ask for by name.
    kernel,
    lasting_kernel,
    listing_kernel_gateway,
    listing_place,
    old_jupyter_server,
    own_gateway,
    own_kernel,
    place,
    place_with_kernel,
    stock_jupyter_server,
    stock_kernel_gateway,
)
from tests.support.stock import StockServer, jupyter_server_in, kernel_gateway_in


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    """A stock jupyter_server with a token, under a base path."""
    with jupyter_server_in(tmp_path_factory.mktemp("jupyter_server"), base_path="/deep/base") as server:
        yield server


@pytest.fixture(scope="session")
def kernel_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    """A stock kernel_gateway with a token."""
    with kernel_gateway_in(tmp_path_factory.mktemp("kernel_gateway")) as server:
        yield server
