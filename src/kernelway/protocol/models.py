"""The REST models, as values; they are also what the OpenAPI description is generated from.

Source of the shapes: jupyter_server's REST API, and what real clients hold a server to.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NewType, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

KernelId = NewType("KernelId", str)
"""A UUID, given by the host that started the kernel."""

RestSessionId = NewType("RestSessionId", str)
"""The id of a session of the REST API: a path joined to a kernel."""


class ExecutionState(StrEnum):
    """The states that clients know; any other makes @jupyterlab/services throw."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    RESTARTING = "restarting"
    DEAD = "dead"


def timestamp(moment: datetime) -> str:
    """UTC with microseconds always present, as in ``2026-11-20T18:30:00.000000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class ApiVersion(msgspec.Struct, frozen=True):
    """The answer of ``/api``."""

    version: str
    kernelway: str


class Status(msgspec.Struct, frozen=True):
    """The answer of ``/api/status``."""

    started: str
    last_activity: str
    connections: int
    kernels: int
    trouble: str | UnsetType = UNSET
    """What is wrong with the host, such as a full disk, where something is."""


class Replacement(msgspec.Struct, frozen=True):
    """The answer of a host whose gateway was replaced: the new gateway's process and version."""

    pid: int
    version: str


class Identity(msgspec.Struct, frozen=True):
    """Who the caller is, as in jupyter_server's identity provider."""

    username: str
    name: str
    display_name: str
    initials: str | None = None
    avatar_url: str | None = None
    color: str | None = None


class Me(msgspec.Struct, frozen=True):
    """The answer of ``/api/me``."""

    identity: Identity
    permissions: dict[str, list[str]]


class KernelModel(msgspec.Struct, frozen=True):
    """A running kernel."""

    id: KernelId
    name: str
    last_activity: str
    execution_state: ExecutionState
    connections: Annotated[int, Meta(ge=0)]
    reason: str | UnsetType = UNSET
    """Why the kernel is dead or was restarted, where there is something to tell."""


Lease: TypeAlias = Annotated[
    float,
    Meta(
        gt=0,
        description="Seconds after which the kernel is ended where no client has been connected to it for so "
        "long. It is void once a session has the kernel that it was not started for.",
    ),
]


class StartKernel(msgspec.Struct, frozen=True):
    """The body of ``POST /api/kernels``; ``path`` is the kernel's working folder."""

    name: str | None = None
    path: str | None = None
    env: Annotated[dict[str, str], Meta(description="Added to this kernel's environment alone.")] = (
        msgspec.field(default_factory=dict)
    )
    lease: Lease | None = None


class SessionModel(msgspec.Struct, frozen=True):
    """A path joined to a kernel; ``kernel`` is that kernel's model."""

    id: RestSessionId
    path: str
    name: str
    type: str
    kernel: KernelModel


class SessionKernel(msgspec.Struct, frozen=True):
    """Which kernel a session is to have: a running one by ``id``, or a new one by ``name``."""

    id: KernelId | None = None
    name: str | None = None
    env: dict[str, str] = msgspec.field(default_factory=dict)
    path: str | None = None
    """The new kernel's working folder; a client of Kernelway's own sends it, stock ones do not."""
    lease: Lease | None = None
    """For a new kernel, too."""


class OpenSession(msgspec.Struct, frozen=True):
    """The body of ``POST /api/sessions``; a session of the same path and type is answered as it is."""

    path: str
    type: str = "notebook"
    name: str = ""
    kernel: SessionKernel = SessionKernel()


class UpdateSession(msgspec.Struct, frozen=True):
    """The body of ``PATCH /api/sessions/{id}``; what is left out stays."""

    path: str | None = None
    name: str | None = None
    type: str | None = None
    kernel: SessionKernel | None = None


class EndedKernel(msgspec.Struct, frozen=True):
    """A kernel that has ended and whose journal is still kept."""

    id: KernelId
    name: str
    """Of its kernelspec."""
    started: str
    ended: str
    reason: str
    """Why it ended, in a sentence."""
    size: Annotated[int, Meta(ge=0)]
    """Bytes of its journal."""
    sessions: list[EndedSession]
    """The sessions that had it last."""


class EndedSession(msgspec.Struct, frozen=True):
    """What a session was, whose kernel has ended."""

    id: RestSessionId
    path: str
    name: str
    type: str


class Spec(msgspec.Struct, frozen=True):
    """A kernelspec's own file, ``kernel.json``."""

    argv: list[str] = msgspec.field(default_factory=list)
    display_name: str = ""
    language: str = ""
    interrupt_mode: str = "signal"
    env: dict[str, str] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class KernelSpecModel(msgspec.Struct, frozen=True):
    """A kernelspec; ``resources`` maps a name such as ``logo-64x64`` to a URL path under the base URL."""

    name: str
    spec: Spec
    resources: dict[str, str] = msgspec.field(default_factory=dict)


class KernelSpecs(msgspec.Struct, frozen=True):
    """The answer of ``/api/kernelspecs``."""

    default: str
    kernelspecs: dict[str, KernelSpecModel]


class ErrorModel(msgspec.Struct, frozen=True):
    """What every failed request answers; ``reason`` is the status code's phrase."""

    message: str
    reason: str
    oldest: int | UnsetType = UNSET
    """The oldest position of the kernel's journal, where one was asked for that is no longer kept."""
