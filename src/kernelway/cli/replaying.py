"""Showing a kernel's journal on a view: what was run, and what it has shown."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from kernelway.cli.history import Began, Event, Finished, History, Showed, Told
from kernelway.cli.show.live import LiveView
from kernelway.cli.show.past import PastCode, PastLines
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.plain import PlainView
from kernelway.cli.show.terminal import terminal_of
from kernelway.cli.show.view import HistoryView
from kernelway.cli.show.writer import Writer
from kernelway.client import Gateway, LogEntry
from kernelway.protocol.errors import Forbidden, FrameError, NotFound
from kernelway.protocol.execution import ExecuteReply
from kernelway.protocol.models import EndedKernel, ExecutionState, KernelId

_ENDED = ExecuteReply("", None, {})
"""What a view is told where the kernel's own reply went to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Shows the entries of one journal; ``past`` is the source that the view was made with.

    ``is_over`` is asked when the kernel is seen to be dead: whether it still is.
    """

    history: History
    past: PastCode | PastLines
    view: HistoryView
    is_over: Callable[[], Awaitable[bool]]

    async def show(self, entries: AsyncIterable[LogEntry]) -> None:
        """Show every entry, until there are no more or the kernel is dead."""
        was_dead = False
        try:
            async for entry in entries:
                for event in self._events(entry):
                    await self._show(event)
                is_dead = self.history.is_dead
                if is_dead and not was_dead and await self.is_over():
                    return
                was_dead = is_dead
        finally:
            for event in self.history.end():
                await self._show(event)

    def _events(self, entry: LogEntry) -> list[Event]:
        try:
            return self.history.take(entry)
        except FrameError as error:
            return [*self.history.end(), Told(f"What the kernel said here cannot be read: {error}")]

    async def _show(self, event: Event) -> None:
        match event:
            case Began(asked):
                self.view.begin(self.past.put(asked, self.history.coming))
            case Showed(output):
                await self.view.receive(output)
            case Finished(known):
                self.view.end(_ENDED if known else None)
            case Told(text):
                self.view.aside(f"── {text} ──")


@contextlib.asynccontextmanager
async def history_view(
    past: PastCode | PastLines, environ: Mapping[str, str], *, live: bool
) -> AsyncIterator[LiveView | PlainView]:
    """A view on stdout: with ``live`` and a terminal one that shows what goes on now."""
    terminal = terminal_of(sys.stdout, environ)
    folder = AttachmentFolder("output")
    async with Writer(sys.stdout) as writer:
        if live and terminal.moves:
            yield LiveView(terminal, writer, folder, listing=past)
        else:
            yield PlainView(writer, folder, past, notes=sys.stderr, colours=terminal.colours)


async def ended_kernel(gateway: Gateway, kernel_id: KernelId) -> EndedKernel | None:
    """When and why a kernel ended, where the gateway knows."""
    return next((kernel for kernel in await gateway.ended() if kernel.id == kernel_id), None)


async def is_dead(gateway: Gateway, kernel_id: KernelId) -> bool:
    """Whether a kernel is dead now, and nobody has shut it down or restarted it yet."""
    try:
        kernels = await gateway.kernels()
    except (Forbidden, NotFound):
        return True
    return any(kernel.id == kernel_id and kernel.execution_state is ExecutionState.DEAD for kernel in kernels)
