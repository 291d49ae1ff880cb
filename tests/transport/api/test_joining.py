"""``transport.api.joining``: what a query means."""

from __future__ import annotations

import pytest

from kernelway.protocol.errors import InvalidRequest
from kernelway.transport.api.joining import joining_of


def test_a_stock_client_goes_on_where_its_session_was() -> None:
    joining = joining_of({"session_id": "s", "token": "t", "1700000000": ""}, stock=True)
    assert joining.session == "s"
    assert joining.resume
    assert (joining.after, joining.position, joining.replay_all, joining.requests) == (
        None,
        None,
        False,
        False,
    )


def test_a_client_with_a_link_starts_now_unless_it_says_something_else() -> None:
    joining = joining_of({"session_id": "s", "link": "l"}, stock=False)
    assert (joining.link, joining.resume) == ("l", False)


@pytest.mark.parametrize("stock", [True, False])
def test_whoever_has_no_names_gets_new_ones(stock: bool) -> None:
    one, other = joining_of({}, stock=stock), joining_of({"session_id": "", "link": ""}, stock=stock)
    assert len({one.session, other.session, one.link, other.link, ""}) == 5


def test_each_socket_of_a_stock_client_is_a_link_of_its_own() -> None:
    query = {"session_id": "s", "link": "l"}
    assert len({joining_of(query, stock=True).link, joining_of(query, stock=True).link, "l"}) == 3


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ({"after": "m"}, ("m", None, False, False)),
        ({"position": "0"}, (None, 0, False, False)),
        ({"position": "18446744073709551615"}, (None, (1 << 64) - 1, False, False)),
        ({"replay": "all"}, (None, None, True, False)),
        ({"resume": "1"}, (None, None, False, True)),
        ({"after": "m", "position": "", "replay": ""}, ("m", None, False, False)),
    ],
)
@pytest.mark.parametrize("stock", [True, False])
def test_a_replay_starts_where_it_is_said(
    query: dict[str, str], meant: tuple[object, ...], stock: bool
) -> None:
    joining = joining_of(query, stock=stock)
    assert (joining.after, joining.position, joining.replay_all, joining.resume) == meant


def test_requests_are_replayed_where_that_is_said() -> None:
    joining = joining_of({"replay": "all", "requests": "1"}, stock=False)
    assert joining.requests
    assert joining.replay_all


@pytest.mark.parametrize(
    "query",
    [
        {"after": "m", "position": "1"},
        {"after": "m", "replay": "all"},
        {"position": "1", "replay": "all"},
        {"replay": "all", "resume": "1"},
        {"replay": "some"},
        {"requests": "yes"},
        {"resume": "true"},
        {"position": "-1"},
        {"position": "1.0"},
        {"position": " 1"},
        {"position": "1_0"},
        {"position": "٣"},
        {"position": "18446744073709551616"},
        {"position": "9" * 5000},
    ],
)
@pytest.mark.parametrize("stock", [True, False])
def test_what_means_nothing_or_two_things_is_refused(query: dict[str, str], stock: bool) -> None:
    with pytest.raises(InvalidRequest):
        joining_of(query, stock=stock)
