"""An aiohttp application over a host, and how errors are told; who may come in is not decided here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Middleware
from msgspec import UNSET, UnsetType

from kernelway.protocol.errors import KernelwayError, PositionGone, RequestError
from kernelway.protocol.models import ErrorModel
from kernelway.transport.api.hosts import Host
from kernelway.transport.api.routes import BASE_URL, HOST, Route, answer

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_QUIET: web.AppKey[bool] = web.AppKey("quiet", bool)

_INTERNAL = "Something went wrong in the gateway; its log has the details."


def build(
    routes: Sequence[Route],
    host: Host,
    *,
    base_url: str = "/",
    middlewares: Sequence[Middleware] = (),
    quiet: bool = False,
) -> web.Application:
    """The application; ``base_url`` begins and ends with a slash, and errors are told before any other.

    What is refused is in the log, unless it is ``quiet``: then whoever asks logs it.
    """
    app = web.Application(middlewares=[_errors, *middlewares])
    app[HOST], app[BASE_URL], app[_QUIET] = host, base_url, quiet
    for route in routes:
        # The router compares with what a request's path means, not with how it was quoted.
        app.router.add_route(route.method, unquote(base_url) + route.path, route.handler)
    return app


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
    if request.app[_QUIET] and error.shown:
        level = logging.DEBUG
    # The path as it came: decoded, it could hold a line's end, and forge a line of the log.
    log.log(level, "%s %s: %s %s", request.method, request.rel_url.raw_path, error.status.value, error)
    oldest = error.oldest if isinstance(error, PositionGone) else UNSET
    return _error(str(error) if error.shown else _INTERNAL, error.status, oldest=oldest)


def _error(
    message: str, status: HTTPStatus, allow: str | None = None, *, oldest: int | UnsetType = UNSET
) -> web.Response:
    response = answer(ErrorModel(message=message, reason=status.phrase, oldest=oldest), status=status)
    if allow is not None:
        response.headers["Allow"] = allow
    return response
