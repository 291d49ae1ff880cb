"""``kernelway interrupt``, ``restart`` and ``shutdown``: one kernel, wherever it runs."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from kernelway.cli.finding import Running, find, is_id
from kernelway.cli.opening import unlisted
from kernelway.cli.overview import names_to_ask, what_runs
from kernelway.cli.places import SavedPlaces
from kernelway.cli.progress import Progress
from kernelway.cli.sentences import say
from kernelway.cli.survey import ask_all
from kernelway.client import Gateway
from kernelway.protocol.errors import NotFound
from kernelway.transport.loop import run_loop


async def _interrupt(gateway: Gateway, found: Running) -> str:
    await (await gateway.connect(found.kernel.id)).interrupt()
    return "Interrupted"


async def _restart(gateway: Gateway, found: Running) -> str:
    await (await gateway.connect(found.kernel.id)).restart()
    return "Restarted"


async def _shutdown(gateway: Gateway, found: Running) -> str:
    if found.session is None:
        await (await gateway.connect(found.kernel.id)).shutdown()
    else:
        await (await gateway.find_session(found.session.id)).shutdown()
    return "Shut down"


ACTIONS: Final[Mapping[str, Callable[[Gateway, Running], Awaitable[str]]]] = {
    "interrupt": _interrupt,
    "restart": _restart,
    "shutdown": _shutdown,
}


def control(action: str, wanted: str, *, on: str | None, environ: Mapping[str, str]) -> int:
    """Do one of the actions to what a name or an id means; the exit status."""
    places = SavedPlaces(environ)

    async def act() -> str:
        with Progress.on_stderr(f"{action.capitalize()} {wanted}", environ):
            found = await _found(places, wanted, on)
            async with places.open(found.place) as place:
                done = await ACTIONS[action](place.gateway, found)
        return f"{done} {found.name} ({found.kernel.name}) on {found.place}."

    say(run_loop(act()), stream=sys.stdout)
    return 0


async def _found(places: SavedPlaces, wanted: str, on: str | None) -> Running:
    answers = await ask_all(places, names_to_ask(places, on), what_runs)
    there = [replace(each, place=answer.name) for answer in answers for each in answer.said or ()]
    try:
        return find(there, wanted)
    except NotFound as error:
        if on is not None and is_id(wanted) and not there:
            async with places.open(on) as place:
                return await unlisted(place, wanted)
        silent = [f"{answer.name} did not tell: {answer.problem}" for answer in answers if answer.problem]
        raise NotFound("\n".join([str(error), *silent])) from error
