"""What the tests of journals share: messages to append, and a reader that checks what it is given."""

from __future__ import annotations

from collections.abc import Sequence

from kernelway.host.journal import Journal, Kept
from kernelway.protocol.link_framing import (
    START,
    FrameKind,
    Hole,
    Position,
    encode_message_frame,
    head_of,
    told_in,
)
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message

DEADLINE = 20.0


def output(number: int, size: int = 0, *, msg_id: str | None = None) -> Message:
    """A message that no other number has."""
    return new_message(
        Channel.IOPUB,
        "stream",
        {"name": "stdout", "text": f"{number} " + "x" * size},
        msg_id=MessageId(msg_id or f"id-{number}"),
        session=SessionId("kernel"),
        date="2026-11-20T18:30:00.000000Z",
    )


def fill(journal: Journal, count: int, size: int = 0) -> list[Message]:
    """Append so many messages."""
    made = [output(journal.newest + 1 + index, size) for index in range(count)]
    for message in made:
        journal.append(message)
    return made


async def read_all(journal: Journal, after: Position = START, *, limit: int = 1 << 16) -> list[Kept]:
    """Everything after a position: each position once, in order, as an entry or in a hole that says so."""
    told: list[Kept] = []
    while kept := await journal.read(after, limit=limit):
        after = checked(kept, after)
        told += kept
    assert after == journal.newest
    return told


def checked(kept: Sequence[Kept], after: Position) -> Position:
    """Where reading goes on, once what was read is known to leave nothing out."""
    for each in kept:
        kind, number = head_of(each.frame)
        assert kind is each.kind
        if kind is FrameKind.HOLE:
            assert number == each.position + 1
            assert told_in(each.frame, Hole).messages == each.position - after > 0
        else:
            assert number == each.position == after + 1
        after = each.position
    return after


def missing_in(told: Sequence[Kept]) -> set[int]:
    """The positions that holes told."""
    missing: set[int] = set()
    for each in told:
        if each.kind is FrameKind.HOLE:
            count = told_in(each.frame, Hole).messages
            assert count is not None
            missing |= set(range(each.position - count + 1, each.position + 1))
    return missing


def frame_of(position: int, message: Message) -> bytes:
    """As clients get it."""
    return encode_message_frame(FrameKind.MESSAGE, position, message)
