"""Asking many gateways at once, where one that does not answer holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from kernelway.cli.places import LOCAL, SavedPlaces
from kernelway.client import Gateway, GatewayOptions
from kernelway.protocol.errors import KernelwayError, Unreachable
from kernelway.transport import deadlines

T = TypeVar("T")

ANSWERS_WITHIN: Final = 8.0
"""Seconds for one gateway, its tunnel and login included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """What one gateway said; neither ``said`` nor ``problem`` where it does not run, as ``local`` may."""

    name: str
    said: T | None = None
    problem: str | None = None


async def ask_all(
    places: SavedPlaces,
    names: Sequence[str],
    question: Callable[[Gateway], Awaitable[T]],
    *,
    within: float = ANSWERS_WITHIN,
) -> list[Answer[T]]:
    """Ask each of the gateways of these names, at the same time; the answers are in their order."""
    return list(await asyncio.gather(*(_ask(places, name, question, within) for name in names)))


async def _ask(
    places: SavedPlaces, name: str, question: Callable[[Gateway], Awaitable[T]], within: float
) -> Answer[T]:
    is_local = name == LOCAL and LOCAL not in places.names
    try:
        options = places.running_local() if is_local else await asyncio.to_thread(places.options, name)
        if options is None:
            return Answer(name=name)
        return Answer(name=name, said=await _asked(options, question, within))
    except TimeoutError:
        return Answer(name=name, problem=f"It did not answer within {within:g} seconds.")
    except Unreachable as error:
        # A socket that nobody listens on is what a gateway of this machine leaves that was killed.
        return Answer(name=name) if is_local else Answer(name=name, problem=str(error))
    except KernelwayError as error:
        return Answer(name=name, problem=str(error))


async def _asked(options: GatewayOptions, question: Callable[[Gateway], Awaitable[T]], within: float) -> T:
    # The gateway's own deadline is for starting kernels; ours must not come before it says what is wrong.
    quick = replace(options, timeout=min(options.timeout, within * 0.75))
    async with deadlines.timeout(within), Gateway.from_options(quick) as gateway:
        return await question(gateway)
