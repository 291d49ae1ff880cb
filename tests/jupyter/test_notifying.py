"""``jupyter.notifying``: one notice for all links of a place, and jupyter_server's events."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jupyter_events import EventLogger

from kernelway.jupyter.notifying import SCHEMA_ID, Notice, Notices, PlaceState, emitter, register

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


async def test_notices_are_events_of_the_server() -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    logger = EventLogger()
    register(logger)
    register(logger)

    async def heard(logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        events.append((schema_id, data))

    logger.add_listener(listener=heard)
    emit = emitter(logger)
    emit(Notice("gpu-box", LOST, "It broke."))
    emit(Notice("gpu-box", BACK))
    await asyncio.gather(*logger._active_listeners)
    assert [(schema_id, data["place"], data["state"], data["reason"]) for schema_id, data in events] == [
        (SCHEMA_ID, "gpu-box", "lost", "It broke."),
        (SCHEMA_ID, "gpu-box", "back", ""),
    ]
