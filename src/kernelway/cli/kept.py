"""Finding a session whose kernel runs, or has ended and left its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kernelway.cli.finding import Found, find, find_ended, is_id
from kernelway.cli.opening import unlisted
from kernelway.cli.overview import Kept, names_to_ask, what_is_kept
from kernelway.cli.places import LOCAL, SavedPlaces
from kernelway.cli.progress import Progress
from kernelway.cli.survey import Answer, ask_all
from kernelway.client.local import local_place
from kernelway.protocol.errors import NotFound


async def find_kept(places: SavedPlaces, wanted: str, *, on: str | None, environ: Mapping[str, str]) -> Found:
    """The session or kernel that is meant; what runs goes before what has ended.

    The gateway of this machine is started where it does not run and its folder holds journals.
    """
    names = names_to_ask(places, on)
    with Progress.on_stderr(f"Looking for {wanted}", environ):
        answers = await ask_all(places, names, what_is_kept)
        try:
            return _found(answers, wanted)
        except NotFound as error:
            if on is not None and is_id(wanted) and not any(answer.said for answer in answers):
                async with places.open(on) as place:
                    return await unlisted(place, wanted)
            if not _may_be_local(answers, environ):
                silent = [
                    f"{answer.name} did not tell: {answer.problem}" for answer in answers if answer.problem
                ]
                raise NotFound("\n".join([str(error), *silent])) from error
    async with places.open(LOCAL) as place:
        local = Answer(name=LOCAL, said=await what_is_kept(place.gateway))
    return _found([*(answer for answer in answers if answer.name != LOCAL), local], wanted)


def _found(answers: Sequence[Answer[Kept]], wanted: str) -> Found:
    told = [(answer.name, answer.said) for answer in answers if answer.said is not None]
    running = [replace(each, place=name) for name, kept in told for each in kept.running]
    over = [replace(each, place=name) for name, kept in told for each in kept.ended]
    over.sort(key=lambda each: each.kernel.ended, reverse=True)
    try:
        return find(running, wanted)
    except NotFound:
        if not over:
            raise
    try:
        return find_ended(over, wanted)
    except NotFound:
        everything: list[Found] = [*running, *over]
        return find(everything, wanted)


def _may_be_local(answers: Sequence[Answer[Kept]], environ: Mapping[str, str]) -> bool:
    """Whether the gateway of this machine does not run, and may have journals all the same."""
    is_off = any(answer.name == LOCAL and answer.said is None and not answer.problem for answer in answers)
    return is_off and (local_place(environ).state / "journals").is_dir()
