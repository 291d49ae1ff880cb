"""``kernelway run``: a file, or a part of it, with each result beside its line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from kernelway.cli import opening
from kernelway.cli.hints import Surroundings
from kernelway.cli.interrupts import Interrupts
from kernelway.cli.opening import Opened, Order
from kernelway.cli.overlapping import both
from kernelway.cli.picking import Picked, Wanted, pick, read
from kernelway.cli.places import Place, SavedPlaces, kernelspec_for, language_of_kernel, languages
from kernelway.cli.progress import Progress
from kernelway.cli.running import Outcome, Status
from kernelway.cli.show.listing import Listing
from kernelway.cli.show.paint import Tone
from kernelway.cli.show.view import Beginning
from kernelway.cli.showing import Command, Showing, ended, in_loop, show
from kernelway.client.session import own_session_path
from kernelway.source import Document


@dataclass(frozen=True, slots=True)
class Ready:
    """What to run, and the kernel for it; without code no kernel was started."""

    picked: Picked
    opened: Opened | None


def run_file(command: Command, want: Wanted) -> int:
    """Run what is wanted of a file; the exit status."""
    return in_loop(lambda interrupts: _run(command, want, interrupts))


async def _run(command: Command, want: Wanted, interrupts: Interrupts) -> int:
    document = await asyncio.to_thread(read, want.file)
    places = SavedPlaces(command.environ)
    if places.warning:
        command.tell(places.warning, Tone.WARNING)
    async with opening.place_for(command.order, places) as (place, order):
        with Progress.on_stderr(f"Waiting for a kernel {place.where}", command.environ):
            ready = await open_for(document, want, place, order)
        if ready.opened is None:
            command.tell(f"There is no code to run in {described(want)}.")
            return 0
        if ready.opened.news:
            command.tell(ready.opened.news)
        showing = showing_of(ready.picked, want)
        outcome = await show(command, showing, ready.opened, place, interrupts)
    if outcome.status is not Status.OK:
        command.tell(_stopped(outcome, showing), Tone.BAD)
    around = Surroundings(file=want.file, gateway=None if place.is_here else place.name)
    return ended(command, outcome, around)


async def open_for(
    document: Document,
    want: Wanted,
    place: Place,
    order: Order,
    *,
    check: Callable[[Picked], None] = lambda _: None,
) -> Ready:
    """Join or start the kernel, once it is known what to run: that may decide the language.

    ``check`` raises where that cannot be.
    """
    specs, found = await both(place.gateway.kernelspecs(), opening.existing(order, place, want.file))
    kernel = order.kernel if found is None else found.kernel.name
    if found is None and kernel is not None:
        kernelspec_for(specs, kernel=kernel, language=None, where=place.where)
    language = None if kernel is None else language_of_kernel(specs, kernel)
    picked = pick(document, want, runnable=languages(specs), kernel_language=language)
    if not picked.pieces:
        return Ready(picked, None)
    check(picked)
    if found is not None:
        opening.check_language(found, order, code=picked.language, kernel=language)
        return Ready(picked, await opening.join(place, found, order))
    spec = kernelspec_for(specs, kernel=kernel, language=picked.language, where=place.where)
    return Ready(picked, await opening.start(place, order, spec, want.file))


def showing_of(picked: Picked, want: Wanted) -> Showing:
    """What is picked of a file, ready to be shown."""
    return Showing(
        pieces=[
            Beginning(index, piece.code, piece.first_row, piece.last_row)
            for index, piece in enumerate(picked.pieces)
        ],
        file=str(want.file),
        path=own_session_path(want.file),
        listing=Listing(picked.document, picked.pieces, start=picked.start),
        attachments=want.file.stem,
    )


def described(want: Wanted) -> str:
    """What is wanted, in words."""
    if want.cell is not None:
        return f"cell {want.cell} of {want.file}"
    if want.first is None:
        return str(want.file)
    if want.last is None:
        return f"line {want.first} of {want.file}"
    return f"lines {want.first} to {want.last} of {want.file}"


def _stopped(outcome: Outcome, showing: Showing) -> str:
    line = showing.pieces[outcome.ran - 1].first_row + 1
    how = "Interrupted" if outcome.status is Status.INTERRUPTED else "Stopped"
    left = len(showing.pieces) - outcome.ran
    rest = {0: "", 1: "; 1 more statement was not run"}.get(left, f"; {left} more statements were not run")
    return f"✗ {how} at line {line} of {showing.file}{rest}."
