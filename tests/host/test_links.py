"""What is remembered of clients that are away, and for how many."""

from __future__ import annotations

from kernelway.host import links as links_module
from kernelway.host.links import Links, Received
from kernelway.protocol.link_framing import LinkId, Position
from kernelway.protocol.message import SessionId


def test_a_link_that_comes_back_has_taken_what_it_had() -> None:
    links = Links()
    link = links.join(LinkId("a"))
    link.taken = 7
    links.leave(link)
    assert links.join(LinkId("a")).taken == 7
    assert links.join(LinkId("b")).taken == 0


def test_two_connections_of_a_link_count_together() -> None:
    links = Links()
    older, newer = links.join(LinkId("a")), links.join(LinkId("a"))
    assert older is newer
    links.leave(older)
    newer.taken = 1
    assert links.join(LinkId("a")) is newer


def test_links_that_left_first_are_forgotten_first_and_those_that_are_here_never() -> None:
    links = Links()
    here = links.join(LinkId("here"))
    here.taken = 1
    for number in range(links_module._MOST_LINKS + 1):
        link = links.join(LinkId(str(number)))
        link.taken = 1
        links.leave(link)
    assert links.join(LinkId("0")).taken == 0
    assert links.join(LinkId("1")).taken == 1
    assert links.join(LinkId("here")) is here
    assert len(links._left) <= links_module._MOST_LINKS


def test_links_from_which_nothing_was_taken_push_nobody_out() -> None:
    links = Links()
    kept = links.join(LinkId("kept"))
    kept.taken = 1
    links.leave(kept)
    for number in range(2 * links_module._MOST_LINKS):
        links.leave(links.join(LinkId(str(number))))
    assert links.join(LinkId("kept")).taken == 1


def test_what_was_received_never_goes_back() -> None:
    received = Received()
    me = SessionId("me")
    assert received.known(me) is None
    received.note(me, Position(5))
    received.note(me, Position(3))
    assert received.known(me) == 5
    received.note(me, Position(6))
    assert received.known(me) == 6


def test_the_session_that_told_longest_ago_is_forgotten_first() -> None:
    received = Received()
    for number in range(links_module._MOST_SESSIONS):
        received.note(SessionId(str(number)), Position(1))
    received.note(SessionId("0"), Position(2))
    received.note(SessionId("new"), Position(1))
    assert received.known(SessionId("0")) == 2
    assert received.known(SessionId("1")) is None
