"""The kernel that a command runs its code on: found, joined or started."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from kernelway.cli.finding import Running, find, is_id, looks_like_id, running
from kernelway.cli.overlapping import both
from kernelway.cli.places import LOCAL, Place, SavedPlaces, is_bridge, without_gateway
from kernelway.cli.sentences import say
from kernelway.client import Gateway, Kernel
from kernelway.client.session import own_session_path
from kernelway.protocol.errors import Conflict, Forbidden, InvalidRequest, LinkError, NotFound
from kernelway.transport import deadlines

T = TypeVar("T")

_ENDS_WITHIN: Final = 15.0
"""Seconds for a gateway to end a kernel that nobody needs any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Where a person wants their code to run, as far as they said."""

    on: str | None = None
    kernel: str | None = None
    session: str | None = None
    new: bool = False
    shared: bool = False
    """Whether the kernel has to outlive the command, and so cannot be on a private gateway."""
    cwd: str | None = None
    env: Mapping[str, str]

    @property
    def place(self) -> str | None:
        """The name of the gateway; None for a private one."""
        return LOCAL if self.on is None and (self.shared or self.session is not None) else self.on


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A kernel to run code on; ``news`` is what the person should know of it."""

    kernel: Kernel
    name: str | None = None
    """What the session is called, or the kernel's id without one; None for a kernel of the command's own."""
    news: str = ""


@contextlib.asynccontextmanager
async def place_for(order: Order, places: SavedPlaces) -> AsyncIterator[tuple[Place, Order]]:
    """The gateway of an order, and the order with the kernelspec by its own name.

    A kernelspec's name may carry its gateway (``python3.gpu``), unless a local one has that name.
    """
    named = None if order.kernel is None else places.named(order.kernel)
    if order.on is None and order.kernel is not None and named is not None:
        async with places.open(None) as private:
            here = (await private.gateway.kernelspecs()).kernelspecs
        model = here.get(order.kernel)
        if model is None or is_bridge(order.kernel, model, [*places.names, LOCAL]):
            order = replace(order, kernel=named[0], on=named[1])
    async with places.open(order.place) as place:
        if order.kernel is not None and place.name is not None and named is not None:
            known = (await place.gateway.kernelspecs()).kernelspecs
            order = replace(order, kernel=without_gateway(order.kernel, place.name, known))
        yield place, order


async def existing(order: Order, place: Place, file: Path | None) -> Running | None:
    """What is joined rather than started: the session that was named, or else the file's own.

    None where something is to be started. A name that nothing has is one for a new session.
    """
    if place.name is None or (order.session is None and (order.new or file is None)):
        return None
    there = await _running(place.gateway, place.name)
    if order.session is not None:
        try:
            found = find(there, order.session)
        except NotFound:
            if is_id(order.session) and not there:
                return await unlisted(place, order.session)
            if looks_like_id(order.session) or "/" in order.session:
                raise
            return None
        _check_kernel(order, found)
        return found
    assert file is not None
    path = own_session_path(file)
    own = [each for each in there if each.session is not None and each.session.path == path]
    for each in own[:1]:
        _check_kernel(order, each)
    return own[0] if own else None


async def unlisted(place: Place, kernel_id: str) -> Running:
    """A kernel by its whole id, on a gateway that lists nothing; :class:`NotFound` where it has none such."""
    async with await place.gateway.connect(kernel_id) as kernel:
        return Running(place=place.name or LOCAL, kernel=await kernel.model())


async def _running(gateway: Gateway, name: str) -> list[Running]:
    """What runs on a gateway, as far as it tells."""
    kernels, sessions = await both(_told(gateway.kernels()), _told(gateway.sessions()))
    return running(name, kernels, sessions)


async def _told(listing: Coroutine[Any, Any, list[T]]) -> list[T]:
    """The list; empty where the gateway does not list that."""
    try:
        return await listing
    except (Forbidden, NotFound):
        return []


def _check_kernel(order: Order, found: Running) -> None:
    if order.kernel is not None and found.kernel.name != order.kernel:
        raise Conflict(
            f"{found.name} on {found.place} has a {found.kernel.name} kernel, not {order.kernel}: leave "
            "--kernel out to join it, or say --new for a session of its own."
        )


def check_language(found: Running, order: Order, *, code: str | None, kernel: str | None) -> None:
    """Raise where code would run on a kernel of another language that nobody asked for."""
    if order.kernel is None and None not in (code, kernel) and code != kernel:
        raise InvalidRequest(
            f"The code is {code}, and {found.name} on {found.place} runs {kernel}: to run it all the same, "
            f"say --kernel {found.kernel.name}."
        )


async def join(place: Place, found: Running, order: Order) -> Opened:
    """Connect to what runs already."""
    kernel = await place.gateway.connect(found.kernel.id)
    unused = " and ".join(flag for flag, given in (("--cwd", order.cwd), ("--env", order.env)) if given)
    late = f" It runs already, which makes {unused} too late." if unused else ""
    news = f"Joined {found.name} ({found.kernel.name}) on {found.place}.{late}"
    return Opened(kernel=kernel, name=found.handle, news=news)


async def start(place: Place, order: Order, kernelspec: str, file: Path) -> Opened:
    """Start a kernel: of this command on a private gateway, elsewhere in a session that goes on."""
    if place.name is None:
        return Opened(
            kernel=await place.gateway.start_kernel(
                kernelspec, cwd=working_folder(place, order), env=order.env
            )
        )
    # A session that was named is this user's on this machine, whatever file is run in it first.
    path = file if order.session is None else Path("/") / order.session
    session = await place.gateway.open_session(
        path,
        kernel=kernelspec,
        name=order.session,
        cwd=working_folder(place, order),
        env=order.env,
        new=order.new,
    )
    name = session.name if session.id is not None else session.kernel.id
    return Opened(
        kernel=session.kernel,
        name=name,
        news=f"Started {name} ({kernelspec}) on {place.name}, which goes on when this command ends:\n"
        f"`{_for('shutdown', name, place.name)}` ends it.",
    )


@contextlib.asynccontextmanager
async def of_its_own(place: Place, order: Order, kernelspec: str) -> AsyncIterator[Opened]:
    """A kernel that ends with the command."""
    kernel = await place.gateway.start_kernel(kernelspec, cwd=working_folder(place, order), env=order.env)
    try:
        yield Opened(kernel=kernel)
    finally:
        if not place.is_private:
            await _end(kernel, place)


async def _end(kernel: Kernel, place: Place) -> None:
    """End a kernel of the command's own; where it cannot be reached, say what is left."""
    try:
        async with deadlines.timeout(_ENDS_WITHIN):
            await kernel.shutdown()
    except NotFound:
        pass
    except (LinkError, TimeoutError) as error:
        command = _for("shutdown", kernel.id, place.name or LOCAL)
        why = str(error) or f"{place.name} does not answer."
        say(f"The kernel of this command could not be ended, and may go on: {why}\n`{command}` ends it.")


def working_folder(place: Place, order: Order) -> str | None:
    """The working folder: the one that was named; else, on this machine, the current one."""
    if place.is_here:
        return str(Path(order.cwd or ".").absolute())
    return order.cwd


def environment_from(given: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``--env K=V``, and of ``--env K`` those of this environment."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if equals:
            found[name] = value
        elif name in environ:
            found[name] = environ[name]
        else:
            raise InvalidRequest(
                f"--env {name} takes the variable from here, and it is not set: say {name}=VALUE."
            )
    return found


def attach_command(name: str, place: str) -> str:
    """What a person types to come back to a session."""
    return _for("attach", name, place)


def log_command(name: str, place: str) -> str:
    """What a person types to read what a session's kernel has said."""
    return _for("log", name, place)


def _for(command: str, name: str, place: str) -> str:
    where = "" if place == LOCAL else f" --on {shlex.quote(place)}"
    return f"kernelway {command} {shlex.quote(name)}{where}"
