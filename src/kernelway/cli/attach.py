"""``kernelway attach``: what a session has shown, and what it shows from now on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET

from kernelway.cli.finding import Ended, Found
from kernelway.cli.history import History
from kernelway.cli.kept import find_kept
from kernelway.cli.main import FAILED
from kernelway.cli.opening import Order, attach_command
from kernelway.cli.places import Place, SavedPlaces
from kernelway.cli.reconnecting import Linked
from kernelway.cli.replaying import Replay, ended_kernel, history_view, is_dead
from kernelway.cli.show.paint import Tone
from kernelway.cli.show.past import PastCode
from kernelway.cli.showing import Command, in_loop
from kernelway.cli.since import moment, shown_moment
from kernelway.client import Gateway, Kernel, Log, LogEntry
from kernelway.protocol.errors import Forbidden, InvalidRequest, KernelDied, NotFound
from kernelway.protocol.link_framing import START
from kernelway.protocol.models import EndedKernel, KernelId


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What a person wants to see of which session."""

    wanted: str
    on: str | None
    since: str | None
    environ: Mapping[str, str]

    @property
    def command(self) -> Command:
        """The same, as what can tell the person something."""
        return Command(order=Order(on=self.on, env={}), as_json=False, environ=self.environ)


def attach(attachment: Attachment) -> int:
    """Show a session until it ends or the person leaves; the exit status."""
    return in_loop(lambda _: _attach(attachment))


async def _attach(attachment: Attachment) -> int:
    now = datetime.now().astimezone()
    since = None if attachment.since is None else moment(attachment.since, now)
    command = attachment.command
    places = SavedPlaces(attachment.environ)
    if places.warning:
        command.tell(places.warning, Tone.WARNING)
    found = await find_kept(places, attachment.wanted, on=attachment.on, environ=attachment.environ)
    history = History(since)
    async with places.open(found.place) as place:
        try:
            await _follow(command, found, place, history, now)
        except asyncio.CancelledError:
            if not isinstance(found, Ended):
                back = attach_command(found.handle, found.place)
                command.tell(f"Left. {described(found)} goes on: `{back}` comes back to it.")
            raise
        return await _told_end(command, found, place, history, now)


async def _follow(command: Command, found: Found, place: Place, history: History, now: datetime) -> None:
    """Show everything there is, and what comes, until the kernel ends."""
    past = PastCode(now)
    async with _entries(command, place.gateway, found) as (linked, entries):
        if not isinstance(found, Ended):
            command.tell(f"Attached to {described(found)}. Ctrl-C leaves, and it goes on.")
        async with (
            history_view(past, command.environ, live=True) as view,
            command.telling(linked, found.place, view),
        ):
            replay = Replay(
                history=history,
                past=past,
                view=view,
                is_over=lambda: is_dead(place.gateway, found.kernel.id),
            )
            with contextlib.suppress(KernelDied):
                await replay.show(entries)


@contextlib.asynccontextmanager
async def _entries(
    command: Command, gateway: Gateway, found: Found
) -> AsyncIterator[tuple[Linked, AsyncIterator[LogEntry]]]:
    """The journal; or, of a server that keeps none, what its kernel publishes from now on."""
    async with contextlib.AsyncExitStack() as resources:
        try:
            log: Log = await resources.enter_async_context(gateway.log(found.kernel.id, follow=True))
        except InvalidRequest:
            kernel = await gateway.connect(found.kernel.id)
            command.tell(
                f"{found.place} keeps nothing of what its kernels print: here is what comes from now on.",
                Tone.WARNING,
            )
            yield kernel, _from_now_on(kernel)
            return
        yield log, aiter(log)


async def _from_now_on(kernel: Kernel) -> AsyncIterator[LogEntry]:
    async for message in kernel.messages():
        yield LogEntry(START, message)


async def _told_end(command: Command, found: Found, place: Place, history: History, now: datetime) -> int:
    """Say when and why the kernel ended; the exit status."""
    if isinstance(found, Ended):
        command.tell(f"{described(found)} {end_of(found.kernel, now)}")
        return 0
    kernel = await ended_kernel(place.gateway, found.kernel.id)
    dead = None if kernel is not None else await _why_dead(place.gateway, found.kernel.id)
    why = end_of(kernel, now) if kernel is not None else dead or "has ended."
    failed = dead is not None or history.was_cut_off
    command.tell(f"{described(found)} {why}", Tone.BAD if failed else Tone.QUIET)
    return FAILED if failed else 0


def end_of(kernel: EndedKernel, now: datetime) -> str:
    """As in "it ended at 14:03:20. It was shut down."."""
    return f"ended at {shown_moment(datetime.fromisoformat(kernel.ended), now)}. {kernel.reason}"


async def _why_dead(gateway: Gateway, kernel_id: KernelId) -> str | None:
    """Why a kernel is dead that nobody has shut down; None where it is not there."""
    try:
        kernels = await gateway.kernels()
    except (Forbidden, NotFound):
        return None
    for kernel in kernels:
        if kernel.id == kernel_id:
            reason = "" if kernel.reason is UNSET else f" {kernel.reason}"
            return f"is dead.{reason}\n`kernelway restart {kernel_id}` starts it anew."
    return None


def described(found: Found) -> str:
    """As in "train (python3) on gpu"."""
    return f"{found.name} ({found.kernel.name}) on {found.place}"
