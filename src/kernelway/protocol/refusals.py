"""Refusals that came over HTTP as the errors they were: what a host refuses, its gateway refuses alike."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import UNSET

from kernelway.protocol.errors import (
    Conflict,
    InternalError,
    InvalidRequest,
    KernelDied,
    KernelStartFailed,
    KernelwayError,
    LimitReached,
    NotFound,
    PositionGone,
    TimedOut,
    Unreachable,
)
from kernelway.protocol.message import UNREADABLE
from kernelway.protocol.models import ErrorModel

_KINDS: Final[dict[int, type[KernelwayError]]] = {
    # Each has the status that it stands for, so that it is told on as it came.
    HTTPStatus.BAD_REQUEST: InvalidRequest,
    HTTPStatus.FORBIDDEN: LimitReached,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: KernelDied,
    HTTPStatus.INTERNAL_SERVER_ERROR: KernelStartFailed,
    HTTPStatus.BAD_GATEWAY: Unreachable,
    HTTPStatus.GATEWAY_TIMEOUT: TimedOut,
}


def refusal(status: int, body: bytes) -> KernelwayError:
    """The error that an answer of Kernelway tells of: the same sentence, and an error of the same status.

    :class:`InternalError` where the answer is none that a host gives.
    """
    try:
        said = msgspec.json.decode(body, type=ErrorModel)
    except UNREADABLE:
        return InternalError(f"An answer with the status {status} holds no error: {body[:200]!r}")
    if status == HTTPStatus.GONE and said.oldest is not UNSET:
        return PositionGone(said.message, oldest=said.oldest)
    kind = _KINDS.get(status)
    if kind is None:
        return InternalError(f"An answer has the status {status}, and says: {said.message}")
    return kind(said.message)
