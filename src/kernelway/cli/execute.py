"""``kernelway exec``: code from the command line or stdin."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from kernelway.cli import opening
from kernelway.cli.hints import Surroundings
from kernelway.cli.interrupts import Interrupts
from kernelway.cli.opening import Opened, Order
from kernelway.cli.places import Place, SavedPlaces, kernelspec_for
from kernelway.cli.progress import Progress
from kernelway.cli.show.paint import Tone
from kernelway.cli.show.view import Beginning
from kernelway.cli.showing import Command, Showing, ended, in_loop, show

_NAME = "<code>"
"""What tracebacks call the code."""


def run_code(command: Command, code: str) -> int:
    """Run the code, or with ``-`` what stdin holds; the exit status."""
    text = sys.stdin.read() if code == "-" else code
    return in_loop(lambda interrupts: _run(command, text, interrupts))


async def _run(command: Command, code: str, interrupts: Interrupts) -> int:
    places = SavedPlaces(command.environ)
    if places.warning:
        command.tell(places.warning, Tone.WARNING)
    showing = Showing(pieces=[Beginning(0, code, 0, code.count("\n"))], file=_NAME, attachments="output")
    async with (
        opening.place_for(command.order, places) as (place, order),
        _opened(command, place, order) as opened,
    ):
        outcome = await show(command, showing, opened, place, interrupts)
    return ended(command, outcome, Surroundings(file=None, gateway=None if place.is_here else place.name))


@contextlib.asynccontextmanager
async def _opened(command: Command, place: Place, order: Order) -> AsyncIterator[Opened]:
    """The session that was named, or a kernel that ends with the command."""
    async with contextlib.AsyncExitStack() as resources:
        with Progress.on_stderr(f"Waiting for a kernel {place.where}", command.environ):
            found = await opening.existing(order, place, None)
            if found is not None:
                opened = await opening.join(place, found, order)
            else:
                specs = await place.gateway.kernelspecs()
                spec = kernelspec_for(specs, kernel=order.kernel, language=None, where=place.where)
                if order.session is None:
                    opened = await resources.enter_async_context(opening.of_its_own(place, order, spec))
                else:
                    opened = await opening.start(place, order, spec, Path(order.session))
                    command.tell(opened.news)
        yield opened
