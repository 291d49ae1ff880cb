"""``jupyter.notices``: one notice for all links of a place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernelway.jupyter.notices import Notice, Notices, PlaceState

LOST, BACK = PlaceState.LOST, PlaceState.BACK


def test_a_place_is_lost_with_its_first_link_and_back_with_its_last() -> None:
    told: list[Notice] = []
    notices = Notices(told.append)
    notices.mended("a", "1")
    notices.broken("a", "1", "It broke.")
    notices.broken("a", "2", "It broke too.")
    notices.broken("b", "3", "So did this.")
    notices.mended("a", "1")
    notices.mended("a", "1")
    notices.mended("a", "2")
    assert told == [Notice("a", LOST, "It broke."), Notice("b", LOST, "So did this."), Notice("a", BACK)]


def test_a_place_whose_links_were_left_is_back_with_the_next_one() -> None:
    told: list[Notice] = []
    notices = Notices(told.append)
    notices.broken("a", "1", "It broke.")
    notices.forget("a", "1")
    notices.forget("b", "1")
    notices.broken("a", "2", "It is still broken.")
    notices.forget("a", "2")
    assert [notice.state for notice in told] == [LOST]
    notices.mended("a", "3")
    assert [notice.state for notice in told] == [LOST, BACK]


@given(st.lists(st.tuples(st.sampled_from(("broken", "mended", "forget")), st.sampled_from("xyz"))))
def test_lost_and_back_take_turns(steps: list[tuple[str, str]]) -> None:
    told: list[Notice] = []
    notices = Notices(told.append)
    broken: set[str] = set()
    for step, link in steps:
        if step == "broken":
            notices.broken("a", link, "It broke.")
            broken.add(link)
        else:
            (notices.mended if step == "mended" else notices.forget)("a", link)
            broken.discard(link)
        if broken:
            assert told[-1].state is LOST
    states = [notice.state for notice in told]
    assert states == [(LOST, BACK)[index % 2] for index in range(len(states))]
