"""The requests that a kernel has not answered yet, and what answers them when it never will."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kernelway.host.lifeline import own_message
from kernelway.protocol.errors import FrameError, KernelError
from kernelway.protocol.message import Buffer, Channel, Header, Message, MessageId, SessionId
from kernelway.protocol.models import ExecutionState

EVERYBODY: Final = SessionId("")
"""The session of what all clients may see."""

log = logging.getLogger(__name__)

_MOST = 10_000
"""Requests that are noted for each kernel; a client that asks faster than it is answered asks for a while."""

_REQUEST: Final = "_request"

_ANSWERED_ON = frozenset({Channel.SHELL, Channel.CONTROL})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits for its reply."""

    session: SessionId
    channel: Channel
    reply_type: str
    header: Buffer


class Unanswered:
    """The requests of all sessions, in the order in which they were sent.

    Where a session has used one msg_id for several, each reply answers the oldest of them.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[SessionId, Channel, MessageId], list[Asked]] = {}
        self._counts: Counter[SessionId] = Counter()
        self._size = 0

    def __contains__(self, session: SessionId) -> bool:
        return session in self._counts

    def __len__(self) -> int:
        return self._size

    def note(self, session: SessionId, request: Message, header: Header) -> None:
        """A message was handed to the kernel; what asks for no reply is not noted."""
        if request.channel not in _ANSWERED_ON or not header.msg_type.endswith(_REQUEST):
            return
        if self._size >= _MOST:
            self._forget_oldest()
        reply_type = header.msg_type.removesuffix(_REQUEST) + "_reply"
        asked = Asked(session, request.channel, reply_type, request.header)
        self._asked.setdefault((session, request.channel, header.msg_id), []).append(asked)
        self._counts[session] += 1
        self._size += 1

    def note_reply(self, session: SessionId, reply: Message) -> None:
        """A message came from the kernel to a session; its parent header is decoded here."""
        if reply.channel not in _ANSWERED_ON or session not in self._counts:
            return
        try:
            parent = reply.read_parent_header()
        except FrameError as error:
            log.warning("A reply of a kernel answers nothing that is known: %s", error)
            return
        self._take_one((session, reply.channel, parent.msg_id))

    def take(self) -> list[Asked]:
        """All of them, which are none from now on."""
        asked = [each for requests in self._asked.values() for each in requests]
        self._asked.clear()
        self._counts.clear()
        self._size = 0
        return asked

    def _forget_oldest(self) -> None:
        oldest = next(iter(self._asked))
        log.warning("More than %d requests wait for a kernel's reply; the oldest is forgotten.", _MOST)
        self._take_one(oldest)

    def _take_one(self, key: tuple[SessionId, Channel, MessageId]) -> None:
        requests = self._asked.get(key)
        if requests is None:
            return
        asked = requests.pop(0)
        if not requests:
            del self._asked[key]
        self._size -= 1
        self._counts[asked.session] -= 1
        if not self._counts[asked.session]:
            del self._counts[asked.session]


def aborted(asked: Asked, end: KernelError, speaker: SessionId) -> Iterator[tuple[SessionId, Message]]:
    """What answers a request whose kernel has ended: a reply to its session, and an idle for everybody.

    ``end`` is a KernelRestarted or a KernelDied, with the reason; ``speaker`` is the kernel's own session.
    """
    reason = str(end)
    content: dict[str, object] = {
        "status": "aborted",
        "ename": type(end).__name__,
        "evalue": reason,
        "traceback": [],
    }
    yield (
        asked.session,
        own_message(asked.channel, asked.reply_type, content, speaker, parent_header=asked.header),
    )
    idle: dict[str, object] = {
        "execution_state": ExecutionState.IDLE.value,
        "kernelway": {"aborted": reason},
    }
    yield EVERYBODY, own_message(Channel.IOPUB, "status", idle, speaker, parent_header=asked.header)
