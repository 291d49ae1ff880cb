"""The aiohttp application: routes, who gets in, and how errors are told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Middleware

from kernelway.gateway import channels, kernel_routes, server_routes, session_routes
from kernelway.gateway.access import AccessRules, Request
from kernelway.gateway.channels import SOCKETS, ChannelSockets
from kernelway.gateway.hosts import Host
from kernelway.gateway.openapi import describe
from kernelway.gateway.routes import BASE_URL, HOST, Route, answer
from kernelway.gateway.server_routes import DESCRIPTION
from kernelway.protocol.errors import KernelwayError, RequestError
from kernelway.protocol.models import ErrorModel

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTES: tuple[Route, ...] = (
    *server_routes.ROUTES,
    *kernel_routes.ROUTES,
    *channels.ROUTES,
    *session_routes.ROUTES,
)

_INTERNAL = "Something went wrong in the gateway; its log has the details."

_CORS_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
_CORS_HEADERS = "accept, authorization, content-type, x-xsrftoken"


def application(
    host: Host, *, rules: AccessRules, base_url: str = "/", max_message_size: int = 512 << 20
) -> web.Application:
    """The whole application for one host; ``base_url`` begins and ends with a slash."""
    app = web.Application(middlewares=[_errors, _access(rules)])
    sockets = ChannelSockets(largest=max_message_size)
    app[HOST], app[BASE_URL], app[SOCKETS] = host, base_url, sockets
    app[DESCRIPTION] = describe(ROUTES, base_url=base_url)
    for route in ROUTES:
        # The router compares with what a request's path means, not with how it was quoted.
        app.router.add_route(route.method, unquote(base_url) + route.path, route.handler)
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


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except KernelwayError as error:
        return _refuse(request, error)
    except web.HTTPException as error:
        return _error(error.reason, HTTPStatus(error.status), error.headers.get("Allow"))
    except Exception:
        # The caller learns that it was not their doing, and the log learns what it was.
        log.exception("%s %s failed.", request.method, request.rel_url.raw_path)
        return _error(_INTERNAL, HTTPStatus.INTERNAL_SERVER_ERROR)


def _refuse(request: web.Request, error: KernelwayError) -> web.Response:
    level = logging.INFO if isinstance(error, RequestError) else logging.WARNING
    # The path as it came: decoded, it could hold a line's end, and forge a line of the log.
    log.log(level, "%s %s: %s %s", request.method, request.rel_url.raw_path, error.status.value, error)
    return _error(str(error) if error.shown else _INTERNAL, error.status)


def _error(message: str, status: HTTPStatus, allow: str | None = None) -> web.Response:
    response = answer(ErrorModel(message=message, reason=status.phrase), status=status)
    if allow is not None:
        response.headers["Allow"] = allow
    return response


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
