"""Who gets in: every rule as rows of one table."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import pytest

from kernelway.gateway.access import AccessRules, Request, is_loopback

TOKEN = "s3cret-token"

LOOPBACK = AccessRules(token=TOKEN, on_loopback=True)
OUTER = AccessRules(token=TOKEN, on_loopback=False)
OPEN_LOOPBACK = AccessRules(token=None, on_loopback=True)
OPEN_OUTER = AccessRules(token=None, on_loopback=False)
LISTED = AccessRules(token=TOKEN, on_loopback=False, allow_origin=("https://lab.example", "http://a:1"))
EVERY_ORIGIN = AccessRules(token=TOKEN, on_loopback=True, allow_origin=("*",))
NAMED = AccessRules(token=TOKEN, on_loopback=True, allow_host=("gateway", "lab.example"))

HEADER = f"token {TOKEN}"

IN = None
NO_TOKEN = HTTPStatus.UNAUTHORIZED
NOT_FROM_THERE = HTTPStatus.FORBIDDEN


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    rules: AccessRules
    answer: HTTPStatus | None
    host: str | None = "127.0.0.1:8888"
    origin: str | None = None
    authorization: str | None = None
    token: str | None = None


CASES = [
    # The token.
    Case(name="no token", rules=LOOPBACK, answer=NO_TOKEN),
    Case(name="in the header, as token", rules=LOOPBACK, answer=IN, authorization=HEADER),
    Case(name="in the header, as Bearer", rules=LOOPBACK, answer=IN, authorization=f"Bearer {TOKEN}"),
    Case(name="in the header, in capitals", rules=LOOPBACK, answer=IN, authorization=f"TOKEN {TOKEN}"),
    Case(name="in the header, with blanks", rules=LOOPBACK, answer=IN, authorization=f"token   {TOKEN} "),
    Case(name="in the query", rules=LOOPBACK, answer=IN, token=TOKEN),
    Case(name="a wrong one in the header", rules=LOOPBACK, answer=NO_TOKEN, authorization="token wrong"),
    Case(name="a wrong one in the query", rules=LOOPBACK, answer=NO_TOKEN, token="wrong"),
    Case(name="the beginning of it", rules=LOOPBACK, answer=NO_TOKEN, token=TOKEN[:-1]),
    Case(name="more than it", rules=LOOPBACK, answer=NO_TOKEN, token=TOKEN + "x"),
    Case(name="in other letters", rules=LOOPBACK, answer=NO_TOKEN, token=TOKEN.upper()),
    Case(name="an empty one", rules=LOOPBACK, answer=NO_TOKEN, token=""),
    Case(name="an empty header", rules=LOOPBACK, answer=NO_TOKEN, authorization="token "),
    Case(name="a header without a scheme", rules=LOOPBACK, answer=NO_TOKEN, authorization=TOKEN),
    Case(name="a header of another scheme", rules=LOOPBACK, answer=NO_TOKEN, authorization=f"Basic {TOKEN}"),
    Case(
        name="another scheme, and the query", rules=LOOPBACK, answer=IN, authorization="Basic x", token=TOKEN
    ),
    Case(
        name="wrong in the header, right in the query",
        rules=LOOPBACK,
        answer=NO_TOKEN,
        authorization="token x",
        token=TOKEN,
    ),
    Case(name="letters beyond ASCII", rules=LOOPBACK, answer=NO_TOKEN, token="tökén"),
    Case(name="bytes that are no text", rules=LOOPBACK, answer=NO_TOKEN, authorization="token \udcff"),
    Case(name="no token is asked for", rules=OPEN_LOOPBACK, answer=IN),
    Case(name="no token is asked for, one is shown", rules=OPEN_LOOPBACK, answer=IN, authorization="token x"),
    # The Host, on loopback: a name that others control may lead here.
    Case(name="127.0.0.1", rules=OPEN_LOOPBACK, answer=IN, host="127.0.0.1"),
    Case(name="127.1.2.3", rules=OPEN_LOOPBACK, answer=IN, host="127.1.2.3:80"),
    Case(name="localhost", rules=OPEN_LOOPBACK, answer=IN, host="localhost:8888"),
    Case(name="LocalHost", rules=OPEN_LOOPBACK, answer=IN, host="LocalHost:8888"),
    Case(name="a name under localhost", rules=OPEN_LOOPBACK, answer=IN, host="lab.localhost:8888"),
    Case(name="::1", rules=OPEN_LOOPBACK, answer=IN, host="[::1]:8888"),
    Case(name="a rebound name", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host="evil.example:8888"),
    Case(
        name="a rebound name with the token",
        rules=LOOPBACK,
        answer=NOT_FROM_THERE,
        host="evil.example",
        token=TOKEN,
    ),
    Case(
        name="a name that looks like ours",
        rules=OPEN_LOOPBACK,
        answer=NOT_FROM_THERE,
        host="localhost.evil.example",
    ),
    Case(name="a name that ends like ours", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host="evillocalhost"),
    Case(
        name="an address in a name", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host="127.0.0.1.evil.example"
    ),
    Case(name="a user in front", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host="127.0.0.1@evil.example"),
    Case(name="another address", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host="192.168.99.100:8888"),
    Case(name="no Host", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host=None),
    Case(name="an empty Host", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host=""),
    Case(name="a Host that is none", rules=OPEN_LOOPBACK, answer=NOT_FROM_THERE, host="[::1"),
    Case(name="an allowed name", rules=NAMED, answer=IN, host="gateway:8888", token=TOKEN),
    Case(name="an allowed name in capitals", rules=NAMED, answer=IN, host="LAB.Example", token=TOKEN),
    Case(
        name="a name under an allowed one",
        rules=NAMED,
        answer=NOT_FROM_THERE,
        host="x.lab.example",
        token=TOKEN,
    ),
    # On an outer address the name is whatever the network calls it.
    Case(name="the address of a machine", rules=OUTER, answer=IN, host="192.168.99.100:8888", token=TOKEN),
    Case(name="the name of a container", rules=OUTER, answer=IN, host="gateway:8888", token=TOKEN),
    Case(name="any name needs the token", rules=OUTER, answer=NO_TOKEN, host="gateway:8888"),
    Case(name="an outer one without Host", rules=OUTER, answer=IN, host=None, token=TOKEN),
    # The Origin: pages of other sites.
    Case(name="our own page", rules=OUTER, answer=IN, host="gpu:8888", origin="http://gpu:8888", token=TOKEN),
    Case(
        name="our own page behind TLS", rules=OUTER, answer=IN, host="gpu", origin="https://gpu", token=TOKEN
    ),
    Case(
        name="our own page in capitals",
        rules=OUTER,
        answer=IN,
        host="GPU:1",
        origin="http://gpu:1",
        token=TOKEN,
    ),
    Case(
        name="another page",
        rules=OUTER,
        answer=NOT_FROM_THERE,
        host="gpu:8888",
        origin="http://evil",
        token=TOKEN,
    ),
    Case(
        name="another port",
        rules=OUTER,
        answer=NOT_FROM_THERE,
        host="gpu:8888",
        origin="http://gpu:80",
        token=TOKEN,
    ),
    Case(
        name="our name in another's",
        rules=OUTER,
        answer=NOT_FROM_THERE,
        host="gpu",
        origin="http://gpu.evil",
        token=TOKEN,
    ),
    Case(
        name="a user in front of it",
        rules=OUTER,
        answer=NOT_FROM_THERE,
        host="gpu",
        origin="http://gpu@evil",
        token=TOKEN,
    ),
    Case(
        name="another page with the header",
        rules=OUTER,
        answer=IN,
        origin="http://evil",
        authorization=HEADER,
    ),
    Case(
        name="another page with Bearer",
        rules=OUTER,
        answer=IN,
        origin="http://evil",
        authorization=f"Bearer {TOKEN}",
    ),
    Case(
        name="another page, a wrong header",
        rules=OUTER,
        answer=NO_TOKEN,
        origin="http://evil",
        authorization="token x",
    ),
    Case(name="another page, no token", rules=OUTER, answer=NO_TOKEN, origin="http://evil"),
    Case(name="null", rules=OUTER, answer=NOT_FROM_THERE, origin="null", token=TOKEN),
    Case(name="null without Host", rules=OPEN_OUTER, answer=NOT_FROM_THERE, host=None, origin="null"),
    Case(name="null and an empty Host", rules=OPEN_OUTER, answer=NOT_FROM_THERE, host="", origin="null"),
    Case(name="an Origin that is none", rules=OUTER, answer=NOT_FROM_THERE, origin="http://[", token=TOKEN),
    Case(name="an empty Origin", rules=OUTER, answer=NOT_FROM_THERE, origin="", token=TOKEN),
    Case(
        name="a page, where no token is asked for",
        rules=OPEN_LOOPBACK,
        answer=NOT_FROM_THERE,
        origin="http://evil",
    ),
    Case(
        name="a header proves nothing there",
        rules=OPEN_LOOPBACK,
        answer=NOT_FROM_THERE,
        origin="http://evil",
        authorization="token x",
    ),
    Case(name="an allowed page", rules=LISTED, answer=IN, origin="https://lab.example", token=TOKEN),
    Case(
        name="an allowed page in capitals", rules=LISTED, answer=IN, origin="HTTPS://Lab.Example", token=TOKEN
    ),
    Case(name="an allowed page with a port", rules=LISTED, answer=IN, origin="http://a:1", token=TOKEN),
    Case(name="an allowed page needs the token", rules=LISTED, answer=NO_TOKEN, origin="http://a:1"),
    Case(
        name="an allowed page of another scheme",
        rules=LISTED,
        answer=NOT_FROM_THERE,
        origin="https://a:1",
        token=TOKEN,
    ),
    Case(
        name="an allowed page of another port",
        rules=LISTED,
        answer=NOT_FROM_THERE,
        origin="http://a",
        token=TOKEN,
    ),
    Case(name="every page", rules=EVERY_ORIGIN, answer=IN, origin="http://evil", token=TOKEN),
    Case(
        name="every page, but not every name",
        rules=EVERY_ORIGIN,
        answer=NOT_FROM_THERE,
        host="evil",
        origin="http://evil",
        token=TOKEN,
    ),
]


def facts(case: Case) -> Request:
    return Request(
        host=case.host, origin=case.origin, authorization=case.authorization, query_token=case.token
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_gets_in(case: Case) -> None:
    refusal = case.rules.refusal(facts(case))
    assert (refusal and refusal.status) == case.answer
    assert TOKEN not in str(refusal)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.answer is NO_TOKEN], ids=lambda case: case.name
)
def test_a_route_that_is_open_asks_for_no_token_but_for_the_rest(case: Case) -> None:
    refusal = case.rules.refusal(facts(case), needs_token=False)
    foreign = case.origin is not None and not case.rules.allows_origin(case.origin)
    assert (refusal and refusal.status) == (NOT_FROM_THERE if foreign else IN)


def test_a_wrong_token_in_the_header_of_an_open_route_opens_nothing_for_another_page() -> None:
    # Else a page could come past the check of its origin by showing any word.
    request = Request(host="gpu", origin="http://evil", authorization="token x", query_token=None)
    refusal = OUTER.refusal(request, needs_token=False)
    assert refusal is not None
    assert refusal.status == NOT_FROM_THERE


@pytest.mark.parametrize(
    ("rules", "request_", "words"),
    [
        (
            LOOPBACK,
            Request(host="gpu", origin=None, authorization=None, query_token=None),
            "--allow-host gpu",
        ),
        (
            LOOPBACK,
            Request(host="localhost", origin=None, authorization=None, query_token=None),
            "Authorization: token",
        ),
        (
            LOOPBACK,
            Request(host="localhost", origin=None, authorization=None, query_token="x"),
            "not the one of this",
        ),
        (
            OUTER,
            Request(host="gpu", origin="http://a", authorization=None, query_token=TOKEN),
            "--allow-origin http://a",
        ),
    ],
)
def test_a_refusal_says_what_to_do(rules: AccessRules, request_: Request, words: str) -> None:
    assert words in str(rules.refusal(request_))


@pytest.mark.parametrize(
    ("address", "only_here"),
    [
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.99.100", False),
        ("gateway", False),
        ("localhost.example", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_which_addresses_only_this_machine_can_reach(address: str, only_here: bool) -> None:
    assert is_loopback(address) is only_here
