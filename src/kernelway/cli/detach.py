"""``kernelway run --detach``: code is handed to a session's kernel, and nobody waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from kernelway.cli import opening
from kernelway.cli.main import FAILED
from kernelway.cli.marks import marking
from kernelway.cli.opening import Opened
from kernelway.cli.picking import Picked, Wanted, read
from kernelway.cli.places import Place, SavedPlaces
from kernelway.cli.progress import Progress
from kernelway.cli.run import described, open_for, showing_of
from kernelway.cli.sentences import say
from kernelway.cli.show.paint import Tone
from kernelway.cli.show.view import Beginning
from kernelway.cli.showing import Command, Showing, in_loop
from kernelway.cli.tables import print_json
from kernelway.client import Kernel
from kernelway.protocol.errors import InvalidRequest
from kernelway.protocol.execution import ExecuteReply
from kernelway.protocol.link_framing import LINK_SUBPROTOCOL
from kernelway.transport import deadlines

_MOST: Final = 1000
"""Statements of one run: an ipykernel 7 with some thousands of requests in its queue stops for good."""

_PATIENCE: Final = 2.0
"""Seconds in which the first statements are waited for."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """The statement that failed, and how many were not sent after it."""

    piece: Beginning
    reply: ExecuteReply
    left: int


def detach_file(command: Command, want: Wanted) -> int:
    """Hand over what is wanted of a file; the exit status."""
    command = replace(command, order=replace(command.order, shared=True))
    return in_loop(lambda _: _detach(command, want))


async def _detach(command: Command, want: Wanted) -> int:
    document = await asyncio.to_thread(read, want.file)
    places = SavedPlaces(command.environ)
    if places.warning:
        command.tell(places.warning, Tone.WARNING)
    async with opening.place_for(command.order, places) as (place, order):
        with Progress.on_stderr(f"Waiting for a kernel {place.where}", command.environ):
            ready = await open_for(document, want, place, order, check=_check_count)
        if ready.opened is None:
            command.tell(f"There is no code to run in {described(want)}.")
            return 0
        if ready.opened.news:
            command.tell(ready.opened.news)
        showing = showing_of(ready.picked, want)
        assert ready.opened.name is not None
        assert place.name is not None
        try:
            async with command.telling(ready.opened.kernel, place.name, None):
                failure = await _hand_over(showing, ready.opened.kernel)
        except asyncio.CancelledError:
            command.tell(
                f"Left before {place.name} had all of {showing.file}: some of it may run.", Tone.WARNING
            )
            raise
    if failure is not None:
        _tell_failure(command, showing, failure, opening.log_command(ready.opened.name, place.name))
        return FAILED
    _tell(command, showing, ready.opened, place)
    return 0


async def _hand_over(showing: Showing, kernel: Kernel) -> _Failure | None:
    """Send every piece, and wait until the kernel's host has taken them; the failure that came meanwhile.

    A kernel that meets an error leaves out what waits for it at that moment, and would run what comes later.
    So for a while each piece is sent when the one before has ended well, and only then all the rest at once:
    most errors are found early, and what runs longer is hardly over just while the rest is on its way.
    """
    loop = asyncio.get_running_loop()
    patient_until = loop.time() + _PATIENCE
    for index, piece in enumerate(showing.pieces):
        metadata = marking(piece, showing.path)
        execution = kernel.execute(piece.code, allow_stdin=False, metadata=metadata)
        try:
            if (patience := patient_until - loop.time()) > 0:
                async with deadlines.timeout(patience):
                    reply = await execution.reply
                if reply.status != "ok":
                    return _Failure(piece, reply, len(showing.pieces) - index - 1)
        except TimeoutError:
            # It runs on, and what comes now waits for it.
            pass
        finally:
            execution.close()
    await kernel.delivered()
    return None


def _tell_failure(command: Command, showing: Showing, failure: _Failure, log: str) -> None:
    content = failure.reply.content
    error = ": ".join(str(content[key]) for key in ("ename", "evalue") if content.get(key))
    rest = {0: "", 1: "; 1 more statement was not run"}.get(
        failure.left, f"; {failure.left} more statements were not run"
    )
    command.tell(
        f"✗ Stopped at line {failure.piece.first_row + 1} of {showing.file}{rest}. {error}\n"
        f"`{log}` shows it all.",
        Tone.BAD,
    )


def _check_count(picked: Picked) -> None:
    count = len(picked.pieces)
    if count > _MOST:
        raise InvalidRequest(
            f"These are {count:,} statements, and a kernel can be handed {_MOST:,} at a time: name a part of "
            "the file (FILE:FROM-TO, or --cell), or put the code into functions."
        )


def _tell(command: Command, showing: Showing, opened: Opened, place: Place) -> None:
    """Say what runs where, and how to see it."""
    assert opened.name is not None
    assert place.name is not None
    is_kept = opened.kernel.subprotocol == LINK_SUBPROTOCOL
    count = len(showing.pieces)
    if command.as_json:
        print_json(
            {
                "gateway": place.name,
                "session": opened.name,
                "kernel": opened.kernel.id,
                "statements": count,
                "kept": is_kept,
            }
        )
        return
    what = f"{count} statement{'s' * (count > 1)} of {showing.file}"
    attach = opening.attach_command(opened.name, place.name)
    log = opening.log_command(opened.name, place.name)
    say(
        f"{what} {'run' if count > 1 else 'runs'} in the session {opened.name} on {place.name} now, "
        f"whatever becomes of this terminal.\n"
        f"  {attach}    shows what comes of it\n"
        + (f"  {log}       what has come of it so far" if is_kept else "")
    )
    if not is_kept:
        command.tell(f"{place.name} keeps nothing of what is printed while nobody is attached.", Tone.WARNING)
