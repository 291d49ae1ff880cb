"""What a host serves to its own gateway, on a private socket: all that it has, without rules for who may."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from kernelway.protocol.models import Replacement, Status
from kernelway.transport.api import kernel_routes, relay, session_routes
from kernelway.transport.api.application import build
from kernelway.transport.api.client_socket import Beat
from kernelway.transport.api.hosts import Host
from kernelway.transport.api.relay import BEAT
from kernelway.transport.api.routes import HOST, Route, answer


class Gateways(Protocol):
    """Whoever keeps the host's gateway running."""

    async def replace(self) -> Replacement:
        """Put a newly started gateway in the place of the one that runs, which stays if that fails."""


GATEWAYS: web.AppKey[Gateways] = web.AppKey("gateways", Gateways)


def private_application(host: Host, gateways: Gateways, beat: Beat) -> web.Application:
    """The application of a host; nobody but its owner may reach where it is served."""
    app = build(ROUTES, host, quiet=True)
    app[GATEWAYS], app[BEAT] = gateways, beat
    return app


async def get_status(request: web.Request) -> web.Response:
    """GET /api/status."""
    return answer(await request.app[HOST].status())


async def replace_gateway(request: web.Request) -> web.Response:
    """POST /api/kernelway/replace."""
    return answer(await request.app[GATEWAYS].replace())


ROUTES = (
    Route(
        method="GET",
        path="api/status",
        handler=get_status,
        summary="How many kernels and connections there are, and since when.",
        answer=Status,
    ),
    Route(
        method="POST",
        path="api/kernelway/replace",
        handler=replace_gateway,
        summary="Put a newly started gateway in the place of the one that runs.",
        answer=Replacement,
    ),
    *kernel_routes.ROUTES,
    *relay.ROUTES,
    *session_routes.ROUTES,
)
