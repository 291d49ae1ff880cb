"""Why a WebSocket to a kernel ended, as an error; and whether another one could mend it."""

from __future__ import annotations

from typing import Final

import aiohttp

from kernelway.client.answers import NothingThere
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import (
    ConfigError,
    Forbidden,
    InvalidRequest,
    KernelDied,
    KernelwayError,
    LinkLost,
    NotFound,
    WrongCredentials,
)
from kernelway.protocol.models import KernelId


class Unmendable(LinkLost):
    """The link is lost, and another socket would be lost the same way."""


_KERNEL_ENDED: Final = frozenset({CloseCode.KERNEL_GONE, CloseCode.KERNEL_DEAD})

_FINAL: Final = (Unmendable, KernelDied, NotFound, WrongCredentials, Forbidden, InvalidRequest, ConfigError)

_UNMENDABLE: Final = frozenset({CloseCode.PROTOCOL_ERROR, CloseCode.MESSAGE_TOO_BIG})
"""After the last of them the same message would be sent again, and be too big again.

REPLACED is not among them: nobody else has this session, so it was a socket of this link that replaced this
one. A socket that was given up may reach the kernel late, behind its successor.
"""


def ended_by(frame: aiohttp.WSMessage, kernel_id: KernelId, *, known: str | None = None) -> KernelwayError:
    """The error in what a WebSocket gave in the place of data; ``known`` is what our own side saw of it."""
    kernel = f"kernel {kernel_id}"
    if frame.type is aiohttp.WSMsgType.ERROR:
        return LinkLost(f"The connection to {kernel} broke: {frame.data}.")
    if frame.type is not aiohttp.WSMsgType.CLOSE:
        what = known or "the server went away without a word"
        return LinkLost(f"The connection to {kernel} broke: {what}.")
    said = str(frame.extra).rstrip(".") if frame.extra else "it gave no reason"
    if frame.data in _KERNEL_ENDED:
        return KernelDied(f"The server closed the connection to {kernel}, which has ended: {said}.")
    code = f"code {frame.data}" if frame.data else "no code"
    kind = Unmendable if frame.data in _UNMENDABLE else LinkLost
    return kind(f"The server closed the connection to {kernel}: {said} ({code}).")


def is_final(error: KernelwayError) -> bool:
    """Whether a link that met this is gone for good.

    What a proxy or another network may answer in the place of the server (no TLS, another certificate, no
    Jupyter) is not final: the next try may reach the server again.
    """
    return isinstance(error, _FINAL) and not isinstance(error, NothingThere)


def final_error(error: KernelwayError, kernel_id: KernelId, *, was_there: bool) -> KernelwayError:
    """A final error, as those who wait for the kernel are to hear it."""
    if isinstance(error, NotFound) and was_there:
        return KernelDied(f"Kernel {kernel_id} has ended: {error}")
    if isinstance(error, Unmendable):
        return LinkLost(str(error))
    return error
