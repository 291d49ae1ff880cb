"""What a host remembers of a kernel's clients, so that a broken connection can go on where it was."""

from __future__ import annotations

from dataclasses import dataclass

from kernelway.protocol.link_framing import LinkId, Position
from kernelway.protocol.message import SessionId

_MOST_LINKS = 4096
"""Links without a connection that are remembered, for each kernel."""

_MOST_SESSIONS = 1024
"""Sessions whose positions are remembered, for each kernel."""


@dataclass(slots=True)
class Link:
    """A client's connection across all the sockets it takes."""

    id: LinkId
    taken: int = 0
    """The number of the last request that was handed to the kernel."""
    joined: int = 0
    """Sockets that it has now: more than one only for as long as an older one is not noticed to be gone."""


class Links:
    """The links of a kernel.

    Of those that have no connection the 4,096 that left last are remembered, unless nothing was taken from
    them: stock clients take another link with each socket, and must not push out those that come back.
    """

    def __init__(self) -> None:
        self._joined: dict[LinkId, Link] = {}
        self._left: dict[LinkId, Link] = {}

    def join(self, link_id: LinkId) -> Link:
        """The link of that id, for somebody who will say when it leaves."""
        link = self._joined.get(link_id) or self._left.pop(link_id, None) or Link(link_id)
        self._joined[link_id] = link
        link.joined += 1
        return link

    def leave(self, link: Link) -> None:
        """One of its connections has ended."""
        link.joined -= 1
        if link.joined:
            return
        del self._joined[link.id]
        if link.taken:
            self._left[link.id] = link
            if len(self._left) > _MOST_LINKS:
                del self._left[next(iter(self._left))]


class Received:
    """Up to which position each session is known to have received; of 1,024 sessions, those used last."""

    def __init__(self) -> None:
        self._positions: dict[SessionId, Position] = {}

    def note(self, session: SessionId, position: Position) -> None:
        """The session has received everything up to there; one that it told of before stays as it is."""
        known = self._positions.pop(session, position)
        self._positions[session] = max(known, position)
        if len(self._positions) > _MOST_SESSIONS:
            del self._positions[next(iter(self._positions))]

    def known(self, session: SessionId) -> Position | None:
        """None where nothing is known of the session."""
        return self._positions.get(session)
