"""``jupyter.notifying``: notices as jupyter_server's events."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_events import EventLogger

from kernelway.jupyter.notices import Notice, PlaceState
from kernelway.jupyter.notifying import SCHEMA_ID, emitter, register


async def test_notices_are_events_of_the_server() -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    logger = EventLogger()
    register(logger)
    register(logger)

    async def heard(logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        events.append((schema_id, data))

    logger.add_listener(listener=heard)
    emit = emitter(logger)
    emit(Notice("gpu-box", PlaceState.LOST, "It broke."))
    emit(Notice("gpu-box", PlaceState.BACK))
    await asyncio.gather(*logger._active_listeners)
    assert [(schema_id, data["place"], data["state"], data["reason"]) for schema_id, data in events] == [
        (SCHEMA_ID, "gpu-box", "lost", "It broke."),
        (SCHEMA_ID, "gpu-box", "back", ""),
    ]
