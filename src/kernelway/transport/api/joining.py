"""How a client joins a kernel's channels, as the query of its WebSocket says it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import InvalidRequest
from kernelway.protocol.link_framing import LinkId, Position
from kernelway.protocol.message import MessageId, SessionId

QUERY = {
    "session_id": "The client's session; a newer connection of the same one takes its place.",
    "link": "For v1.link.kernelway: an id of the client's choice, the same on every socket of its link.",
    "after": "Replay what came after the message with this msg_id.",
    "position": "Replay what came after this position of the kernel's journal.",
    "replay": "`all`: replay everything that is kept.",
    "resume": "`1`: replay what the session has not received, as sockets of stock clients have it anyway.",
    "requests": "`1`: replay the requests that are kept, too; for v1.link.kernelway.",
    "parts": "`1`: large frames come in parts, small ones together; for gateways and their own hosts.",
}
"""What may be told in the query, and what it means."""

_STARTS = ("after", "position", "replay", "resume")

_HIGHEST = (1 << 64) - 1


def joining_of(query: Mapping[str, str], *, stock: bool) -> Joining:
    """What a query says; :class:`InvalidRequest` where that is nothing, or two things.

    A ``stock`` client that names no place to start from goes on where its session was. A value that is empty
    counts as left out.
    """
    named = [name for name in _STARTS if query.get(name)]
    if len(named) > 1:
        raise InvalidRequest(f"A replay has one place to start from, and not both {named[0]} and {named[1]}.")
    return Joining(
        session=SessionId(query.get("session_id") or uuid.uuid4().hex),
        # A stock client's requests are not numbered by itself: each of its sockets is a link of its own.
        link=LinkId(("" if stock else query.get("link")) or uuid.uuid4().hex),
        after=MessageId(query["after"]) if query.get("after") else None,
        position=_position(query["position"]) if query.get("position") else None,
        replay_all=_said(query, "replay", "all"),
        resume=_said(query, "resume", "1") or (stock and not named),
        requests=_said(query, "requests", "1"),
        parts=_said(query, "parts", "1"),
    )


def _position(text: str) -> Position:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST)) and int(text) <= _HIGHEST):
        raise InvalidRequest("A position is a whole number that is not below 0, and fits into 64 bits.")
    return Position(int(text))


def _said(query: Mapping[str, str], name: str, word: str) -> bool:
    value = query.get(name, "")
    if value not in ("", word):
        raise InvalidRequest(f"The only thing that {name} can be is {word!r}.")
    return value == word
