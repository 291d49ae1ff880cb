"""A gateway's answers that are no success, as the errors of Kernelway, each in its own words.

Every sentence names the address, says what to do, and holds no token, password or header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from yarl import URL

from kernelway.protocol.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    KernelDied,
    KernelStartFailed,
    KernelwayError,
    LimitReached,
    NotFound,
    NotJupyter,
    PositionGone,
    RequestError,
    TimedOut,
    Unreachable,
    WrongCertificate,
    WrongCredentials,
)

_MOST_WORDS: Final = 2000
"""Characters of a server's own message that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What the sentences know about the other side."""

    shown: str
    """How messages name its address."""
    credential: str | None
    """What it is given: ``token``, ``password``, ``Authorization header``, or nothing."""
    secure: bool
    """Whether TLS was meant to be spoken."""
    connect_timeout: float
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer whose body has been read."""

    method: str
    url: URL
    path: str
    """The request's path below the base URL, for messages."""
    status: int
    location: str | None
    challenge: str
    """The ``WWW-Authenticate`` header, or nothing."""
    content_type: str
    data: bytes


class _Said(msgspec.Struct, frozen=True):
    message: str | None = None
    reason: str | None = None
    oldest: int | None = None
    """Of a journal, where what was asked for is no longer kept."""


class NothingThere(NotFound):
    """A 404 that is not in a Jupyter server's words: a proxy's, perhaps, whose server is away."""


def plain(text: str) -> str:
    """A stranger's words, made safe for a terminal: one line, printable, of bounded length."""
    words = "".join(char if char.isprintable() else " " for char in text[: _MOST_WORDS * 2])
    words = " ".join(words.split())
    return words if len(words) <= _MOST_WORDS else words[:_MOST_WORDS] + "…"


def refusal(answer: Answer, peer: Peer) -> KernelwayError:
    """The error in an answer whose status is not a success."""
    if 300 <= answer.status < 400:
        return _redirect(answer, peer)
    try:
        said = msgspec.json.decode(answer.data, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _wordless(answer, peer)
    words = plain(said.message or said.reason or "")
    if answer.status in (401, 403):
        return _denied(answer, peer, words)
    if answer.status == 410 and said.oldest is not None:
        return PositionGone(words, oldest=said.oldest)
    does = "cannot serve this now" if answer.status in _GONE_AWAY else f"answers {answer.path}"
    return _kind_of(answer)(f"{peer.shown} {does}: {words or f'status {answer.status}'}")


_GONE_AWAY: Final = frozenset({424, 502, 503})
"""What stands between answers for a server that is not there (424 is what a gateway's gateway says)."""

_KINDS: Final[dict[int, type[KernelwayError]]] = {
    404: NotFound,
    408: TimedOut,
    409: Conflict,
    410: KernelDied,
    429: LimitReached,
    504: TimedOut,
    **dict.fromkeys(_GONE_AWAY, Unreachable),
}


def _kind_of(answer: Answer) -> type[KernelwayError]:
    if answer.status == 500 and answer.method == "POST":
        # Starting and restarting kernels is all that a POST of ours asks for that can fail over there.
        return KernelStartFailed
    return _KINDS.get(answer.status, InvalidRequest if answer.status < 500 else RequestError)


def _denied(answer: Answer, peer: Peer, words: str) -> KernelwayError:
    """Tell a wrong token from a limit and from a person who is known and may not.

    jupyter_server complains of ``_xsrf`` when a POST has no valid token; kernel_gateway answers its limit of
    kernels with the same 403 as a refusal.
    """
    if answer.status == 403 and "limit" in words.lower():
        return LimitReached(f"{peer.shown} has reached its limit: {words}")
    if answer.status == 403 and words.lower() not in ("", "forbidden") and "_xsrf" not in words:
        return Forbidden(f"{peer.shown} does not allow this: {words}")
    return wrong_credentials(peer)


def wrong_credentials(peer: Peer) -> WrongCredentials:
    """The server is there, and does not let us in."""
    if peer.credential is None:
        return WrongCredentials(
            f"{peer.shown} asks for a token or a password, and none is given: `jupyter server list` on its "
            "machine shows the token."
        )
    if peer.credential == "token":
        return WrongCredentials(
            f"{peer.shown} refuses the token: check it (`jupyter server list` on its machine shows it; a "
            "server makes a new one each time it starts, unless it is given one)."
        )
    return WrongCredentials(f"{peer.shown} refuses the {peer.credential}: check it.")


def _redirect(answer: Answer, peer: Peer) -> KernelwayError:
    nowhere = NotJupyter(f"{peer.shown} answers {answer.path} with a redirect that leads nowhere.")
    if not answer.location:
        return nowhere
    try:
        target = answer.url.join(URL(answer.location)).with_query(None).with_fragment(None)
        target = target.with_user(None)
    except ValueError:
        return nowhere
    if {"login", "authorize"} & set(target.path.rstrip("/").split("/")):
        return wrong_credentials(peer)
    base = plain(str(target).removesuffix(answer.path))
    return NotJupyter(
        f"{peer.shown} answers with a redirect to {base}; use that as the base URL, if you trust it. It was "
        "not followed, so that nobody else is sent what is meant for this server."
    )


def _wordless(answer: Answer, peer: Peer) -> KernelwayError:
    """The error in an answer that is not Jupyter's JSON, such as the page of a proxy."""
    status = answer.status
    if status in (401, 403):
        return wrong_credentials(peer)
    if status in _GONE_AWAY or status == 504:
        return Unreachable(
            f"A proxy answers at {peer.shown} (status {status}), but the server behind it does not: start "
            "that, or check where the proxy leads."
        )
    if status == 400 and b"HTTPS" in answer.data:
        return speaks_tls(peer)
    if status == 404 and answer.path != "api":
        return NothingThere(f"{peer.shown} has nothing at {answer.path}.")
    return not_jupyter(answer, peer)


def not_jupyter(answer: Answer, peer: Peer, why: str | None = None) -> NotJupyter:
    """Something answers, but not as a Jupyter server does."""
    what = why or f"status {answer.status} and {plain(answer.content_type) or 'no content type'}"
    return NotJupyter(
        f"{peer.shown} does not answer {answer.path} as a Jupyter server does: {what}. Check the host, the "
        "port and the path of the base URL (a path such as /lab or /tree does not belong to it)."
    )


def no_websocket(peer: Peer) -> NotJupyter:
    """The handshake of a WebSocket is answered, and not by a WebSocket."""
    return NotJupyter(
        f"{peer.shown} does not open a WebSocket: a proxy in front of it may not pass WebSockets on."
    )


def speaks_tls(peer: Peer) -> WrongCertificate:
    """The base URL says http, and the port expects TLS."""
    return WrongCertificate(f"{peer.shown} expects TLS: say https:// in the base URL.")
