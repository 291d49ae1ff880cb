"""A ZeroMQ socket's turn of the event loop, without a future or a task for each message.

libzmq's descriptor is edge-triggered: it becomes readable when the socket's state changes, not while there
is something to read, and sending may use that change up. So after every turn at a socket, and after every
attempt to send, whoever has it looks at it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from kernelway.protocol.message import Buffer

log = logging.getLogger(__name__)

_MOST_MESSAGES: Final = 64
_MOST_BYTES: Final = 1 << 20
"""What one socket may take of a turn of the event loop before others have theirs."""

_COPIED: Final = 1 << 16
"""Bytes; a smaller part is copied out of libzmq's memory, a larger one stays there and is looked at."""

NOW: Final = int(zmq.NOBLOCK)


def take_turn(
    socket: zmq.Socket[bytes], receive: Callable[[Sequence[Buffer]], None], *, listens: Callable[[], bool]
) -> bool:
    """Give ``receive`` the parts of the messages that are there, in order; whether there may be more.

    It ends after a share of a turn, and where ``listens`` says no. What ``receive`` raises goes to the log:
    one message that nobody can make sense of must not end the hearing of all others.
    """
    messages = size = 0
    while messages < _MOST_MESSAGES and size < _MOST_BYTES and listens():
        parts = _next(socket)
        if parts is None:
            return False
        messages += 1
        size += sum(map(len, parts))
        try:
            receive(parts)
        except Exception:
            log.exception("A message is lost.")
    return True


def _next(socket: zmq.Socket[bytes]) -> list[Buffer] | None:
    """The parts of the next message, None where there is none; pyzmq's own recv_multipart is slower."""
    receive = socket.recv
    parts: list[Buffer] = []
    try:
        while True:
            frame = receive(NOW, copy=False)
            parts.append(frame.bytes if len(frame) < _COPIED else frame.buffer)
            if not frame.more:
                return parts
    except zmq.Again:
        return None
