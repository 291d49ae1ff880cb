"""Moments as people write them: ``10m``, ``2h``, ``2026-11-20T10:00``, ``2026-11-20``, ``yesterday``."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Final

from kernelway.protocol.errors import InvalidRequest

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_DAYS: Final = {"today": 0, "yesterday": 1}


def moment(text: str, now: datetime) -> datetime:
    """The moment that is meant, in the zone of ``now``: so long before it, or a date, with a time or without.

    Raises :class:`InvalidRequest` with examples.
    """
    said = text.strip().lower()
    try:
        if _DURATION.fullmatch(said):
            return now - timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(said)))
        if said in _DAYS:
            day = now.date() - timedelta(days=_DAYS[said])
            return datetime.combine(day, time(), now.tzinfo)
        at = datetime.fromisoformat(text.strip())
        return at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{text!r} is no time: say how long ago (30s, 10m, 2h, 3d, 1h30m), a date with a time or without "
            "(2026-11-20, 2026-11-20T10:00), today or yesterday."
        ) from None


def shown_moment(at: datetime, now: datetime) -> str:
    """A moment in the zone of ``now``: its time, and its date where that is another."""
    there = at.astimezone(now.tzinfo)
    return f"{there:%H:%M:%S}" if there.date() == now.date() else f"{there:%Y-%m-%d %H:%M:%S}"
