"""Noticing that the list of kernelspecs is another one, for pages that ask for it about once a minute."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from kernelway.jupyter.place import Place


class Offers:
    """What each place offered when it was last looked at."""

    def __init__(self) -> None:
        self._seen: dict[str, Hashable] | None = None

    def changed(self, places: Iterable[Place]) -> list[str]:
        """The names of the places that offer something else than at the last look, or are new, or gone.

        With the first look nothing has changed.
        """
        before, now = self._seen, {place.name: _offer(place) for place in places if place.offers_kernelspecs}
        self._seen = now
        if before is None:
            return []
        return [name for name in before | now if before.get(name) != now.get(name)]


def _offer(place: Place) -> Hashable:
    specs = tuple((name, model.spec.display_name) for name, model in place.kernelspecs.items())
    return place.answered, place.unreachable, specs
