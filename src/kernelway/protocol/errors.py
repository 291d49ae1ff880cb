"""Every error that Kernelway raises on purpose, as one tree.

    KernelwayError
    ├── RequestError            the caller asked for something that cannot be
    │   ├── InvalidRequest      a body, a query or a value that does not fit
    │   ├── Unauthorized        no token, or not the right one
    │   ├── Forbidden           a known caller who may not
    │   ├── NotFound            no such kernel, session, kernelspec or resource
    │   ├── PositionGone        a position of a journal that is no longer kept
    │   ├── Conflict            it exists already, or is in the middle of something
    │   ├── LimitReached        a limit that a person set
    │   └── FrameError          bytes that do not follow the wire protocol they claim
    ├── KernelError             the kernel's doing
    │   ├── KernelStartFailed   it never became ready
    │   ├── KernelDied          it ended while somebody waited for it
    │   └── KernelRestarted     it was restarted while somebody waited for it
    ├── LinkError               the way to the other side
    │   ├── Unreachable         nobody answers at that address
    │   ├── WrongCredentials    somebody answers, and refuses the token, password or key
    │   ├── WrongCertificate    TLS cannot be trusted as configured
    │   ├── NotJupyter          somebody answers, in another language
    │   ├── TunnelFailed        ssh could not make the way
    │   ├── LinkLost            the connection broke, or was closed by the other side
    │   └── TimedOut            no answer before the deadline
    ├── ConfigError             a setting, a flag or a file that a person wrote
    └── InternalError           ours: a bug, whose details belong in the log only

The message of every error but :class:`InternalError` is written for the person who caused it or can
mend it, and may be shown to them. Nothing puts a token, a request's environment or a traceback in one.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar


class KernelwayError(Exception):
    """The root; ``str(error)`` is one or more whole sentences."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    shown: ClassVar[bool] = True
    """Whether the message may leave the process that raised it."""


class RequestError(KernelwayError):
    """The caller asked for something that cannot be."""

    status = HTTPStatus.BAD_REQUEST


class InvalidRequest(RequestError):
    """A body, a query or a value that does not fit."""


class Unauthorized(RequestError):
    """No token, or not the right one."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(RequestError):
    """A caller who may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(RequestError):
    """There is no such kernel, session, kernelspec or resource."""

    status = HTTPStatus.NOT_FOUND


class PositionGone(RequestError):
    """What was asked to be replayed is no longer kept; ``oldest`` is the oldest position there is."""

    status = HTTPStatus.GONE

    def __init__(self, message: str, *, oldest: int) -> None:
        super().__init__(message)
        self.oldest = oldest


class Conflict(RequestError):
    """It exists already, or is in the middle of something else."""

    status = HTTPStatus.CONFLICT


class LimitReached(RequestError):
    """A limit that a person set; kernel_gateway answers its own kernel limit with the same 403."""

    status = HTTPStatus.FORBIDDEN


class FrameError(RequestError):
    """Bytes that do not follow the wire protocol they claim to be in."""


class KernelError(KernelwayError):
    """The kernel's doing."""


class KernelStartFailed(KernelError):
    """The kernel never became ready; the message holds the end of what it wrote to stderr."""


class KernelDied(KernelError):
    """The kernel ended while somebody waited for it."""

    status = HTTPStatus.GONE


class KernelRestarted(KernelError):
    """The kernel was restarted while somebody waited for it."""

    status = HTTPStatus.CONFLICT


class LinkError(KernelwayError):
    """Something about the way to the other side."""

    status = HTTPStatus.BAD_GATEWAY


class Unreachable(LinkError):
    """Nobody answers at that address."""


class WrongCredentials(LinkError):
    """The other side refuses the token, the password or the key."""


class WrongCertificate(LinkError):
    """The other side's certificate, or ours, is not trusted."""


class NotJupyter(LinkError):
    """What answers does not speak Jupyter's REST API."""


class TunnelFailed(LinkError):
    """The ssh tunnel could not be made; the message holds ssh's own words."""


class LinkLost(LinkError):
    """The connection broke, or the other side closed it with the code and reason in the message."""


class TimedOut(LinkError):
    """No answer before the deadline."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class ConfigError(KernelwayError):
    """A setting, a flag or a file that a person wrote does not fit; the message names it."""


class InternalError(KernelwayError):
    """A bug of ours; the message is for the log."""

    shown = False
