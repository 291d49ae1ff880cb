"""Refusals that come over HTTP: the sentence and the status stay."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
import pytest

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
from kernelway.protocol.models import ErrorModel
from kernelway.protocol.refusals import refusal


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (403, LimitReached),
        (404, NotFound),
        (409, Conflict),
        (410, KernelDied),
        (500, KernelStartFailed),
        (502, Unreachable),
        (504, TimedOut),
    ],
)
def test_a_refusal_keeps_its_sentence_and_its_status(status: int, kind: type[KernelwayError]) -> None:
    body = msgspec.json.encode(ErrorModel(message="It cannot be.", reason=HTTPStatus(status).phrase))
    error = refusal(status, body)
    assert type(error) is kind
    assert (str(error), error.status) == ("It cannot be.", status)
    assert error.shown


def test_a_position_that_is_gone_keeps_the_oldest_there_is() -> None:
    body = msgspec.json.encode(ErrorModel(message="It is gone.", reason="Gone", oldest=17))
    error = refusal(410, body)
    assert isinstance(error, PositionGone)
    assert (str(error), error.oldest, error.status) == ("It is gone.", 17, 410)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""),
        (404, b"<html>"),
        (404, b'{"message": 1}'),
        (404, b'{"reason": "Not Found"}'),
        (410, b'{"message": "It is gone.", "reason": "Gone", "oldest": "x"}'),
        (418, b'{"message": "A teapot.", "reason": "I\'m a Teapot"}'),
        (302, b'{"message": "Elsewhere.", "reason": "Found"}'),
    ],
)
def test_what_no_host_says_is_a_fault_that_is_not_shown(status: int, body: bytes) -> None:
    error = refusal(status, body)
    assert isinstance(error, InternalError)
    assert not error.shown


def test_what_a_newer_host_adds_is_ignored() -> None:
    body = b'{"message": "There is none.", "reason": "Not Found", "hint": {"a": [1]}}'
    assert str(refusal(404, body)) == "There is none."
