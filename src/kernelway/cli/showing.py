"""What ``run`` and ``exec`` have in common: a run on a kernel, shown on what stdout is."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernelway import logs
from kernelway.cli.asking import keyboard_of
from kernelway.cli.hints import Surroundings, hint
from kernelway.cli.interrupts import Interrupts, Left
from kernelway.cli.main import FAILED, INTERRUPTED
from kernelway.cli.opening import Opened, Order, attach_command
from kernelway.cli.places import Place
from kernelway.cli.reconnecting import Linked, Reconnecting, telling
from kernelway.cli.running import Outcome, Runner, Status
from kernelway.cli.sentences import fitted
from kernelway.cli.show.json_lines import JsonView
from kernelway.cli.show.listing import Listing
from kernelway.cli.show.paint import Paint, Tone
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.terminal import terminal_of
from kernelway.cli.show.view import Beginning, View
from kernelway.cli.show.writer import Writer
from kernelway.settings import LogFormat, LogLevel
from kernelway.transport.loop import run_loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a person said on the command line, and where they said it."""

    order: Order
    as_json: bool
    environ: Mapping[str, str]

    def tell(self, text: str, tone: Tone = Tone.QUIET) -> None:
        """A sentence on stderr."""
        terminal = terminal_of(sys.stderr, self.environ)
        text = fitted(text, sys.stderr)
        print(Paint(colours=terminal.colours)(text, tone), file=sys.stderr, flush=True)

    def telling(self, linked: Linked, where: str, view: View | None) -> Reconnecting:
        """Tell of a link while the context is open."""
        return telling(linked, where, view, sys.stderr, terminal_of(sys.stderr, self.environ))


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """Code to run; ``file`` is its name in tracebacks, and ``listing`` what stands beside its results."""

    pieces: Sequence[Beginning]
    file: str
    listing: Listing | None = None
    path: str | None = None
    """The path that the file's session has."""
    attachments: str
    """What the names of files begin with that outputs are kept in."""


def in_loop(work: Callable[[Interrupts], Coroutine[Any, Any, int]]) -> int:
    """Do the work of a command that can be interrupted; the exit status."""
    # What goes wrong in the private gateway comes as an error; its log would tear the screen apart.
    logs.configure(level=LogLevel.ERROR, format_=LogFormat.TEXT)

    async def main() -> int:
        interrupts = Interrupts()
        try:
            return await interrupts.watch(work(interrupts))
        except Left as left:
            return left.status

    return run_loop(main())


async def show(
    command: Command, showing: Showing, opened: Opened, place: Place, interrupts: Interrupts
) -> Outcome:
    """Run the code and show it."""
    # What is asked would go to where the output goes, where nobody would see it.
    is_seen = not command.as_json and terminal_of(sys.stdout, command.environ).moves
    keyboard = keyboard_of(sys.stdin) if is_seen else None
    try:
        async with (
            _view(command, showing) as view,
            command.telling(opened.kernel, place.name or "the kernel", view),
        ):
            runner = Runner(
                kernel=opened.kernel,
                view=view,
                file=showing.file,
                interrupts=interrupts,
                keyboard=keyboard,
                path=showing.path,
            )
            outcome = await runner.run(showing.pieces)
            if isinstance(view, JsonView):
                view.finish(status=outcome.status, ran=outcome.ran, not_run=len(showing.pieces) - outcome.ran)
            return outcome
    except asyncio.CancelledError:
        if opened.name is not None and place.name is not None:
            back = attach_command(opened.name, place.name)
            command.tell(f"Left. The kernel on {place.name} goes on: `{back}` comes back to it.")
        raise


@contextlib.asynccontextmanager
async def _view(command: Command, showing: Showing) -> AsyncIterator[View]:
    """The view that fits; of the views only that one is loaded."""
    terminal = terminal_of(sys.stdout, command.environ)
    folder = AttachmentFolder(showing.attachments)
    async with Writer(sys.stdout) as writer:
        if command.as_json:
            yield JsonView(writer)
        elif terminal.moves:
            from kernelway.cli.show.live import LiveView

            yield LiveView(terminal, writer, folder, listing=showing.listing)
        elif showing.listing is not None:
            from kernelway.cli.show.plain import PlainView

            yield PlainView(writer, folder, showing.listing, notes=sys.stderr)
        else:
            from kernelway.cli.show.passing import PassingView

            async with Writer(sys.stderr) as errors:
                yield PassingView(writer, errors, folder, notes=sys.stderr)


def ended(command: Command, outcome: Outcome, around: Surroundings) -> int:
    """The exit status, after what there is to say about an error."""
    if outcome.error is not None and (sentence := hint(outcome.error, around)):
        command.tell(sentence, Tone.WARNING)
    return {Status.OK: 0, Status.ERROR: FAILED, Status.INTERRUPTED: INTERRUPTED}[outcome.status]
