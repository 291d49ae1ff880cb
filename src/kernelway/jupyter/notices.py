"""What people are told of a gateway: that the connection broke, and is back; once for all its links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class PlaceState(StrEnum):
    """What became of the connection to a gateway."""

    LOST = "lost"
    BACK = "back"
    CHANGED = "changed"
    """It was added or removed, or what can be started there, or whether it answers, is not what it was."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told."""

    place: str
    state: PlaceState
    reason: str = ""


@dataclass(slots=True)
class _Links:
    broken: set[str] = field(default_factory=set)
    told: bool = False
    """Whether people were told last that it is lost."""


class Notices:
    """Which links are broken, and so which places are lost: until all are mended."""

    def __init__(self, emit: Callable[[Notice], None]) -> None:
        self._emit = emit
        self._places: dict[str, _Links] = {}

    def broken(self, place: str, link: str, reason: str) -> None:
        """A link is broken; telling it again says nothing new."""
        links = self._places.setdefault(place, _Links())
        links.broken.add(link)
        if not links.told:
            links.told = True
            self._emit(Notice(place, PlaceState.LOST, reason))

    def mended(self, place: str, link: str) -> None:
        """A link is there, again or for the first time."""
        links = self._places.get(place)
        if links is None:
            return
        links.broken.discard(link)
        if not links.broken:
            # Of a place that is told to be back there is nothing to remember.
            del self._places[place]
            self._emit(Notice(place, PlaceState.BACK))

    def forget(self, place: str, link: str) -> None:
        """A link is no longer wanted; whether its place is back the next one will tell."""
        if place in self._places:
            self._places[place].broken.discard(link)
