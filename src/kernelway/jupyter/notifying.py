"""Notices as events of jupyter_server, which its pages can listen to.

By the same events the pages hear that a gateway offers other kernels than it did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jupyter_events import EventLogger

from kernelway.jupyter.notices import Notice

SCHEMA_ID: Final = "urn:kernelway:gateway:v1"

_SCHEMA: Final[dict[str, object]] = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Connections to gateways",
    "personal-data": False,
    "description": "The connection to the kernels of a gateway broke or is back, or it offers other kernels.",
    "type": "object",
    "required": ["place", "state", "reason"],
    "properties": {
        "place": {"type": "string", "description": "The name of the gateway."},
        "state": {"enum": ["lost", "back", "changed"], "description": "What it is now."},
        "reason": {"type": "string", "description": "Why it was lost, as a sentence; empty otherwise."},
    },
}


def register(event_logger: EventLogger) -> None:
    """Let a server know our events; the second time it does nothing."""
    if SCHEMA_ID not in event_logger.schemas:
        event_logger.register_event_schema(_SCHEMA)


def emitter(event_logger: EventLogger) -> Callable[[Notice], None]:
    """What emits notices as events of a server."""
    register(event_logger)

    def emit(notice: Notice) -> None:
        data = {"place": notice.place, "state": notice.state.value, "reason": notice.reason}
        event_logger.emit(schema_id=SCHEMA_ID, data=data)

    return emit
