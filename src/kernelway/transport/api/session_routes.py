"""``/api/sessions``."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from kernelway.protocol.models import OpenSession, RestSessionId, SessionModel, UpdateSession
from kernelway.transport.api.routes import BASE_URL, HOST, Route, answer, nothing, read


async def list_sessions(request: web.Request) -> web.Response:
    """GET /api/sessions."""
    return answer(await request.app[HOST].sessions())


async def open_session(request: web.Request) -> web.Response:
    """POST /api/sessions."""
    session = await request.app[HOST].open_session(await read(request, OpenSession))
    location = f"{request.app[BASE_URL]}api/sessions/{session.id}"
    return answer(session, status=HTTPStatus.CREATED, location=location)


async def get_session(request: web.Request) -> web.Response:
    """GET /api/sessions/{id}."""
    return answer(await request.app[HOST].session(_session_id(request)))


async def update_session(request: web.Request) -> web.Response:
    """PATCH /api/sessions/{id}."""
    change = await read(request, UpdateSession)
    return answer(await request.app[HOST].update_session(_session_id(request), change))


async def close_session(request: web.Request) -> web.Response:
    """DELETE /api/sessions/{id}."""
    await request.app[HOST].close_session(_session_id(request))
    return nothing()


def _session_id(request: web.Request) -> RestSessionId:
    return RestSessionId(request.match_info["session_id"])


_MISSING = (HTTPStatus.NOT_FOUND,)
_FAILS_TO_START = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR)

ROUTES = (
    Route(
        method="GET",
        path="api/sessions",
        handler=list_sessions,
        summary="All sessions.",
        answer=list[SessionModel],
    ),
    Route(
        method="POST",
        path="api/sessions",
        handler=open_session,
        summary="The session of a path and type as it is, or a new one with the kernel asked for.",
        body=OpenSession,
        answer=SessionModel,
        status=HTTPStatus.CREATED,
        errors=(HTTPStatus.FORBIDDEN, *_FAILS_TO_START),
    ),
    Route(
        method="GET",
        path="api/sessions/{session_id}",
        handler=get_session,
        summary="One session.",
        answer=SessionModel,
        errors=_MISSING,
    ),
    Route(
        method="PATCH",
        path="api/sessions/{session_id}",
        handler=update_session,
        summary="Change a session's path, name, type or kernel.",
        body=UpdateSession,
        answer=SessionModel,
        errors=_FAILS_TO_START,
    ),
    Route(
        method="DELETE",
        path="api/sessions/{session_id}",
        handler=close_session,
        summary="End a session and its kernel.",
        status=HTTPStatus.NO_CONTENT,
        errors=_MISSING,
    ),
)
