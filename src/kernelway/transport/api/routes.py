"""The table of routes: what the application serves and what the OpenAPI description says are one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from kernelway.protocol.errors import InvalidRequest
from kernelway.protocol.message import UNREADABLE, told
from kernelway.transport.api.hosts import Host

HOST: web.AppKey[Host] = web.AppKey("host", Host)
BASE_URL: web.AppKey[str] = web.AppKey("base_url", str)
"""Begins and ends with a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path; the path is relative to the base URL."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    body: Any = None
    """The model of the request's body, or None."""
    answer: Any = None
    """The model of the answer's body, or None."""
    status: HTTPStatus = HTTPStatus.OK
    errors: tuple[HTTPStatus, ...] = ()
    """What can go wrong beside a missing token."""
    open: bool = False
    """Whether it is answered without a token."""
    query: Mapping[str, str] = field(default_factory=dict)
    """What may be told in the query: the name, and what it means."""


def answer(body: object, *, status: HTTPStatus = HTTPStatus.OK, location: str | None = None) -> web.Response:
    """A model as JSON."""
    headers = {"Location": location} if location is not None else {}
    encoded = msgspec.json.encode(body)
    return web.Response(body=encoded, status=status, headers=headers, content_type="application/json")


def nothing() -> web.Response:
    """204."""
    return web.Response(status=HTTPStatus.NO_CONTENT)


_T = TypeVar("_T")


async def read(request: web.Request, model: type[_T]) -> _T:
    """The body as a model; an empty one counts as ``{}``. InvalidRequest says what does not fit."""
    body = await request.read()
    try:
        return msgspec.json.decode(body or b"{}", type=model)
    except UNREADABLE as error:
        raise InvalidRequest(f"The body of the request does not fit: {told(error)}.") from error
