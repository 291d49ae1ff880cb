"""The gateway's application: every route, and who gets in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

from kernelway.gateway import channels, server_routes
from kernelway.gateway.access import AccessRules, Request
from kernelway.gateway.channels import SOCKETS, ChannelSockets
from kernelway.gateway.openapi import describe
from kernelway.gateway.server_routes import DESCRIPTION
from kernelway.transport.api import kernel_routes, session_routes
from kernelway.transport.api.application import Handler, build
from kernelway.transport.api.hosts import Host
from kernelway.transport.api.routes import Route

ROUTES: tuple[Route, ...] = (
    *server_routes.ROUTES,
    *kernel_routes.ROUTES,
    *channels.ROUTES,
    *session_routes.ROUTES,
)

_CORS_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
_CORS_HEADERS = "accept, authorization, content-type, x-xsrftoken"


def application(
    host: Host,
    *,
    rules: AccessRules,
    base_url: str = "/",
    max_message_size: int = 512 << 20,
    ping_interval: float = 10.0,
    ping_timeout: float = 20.0,
) -> web.Application:
    """The whole application for one host; ``base_url`` begins and ends with a slash.

    ``max_message_size`` (bytes) and the pings (seconds) are those of :class:`ChannelSockets`.
    """
    app = build(ROUTES, host, base_url=base_url, middlewares=[_access(rules)])
    sockets = app[SOCKETS] = ChannelSockets(
        largest=max_message_size, ping_interval=ping_interval, ping_timeout=ping_timeout
    )
    app[DESCRIPTION] = describe(ROUTES, base_url=base_url)
    app.on_response_prepare.append(_cors(rules))

    async def close_sockets(_: web.Application) -> None:
        sockets.close()

    app.on_shutdown.append(close_sockets)
    return app


def _access(rules: AccessRules) -> Middleware:
    open_handlers = {route.handler for route in ROUTES if route.open}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        is_open = request.match_info.handler in open_handlers
        facts = Request(
            host=request.headers.get("Host"),
            origin=request.headers.get("Origin"),
            authorization=request.headers.get("Authorization"),
            query_token=request.query.get("token"),
        )
        refusal = rules.refusal(facts, needs_token=not (preflight or is_open))
        if refusal is not None:
            raise refusal
        return web.Response(status=HTTPStatus.NO_CONTENT) if preflight else await handler(request)

    return middleware


def _cors(rules: AccessRules) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Content-Type-Options"] = "nosniff"
        origin = request.headers.get("Origin")
        if origin is not None and rules.allows_origin(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Methods"] = _CORS_METHODS
            response.headers["Access-Control-Allow-Headers"] = _CORS_HEADERS
            response.headers["Vary"] = "Origin"

    return add_headers
