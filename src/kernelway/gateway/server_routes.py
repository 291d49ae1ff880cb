"""``/api``, ``/api/status``, ``/api/me`` and the description of the API itself, ``/api/spec.json``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from kernelway import __version__
from kernelway.protocol.models import ApiVersion, Identity, Me, Status
from kernelway.transport.api.routes import HOST, Route, answer

_PERMISSIONS = {
    "kernels": ["read", "write", "execute"],
    "kernelspecs": ["read"],
    "sessions": ["read", "write"],
}

DESCRIPTION: web.AppKey[dict[str, Any]] = web.AppKey("description", dict)

API_VERSION = "2.21.1"
"""The jupyter_server whose REST API this one is compatible with; clients choose features by it."""


async def get_version(request: web.Request) -> web.Response:
    """GET /api."""
    return answer(ApiVersion(version=API_VERSION, kernelway=__version__))


async def get_status(request: web.Request) -> web.Response:
    """GET /api/status."""
    return answer(await request.app[HOST].status())


async def get_me(request: web.Request) -> web.Response:
    """GET /api/me: whoever has the token is one and the same."""
    identity = Identity(username="kernelway", name="Kernelway", display_name="Kernelway", initials="K")
    return answer(Me(identity=identity, permissions=_PERMISSIONS))


async def get_description(request: web.Request) -> web.Response:
    """GET /api/spec.json."""
    return answer(request.app[DESCRIPTION])


ROUTES = (
    Route(
        method="GET",
        path="api",
        handler=get_version,
        summary="What answers here, and in which version.",
        answer=ApiVersion,
        open=True,
    ),
    Route(
        method="GET",
        path="api/status",
        handler=get_status,
        summary="How many kernels and connections there are, and since when.",
        answer=Status,
    ),
    Route(method="GET", path="api/me", handler=get_me, summary="Who the caller is.", answer=Me),
    Route(
        method="GET",
        path="api/spec.json",
        handler=get_description,
        summary="This description.",
        answer=dict[str, Any],
    ),
)
