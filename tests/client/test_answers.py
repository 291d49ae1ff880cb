from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from kernelway.client.answers import Answer, NothingThere, Peer, plain, refusal
from kernelway.protocol.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    KernelDied,
    KernelStartFailed,
    KernelwayError,
    LimitReached,
    NotFound,
    NotJupyter,
    PositionGone,
    RequestError,
    TimedOut,
    Unreachable,
    WrongCertificate,
    WrongCredentials,
)

PEER = Peer(shown="http://h:1", credential="token", secure=False, connect_timeout=1, timeout=2)


def answer(
    status: int, data: bytes, *, method: str = "GET", path: str = "api/kernels", location: str | None = None
) -> Answer:
    return Answer(
        method=method,
        url=URL("http://h:1/base/").joinpath(path),
        path=path,
        status=status,
        location=location,
        challenge="",
        content_type="application/json" if data.startswith(b"{") else "text/html",
        data=data,
    )


def said(message: str | None, reason: str | None = None) -> bytes:
    return json.dumps({"message": message, "reason": reason}).encode()


@pytest.mark.parametrize(
    ("status", "method", "kind", "words"),
    [
        (400, "POST", InvalidRequest, "http://h:1 answers api/kernels: It broke"),
        (404, "GET", NotFound, "It broke"),
        (409, "POST", Conflict, "It broke"),
        (410, "DELETE", KernelDied, "It broke"),
        (413, "POST", InvalidRequest, "It broke"),
        (424, "GET", Unreachable, "cannot serve this now: It broke"),
        (429, "POST", LimitReached, "It broke"),
        (500, "POST", KernelStartFailed, "It broke"),
        (500, "GET", RequestError, "It broke"),
        (502, "GET", Unreachable, "cannot serve this now: It broke"),
        (503, "GET", Unreachable, "cannot serve this now: It broke"),
        (504, "GET", TimedOut, "It broke"),
    ],
)
def test_a_status_has_its_error_and_keeps_the_servers_words(
    status: int, method: str, kind: type[KernelwayError], words: str
) -> None:
    error = refusal(answer(status, said("It broke"), method=method), PEER)
    assert type(error) is kind
    assert words in str(error)


def test_a_position_that_is_gone_names_the_oldest() -> None:
    error = refusal(answer(410, b'{"message": "It is gone.", "reason": "Gone", "oldest": 7}'), PEER)
    assert isinstance(error, PositionGone)
    assert (str(error), error.oldest) == ("It is gone.", 7)


@pytest.mark.parametrize(
    ("status", "data", "kind", "words"),
    [
        (401, said("Unauthorized"), WrongCredentials, "refuses the token"),
        (403, said("Forbidden"), WrongCredentials, "refuses the token"),
        (403, said("'_xsrf' argument missing from POST"), WrongCredentials, "refuses the token"),
        (403, said(None), WrongCredentials, "refuses the token"),
        (403, b"<html>", WrongCredentials, "refuses the token"),
        (403, said("Resource Limit"), LimitReached, "has reached its limit: Resource Limit"),
        (403, said("User me may not write kernels."), Forbidden, "User me may not write"),
        (401, said("Resource Limit"), WrongCredentials, "refuses the token"),
    ],
)
def test_a_refusal_of_the_caller_is_told_from_one_of_the_request(
    status: int, data: bytes, kind: type[KernelwayError], words: str
) -> None:
    error = refusal(answer(status, data), PEER)
    assert type(error) is kind
    assert words in str(error)


@pytest.mark.parametrize(
    ("status", "data", "path", "kind", "words"),
    [
        (404, b"<html>", "api", NotJupyter, "does not answer api as a Jupyter server does"),
        (404, b"<html>", "api/x", NothingThere, "has nothing at api/x"),
        (405, b"", "api/x", NotJupyter, "status 405"),
        (502, b"<html>", "api", Unreachable, "the server behind it does not"),
        (504, b"<html>", "api", Unreachable, "the server behind it does not"),
        (400, b"The plain HTTP request was sent to HTTPS port", "api", WrongCertificate, "say https://"),
        (500, b"[]", "api", NotJupyter, "status 500"),
        (404, b'{"message": 7}', "api", NotJupyter, "status 404"),
    ],
)
def test_an_answer_without_jupyters_words_is_somebody_elses(
    status: int, data: bytes, path: str, kind: type[KernelwayError], words: str
) -> None:
    error = refusal(answer(status, data, path=path), PEER)
    assert type(error) is kind
    assert words in str(error)


@pytest.mark.parametrize(
    ("location", "base"),
    [
        ("https://h:1/base/api/kernels?x=1", "to https://h:1/base/;"),
        ("/other/api/kernels", "to http://h:1/other/;"),
        ("//elsewhere/", "to http://elsewhere/;"),
        ("http://me:secret@elsewhere/#frag", "to http://elsewhere/;"),
    ],
)
def test_a_redirect_shows_the_base_url_to_use(location: str, base: str) -> None:
    error = refusal(answer(302, b"", location=location), PEER)
    assert type(error) is NotJupyter
    assert base in str(error)


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (None, "asks for a token or a password, and none is given"),
        ("token", "refuses the token"),
        ("password", "refuses the password"),
        ("Authorization header", "refuses the Authorization header"),
    ],
)
def test_the_credential_that_was_given_is_named(credential: str | None, words: str) -> None:
    peer = Peer(shown="h", credential=credential, secure=True, connect_timeout=1, timeout=2)
    assert words in str(refusal(answer(403, said("Forbidden")), peer))


@given(st.text(max_size=10_000))
def test_a_strangers_words_cannot_move_the_cursor(text: str) -> None:
    words = plain(text)
    assert words.isprintable()
    assert len(words) <= 2001
    if text.isprintable() and len(text) < 2000:
        assert words == " ".join(text.split())
