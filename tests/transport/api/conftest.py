"""The routes are tested where a client meets them: through a gateway."""

from __future__ import annotations

from tests.gateway.conftest import gateway, http, kernel_id  # noqa: F401 - fixtures, asked for by name.
