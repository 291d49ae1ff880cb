"""Gateways for the tests of the bridge."""

from __future__ import annotations

from tests.client.conftest import jupyter_server  # noqa: F401 - what the fixture below asks for.
from tests.client.gateways import (  # noqa: F401 - fixtures that this folder's tests ask for by name.
    own_gateway,
    stock_jupyter_server,
)
