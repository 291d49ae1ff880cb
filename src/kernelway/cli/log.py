"""``kernelway log``: what a kernel was asked and what it has said, also once it has ended."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from kernelway.cli.attach import described, end_of
from kernelway.cli.finding import Ended
from kernelway.cli.history import History, date_of
from kernelway.cli.kept import find_kept
from kernelway.cli.opening import Order
from kernelway.cli.places import SavedPlaces
from kernelway.cli.replaying import Replay, history_view, is_dead
from kernelway.cli.show.paint import Tone
from kernelway.cli.show.past import PastLines
from kernelway.cli.show.writer import Writer
from kernelway.cli.showing import Command, in_loop
from kernelway.cli.since import moment
from kernelway.client import Log, LogEntry
from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Message
from kernelway.protocol.models import timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a person wants to read of which session."""

    wanted: str
    on: str | None
    since: str | None
    as_json: bool
    follow: bool
    environ: Mapping[str, str]


def read_log(reading: Reading) -> int:
    """Write the log; the exit status."""
    return in_loop(lambda _: _read(reading))


async def _read(reading: Reading) -> int:
    now = datetime.now().astimezone()
    since = None if reading.since is None else moment(reading.since, now)
    command = Command(order=Order(on=reading.on, env={}), as_json=reading.as_json, environ=reading.environ)
    places = SavedPlaces(reading.environ)
    if places.warning:
        command.tell(places.warning, Tone.WARNING)
    found = await find_kept(places, reading.wanted, on=reading.on, environ=reading.environ)
    async with (
        places.open(found.place) as place,
        place.gateway.log(found.kernel.id, follow=reading.follow) as log,
    ):
        if reading.as_json:
            await _write_json(command, log, found.place, since)
            return 0

        async def is_over() -> bool:
            return reading.follow and await is_dead(place.gateway, found.kernel.id)

        past = PastLines(now)
        async with (
            history_view(past, reading.environ, live=reading.follow) as view,
            command.telling(log, found.place, view),
        ):
            replay = Replay(history=History(since), past=past, view=view, is_over=is_over)
            await replay.show(log)
        if isinstance(found, Ended):
            command.tell(f"{described(found)} {end_of(found.kernel, now)}")
    return 0


async def _write_json(command: Command, log: Log, where: str, since: datetime | None) -> None:
    async with Writer(sys.stdout) as writer, command.telling(log, where, None):
        skipping = since
        hole: LogEntry | None = None
        async for entry in log:
            if skipping is not None:
                at = None if entry.message is None else date_of(entry.message)
                if at is None or at < skipping:
                    # A hole is worth telling where what follows it is.
                    hole = entry if entry.hole is not None else None
                    continue
                skipping = None
                if hole is not None:
                    writer.write(line_of(hole))
            writer.write(line_of(entry))
            await writer.drain()


def line_of(entry: LogEntry) -> str:
    """One entry as a line of JSON."""
    if entry.message is not None:
        fields = _fields(entry.message, is_request=entry.is_request)
    elif entry.hole is not None:
        fields = {"type": "hole", "messages": entry.hole.messages, "reason": entry.hole.reason}
    else:
        fields = {"type": "nothing"}
    return msgspec.json.encode({"position": entry.position, **fields}).decode() + "\n"


def _fields(message: Message, *, is_request: bool) -> dict[str, object]:
    try:
        header, parent = message.read_header(), message.read_parent_header()
        at = date_of(message)
        return {
            "time": None if at is None else timestamp(at),
            "type": header.msg_type,
            "request": is_request,
            "channel": message.channel,
            "id": header.msg_id,
            "session": header.session,
            "parent": parent.msg_id or None,
            "metadata": message.read_metadata(),
            "content": message.read_content(),
            "buffers": [memoryview(buffer).nbytes for buffer in message.buffers],
        }
    except FrameError as error:
        return {"type": "unreadable", "reason": str(error)}
