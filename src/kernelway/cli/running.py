"""Running pieces of code on a kernel, one after the other, up to the first that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from kernelway.cli.answering import Answering
from kernelway.cli.asking import Keyboard
from kernelway.cli.interrupts import Interrupts
from kernelway.cli.marks import marking
from kernelway.cli.show.tracebacks import Origin, located
from kernelway.cli.show.view import Beginning, View
from kernelway.client import Execution, Kernel, LinkStatus
from kernelway.protocol.errors import LinkLost
from kernelway.protocol.execution import Display, Error, ExecuteReply, InputRequest, Output


class Status(StrEnum):
    """How a run ended."""

    OK = "ok"
    ERROR = "error"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, how many of its pieces were sent, and what the last one raised."""

    status: Status
    ran: int
    error: Error | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs code on one kernel and shows it on one view; ``file`` is the name of the code in tracebacks."""

    kernel: Kernel
    view: View
    file: str
    interrupts: Interrupts
    keyboard: Keyboard | None
    """Who answers what the code asks; without it the code is told that nobody can."""
    path: str | None = None
    """The path that the file's session has, for who reads later what was asked of the kernel."""

    async def run(self, pieces: Sequence[Beginning]) -> Outcome:
        """Run the pieces; raises what the client raises where the kernel or the way to it ends."""
        origins: dict[int, Origin] = {}
        for number, piece in enumerate(pieces, start=1):
            origin = Origin(self.file, piece.first_row)
            error = await self._run(piece, origin, origins)
            if error is not None:
                status = Status.INTERRUPTED if self.interrupts.interrupted else Status.ERROR
                return Outcome(status=status, ran=number, error=error)
        return Outcome(status=Status.OK, ran=len(pieces))

    async def _run(self, piece: Beginning, origin: Origin, origins: dict[int, Origin]) -> Error | None:
        """Run one piece; the error that it ended with."""
        execution = self.kernel.execute(
            piece.code, allow_stdin=self.keyboard is not None, metadata=marking(piece, self.path)
        )
        self.view.begin(piece)
        reply: ExecuteReply | None = None
        try:
            with self.interrupts.interruptible(self._interrupt, self.view.note):
                error = await self._show(execution, origin, origins)
                reply = await execution.reply
            _remember(origins, reply, origin)
            for page in _pages(reply):
                await self.view.receive(page)
            if error is None and reply.status != "ok":
                error = self._worded(_error_of(reply))
                await self.view.receive(error)
        finally:
            self.view.end(reply)
        return error

    async def _show(self, execution: Execution, origin: Origin, origins: dict[int, Origin]) -> Error | None:
        """Show every output, and answer every question; the error among them."""
        error: Error | None = None
        async with Answering(execution, self.view, self.keyboard) as answering:
            async for output in execution:
                if isinstance(output, InputRequest):
                    answering.ask(output)
                elif isinstance(output, Error):
                    await answering.take_back()
                    # The reply's number tells which frames of the traceback are in this piece.
                    _remember(origins, await execution.reply, origin)
                    error = self._worded(located(output, origins, last=origin))
                    await self.view.receive(error)
                else:
                    await self.view.receive(output)
        return error

    async def _interrupt(self) -> None:
        link = self.kernel.link
        if link.status is LinkStatus.RECONNECTING:
            raise LinkLost(f"its kernel cannot be reached since {link.since.astimezone():%H:%M:%S}.")
        self.view.note("Interrupting … Ctrl-C again leaves.")
        await self.kernel.interrupt()

    def _worded(self, error: Error) -> Error:
        """The error with something to read, where a kernel has no names for its errors."""
        if error.name:
            return error
        if self.interrupts.interrupted:
            return replace(error, value="interrupted")
        return replace(error, value=f"exit status {error.value}") if error.value.isdigit() else error


def _remember(origins: dict[int, Origin], reply: ExecuteReply, origin: Origin) -> None:
    if reply.execution_count is not None:
        origins[reply.execution_count] = origin


def _pages(reply: ExecuteReply) -> list[Output]:
    """What the code asked to be paged, such as IPython's ``len?``."""
    payload = reply.content.get("payload")
    pages = [page for page in payload if isinstance(page, dict)] if isinstance(payload, list) else []
    return [
        Display(page["data"], {})
        for page in pages
        if page.get("source") == "page" and isinstance(page.get("data"), dict)
    ]


def _error_of(reply: ExecuteReply) -> Error:
    """What a kernel says in its reply alone."""
    name, value = (str(reply.content.get(key) or "") for key in ("ename", "evalue"))
    traceback = [str(line) for line in reply.content.get("traceback") or ()]
    return Error(name, value if name or value else reply.status, traceback)
