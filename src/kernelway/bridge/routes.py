"""Whose request a message of the kernel answers: identities of ZeroMQ by the msg_id of what they asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernelway.protocol.message import MessageId

MOST_ROUTES: Final = 10_000
"""Requests that are remembered; a client that asks faster than it is answered asks for a while."""


@dataclass(slots=True)
class _Asked:
    identity: bytes
    replies: int = 0
    """How many are still to come, and how many idles: one for each time that the msg_id was used."""
    idles: int = 0


class Routes:
    """Identities, from a request until its reply and its idle have gone back."""

    def __init__(self, most: int = MOST_ROUTES) -> None:
        self._asked: dict[MessageId, _Asked] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def awaits_reply(self) -> bool:
        """Whether there is a request without its reply."""
        return any(asked.replies for asked in self._asked.values())

    def add(self, msg_id: MessageId, identity: bytes, *, is_request: bool) -> MessageId | None:
        """Remember who asked; what was forgotten for it, the oldest, if there are too many.

        What is no request, such as a comm's message, has an idle and no reply.
        """
        asked = self._asked.setdefault(msg_id, _Asked(identity))
        asked.identity = identity
        asked.replies += is_request
        asked.idles += 1
        if len(self._asked) <= self._most:
            return None
        oldest = next(iter(self._asked))
        del self._asked[oldest]
        return oldest

    def find(self, msg_id: MessageId) -> bytes | None:
        """Who asked that; None where it is not known."""
        asked = self._asked.get(msg_id)
        return None if asked is None else asked.identity

    def replied(self, msg_id: MessageId) -> bytes | None:
        """Take note of a reply, and say whose it is."""
        asked = self._asked.get(msg_id)
        if asked is None:
            return None
        asked.replies = max(0, asked.replies - 1)
        self._settle(msg_id, asked)
        return asked.identity

    def became_idle(self, msg_id: MessageId) -> None:
        """Take note that the kernel is done with a request."""
        asked = self._asked.get(msg_id)
        if asked is not None:
            asked.idles = max(0, asked.idles - 1)
            self._settle(msg_id, asked)

    def _settle(self, msg_id: MessageId, asked: _Asked) -> None:
        if not asked.replies and not asked.idles:
            del self._asked[msg_id]
