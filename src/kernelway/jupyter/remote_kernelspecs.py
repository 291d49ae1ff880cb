"""The kernelspecs of all places under one name each, and their logos."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from kernelway.client.names import remote_name
from kernelway.jupyter.place import Place
from kernelway.jupyter.remote_kernels import Model, RemoteKernels
from kernelway.protocol.errors import KernelwayError, NotFound
from kernelway.protocol.models import KernelSpecModel
from kernelway.transport import deadlines

LOGO_WITHIN: Final = 5.0
"""Seconds for a gateway to answer with a logo."""

LARGEST_LOGO: Final = 1 << 20
"""Bytes; a larger one is not shown."""

KEPT: Final = 600.0
"""Seconds for which a logo is taken to be what it was."""

MOST_LOGOS: Final = 64
"""How many logos are kept; the oldest goes."""

_ABSENT: Final = "unreachable"
"""Where the kernelspec's name stands otherwise, of a place that has never answered."""


@dataclass(frozen=True, slots=True)
class _Logo:
    content: bytes
    until: float


class RemoteKernelspecs:
    """What can be started elsewhere, as a notebook server shows it."""

    def __init__(self, kernels: RemoteKernels) -> None:
        self._places = kernels.places
        self._kernels = kernels
        self._logos: dict[tuple[str, str], _Logo] = {}

    def all(self, base_url: str) -> dict[str, Model]:
        """The models of all kernelspecs by their names, as they were last known.

        A place that has never answered has one, which tells why; it starts what the place has by default.
        """
        models: dict[str, Model] = {}
        for place in self._places.all():
            if place.offers_kernelspecs:
                models |= self._of(place, base_url)
        return models

    def get(self, name: str, base_url: str) -> Model | None:
        """One kernelspec; None where no place has it."""
        found = self._places.kernelspec(name)
        return None if found is None else self._of(found[0], base_url).get(name)

    def default(self) -> str | None:
        """The first place's default kernelspec."""
        for place in self._places.all():
            if place.offers_kernelspecs and place.default_kernelspec is not None:
                return remote_name(place.default_kernelspec, place.label)
        return None

    def meant(self, name: str) -> tuple[Place, str | None] | None:
        """The place of a name and the kernelspec's name there, which is None for its default one."""
        found = self._places.kernelspec(name)
        if found is None:
            return None
        place, kernelspec = found
        absent = kernelspec == _ABSENT and kernelspec not in place.kernelspecs
        return place, None if absent else kernelspec

    async def logo(self, name: str, file: str) -> bytes:
        """A kernelspec's logo; :class:`NotFound` for any file that is none."""
        found = self._places.kernelspec(name)
        if found is None or file not in _files(found[0].kernelspecs.get(found[1])):
            raise NotFound(f"The kernelspec {name} has no {file}.")
        now = asyncio.get_running_loop().time()
        kept = self._logos.get((name, file))
        if kept is not None and kept.until > now:
            return kept.content
        try:
            content = await self._fetched(found[0], f"kernelspecs/{found[1]}/{file}")
        except (KernelwayError, TimeoutError):
            if kept is None:
                raise NotFound(f"{found[0].name} does not answer with {file} of {found[1]}.") from None
            content = kept.content
        self._logos.pop((name, file), None)
        self._logos[name, file] = _Logo(content, now + KEPT)
        if len(self._logos) > MOST_LOGOS:
            del self._logos[next(iter(self._logos))]
        return content

    async def _fetched(self, place: Place, path: str) -> bytes:
        if place.unreachable is not None:
            raise NotFound(place.unreachable)
        async with deadlines.timeout(LOGO_WITHIN):
            with self._kernels.asking(place):
                content = await place.gateway.rest.resource(path)
        if len(content) > LARGEST_LOGO:
            raise NotFound(f"{path} on {place.name} is too large for a logo.")
        return content

    def _of(self, place: Place, base_url: str) -> dict[str, Model]:
        if not place.kernelspecs and not place.answered:
            name = remote_name(_ABSENT, place.label)
            return {name: _model(name, place, _display_name(place.name, place), None, base_url)}
        models = {}
        for own_name, spec in place.kernelspecs.items():
            name = remote_name(own_name, place.label)
            shown = _display_name(f"{spec.spec.display_name or own_name} · {place.name}", place)
            models[name] = _model(name, place, shown, spec, base_url)
        return models


def _display_name(name: str, place: Place) -> str:
    if place.answered and place.unreachable is None:
        return name
    return f"{name} (unreachable: {place.unreachable or 'it has not answered yet'})"


def _model(
    name: str, place: Place, display_name: str, spec: KernelSpecModel | None, base_url: str
) -> dict[str, Any]:
    fields = {} if spec is None else msgspec.to_builtins(spec.spec)
    metadata = {**fields.get("metadata", {}), "kernelway": {"place": place.name}}
    logos = {file.rpartition(".")[0]: f"{base_url}kernelspecs/{name}/{file}" for file in _files(spec)}
    return {
        "name": name,
        # A list that hides the command hides the kernelspec from clients.
        "spec": {"argv": [], "language": ""} | fields | {"display_name": display_name, "metadata": metadata},
        "resources": logos,
    }


def _files(spec: KernelSpecModel | None) -> list[str]:
    """The logos' files. What else there is would run as code of this server's own page."""
    paths = {} if spec is None else spec.resources
    files = (
        path.partition("?")[0].rpartition("/")[2] for name, path in paths.items() if name.startswith("logo-")
    )
    return [file for file in files if file.startswith("logo-") and "%" not in file and "\\" not in file]
