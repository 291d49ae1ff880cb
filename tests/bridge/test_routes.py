from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kernelway.bridge.routes import Routes
from kernelway.protocol.message import MessageId

ONE = MessageId("1")


def test_a_request_is_forgotten_after_its_reply_and_its_idle() -> None:
    for first, second in ((Routes.replied, Routes.became_idle), (Routes.became_idle, Routes.replied)):
        routes = Routes()
        routes.add(ONE, b"a", is_request=True)
        first(routes, ONE)
        assert routes.find(ONE) == b"a"
        second(routes, ONE)
        assert routes.find(ONE) is None


def test_a_message_that_asks_nothing_is_forgotten_after_its_idle() -> None:
    routes = Routes()
    routes.add(ONE, b"a", is_request=False)
    routes.became_idle(ONE)
    assert not len(routes)


def test_the_oldest_request_goes_where_there_are_too_many() -> None:
    routes = Routes(most=2)
    forgotten = [routes.add(MessageId(str(n)), b"a", is_request=True) for n in range(4)]
    assert forgotten == [None, None, "0", "1"]
    assert routes.replied(MessageId("0")) is None
    assert routes.replied(MessageId("3")) == b"a"


@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "tell", "reply", "idle"]), st.sampled_from("abc")), max_size=60
    )
)
def test_as_many_answers_find_their_way_as_questions_were_asked(events: list[tuple[str, str]]) -> None:
    """A model: counters of what is due for each msg_id, reused or not."""
    routes = Routes()
    replies: Counter[str] = Counter()
    idles: Counter[str] = Counter()
    for what, name in events:
        msg_id = MessageId(name)
        known = replies[name] + idles[name] > 0
        if what in ("ask", "tell"):
            routes.add(msg_id, name.encode(), is_request=what == "ask")
            replies[name] += what == "ask"
            idles[name] += 1
        elif what == "reply":
            assert routes.replied(msg_id) == (name.encode() if known else None)
            replies[name] = max(0, replies[name] - 1)
        else:
            routes.became_idle(msg_id)
            idles[name] = max(0, idles[name] - 1)
        assert (routes.find(msg_id) is not None) == (replies[name] + idles[name] > 0)
