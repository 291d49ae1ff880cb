"""``kernelway kernelspec``: kernelspecs here whose kernels are on a gateway, for clients of any kind."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from kernelway.bridge.kernelspecs import Installation, Installed, Kernelspecs, installation, own_command
from kernelway.cli.places import LOCAL, SavedPlaces, kernelspec_for, without_gateway
from kernelway.cli.progress import Progress
from kernelway.cli.sentences import say
from kernelway.cli.show.paint import Tone
from kernelway.cli.tables import Cell, print_json, print_table
from kernelway.client import Gateway
from kernelway.protocol.errors import KernelwayError
from kernelway.protocol.models import KernelSpecModel
from kernelway.transport.loop import run_loop

_LOGOS: Final = (".png", ".svg", ".jpg", ".gif")

_FAILED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person wants to have installed."""

    on: str
    kernel: str | None = None
    every: bool = False
    """All of the gateway's kernelspecs."""
    name: str | None = None
    display_name: str | None = None
    lease: float | None = None
    prefix: Path | None = None
    """None for the user's own folder."""


def install(wanted: Wanted, *, environ: Mapping[str, str]) -> int:
    """``kernelway kernelspec install``; the exit status."""
    places = SavedPlaces(environ)

    async def ask() -> list[Installation]:
        async with places.open(wanted.on) as place:
            with Progress.on_stderr(f"Asking {wanted.on}", environ):
                models = await _chosen(place.gateway, wanted)
                logos = await asyncio.gather(*(_logos(place.gateway, model) for model in models))
        return [
            installation(
                model,
                wanted.on,
                name=wanted.name,
                display_name=wanted.display_name,
                lease=wanted.lease,
                command=own_command(),
                logos=pictures,
            )
            for model, pictures in zip(models, logos, strict=True)
        ]

    return _install_each(run_loop(ask()), wanted.prefix)


async def _chosen(gateway: Gateway, wanted: Wanted) -> list[KernelSpecModel]:
    specs = await gateway.kernelspecs()
    if wanted.every:
        return list(specs.kernelspecs.values())
    kernel = wanted.kernel or specs.default
    kernel = without_gateway(kernel, wanted.on, specs.kernelspecs)
    name = kernelspec_for(specs, kernel=kernel, language=None, where=f"on {wanted.on}")
    return [specs.kernelspecs[name]]


async def _logos(gateway: Gateway, model: KernelSpecModel) -> dict[str, bytes]:
    """The pictures of a kernelspec, by their files' names; what else its folder has is of no use here."""
    names = [
        file
        for key, path in model.resources.items()
        if key.startswith("logo-")
        and (file := _file(path)).startswith("logo-")
        and Path(file).suffix in _LOGOS
    ]
    pictures = await asyncio.gather(*(_picture(gateway, model.name, file) for file in names))
    return {file: picture for file, picture in zip(names, pictures, strict=True) if picture}


def _file(path: str) -> str:
    """The name of the file in a resource's URL, which can lead to no other folder."""
    return Path(unquote(path.rpartition("/")[2])).name


async def _picture(gateway: Gateway, kernel: str, file: str) -> bytes:
    try:
        return await gateway.rest.resource(f"kernelspecs/{kernel}/{file}")
    except KernelwayError:
        # Nobody needs it, and there are servers that list pictures which they do not give.
        return b""


def _install_each(wanted: Sequence[Installation], prefix: Path | None) -> int:
    kernelspecs, problems = Kernelspecs(), 0
    for each in wanted:
        try:
            folder = kernelspecs.install(each, prefix=prefix)
        except KernelwayError as error:
            if len(wanted) == 1:
                raise
            problems += 1
            say(f"✗ {each.name}: {error}")
        else:
            say(_told(each, folder, found=kernelspecs.is_found(each.name, folder)), stream=sys.stdout)
    if not wanted:
        say("The gateway has no kernelspecs.")
    return _FAILED if problems or not wanted else 0


def _told(installed: Installation, folder: Path, *, found: bool) -> str:
    name = installed.name.lower()
    told = f"Installed {installed.document['display_name']!r} as {name} in {folder}."
    if found:
        return f"{told}\nAs in `jupyter console --kernel {shlex.quote(name)}`."
    return (
        f"{told}\nJupyter does not find it there from here: clients of another environment may, or those "
        "whose JUPYTER_PATH leads to that folder."
    )


def list_installed(*, as_json: bool, environ: Mapping[str, str]) -> int:
    """``kernelway kernelspec list``; the exit status."""
    found = Kernelspecs().installed()
    if as_json:
        print_json([_as_json(each) for each in found])
    elif not found:
        say("None are installed. `kernelway kernelspec install --on NAME` installs one.", stream=sys.stdout)
    else:
        saved = {LOCAL, *SavedPlaces(environ).names}
        columns = ("name", "display name", "gateway", "kernel", "where")
        print_table(columns, [_row(each, saved) for each in found], environ=environ, shrinks="where")
    return 0


def _row(each: Installed, saved: Iterable[str]) -> list[Cell]:
    is_saved = each.place in saved
    return [
        Cell(each.name, Tone.STRONG),
        Cell(each.display_name),
        Cell(each.place) if is_saved else Cell(f"✗ {each.place} is not saved", Tone.BAD),
        Cell(each.kernel),
        Cell(str(each.folder), Tone.QUIET),
    ]


def _as_json(each: Installed) -> dict[str, str]:
    return {
        "name": each.name,
        "display_name": each.display_name,
        "gateway": each.place,
        "kernel": each.kernel,
        "folder": str(each.folder),
    }


def remove(names: Sequence[str]) -> int:
    """``kernelway kernelspec remove``; the exit status. All are found before the first is taken away."""
    kernelspecs = Kernelspecs()
    found = {each.name: each for each in map(kernelspecs.find, names)}
    for each in found.values():
        kernelspecs.remove(each)
        say(
            f"Removed {each.name} from {each.folder.parent}. What runs on {each.place} goes on.",
            stream=sys.stdout,
        )
    return 0
