"""The objects behind a notebook server's managers, put together for one server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kernelway.client.session import own_session_path
from kernelway.jupyter.naming_gateways import (
    NamedGateway,
    named_by_environment,
    named_by_traits,
    only_remote,
)
from kernelway.jupyter.places import Places
from kernelway.jupyter.remote_kernels import RemoteKernels
from kernelway.jupyter.remote_kernelspecs import RemoteKernelspecs
from kernelway.jupyter.remote_sessions import RemoteSessions
from kernelway.jupyter.session_paths import OwnPaths
from kernelway.protocol.errors import ConfigError

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assembly:
    """What is remote, for one notebook server; ``base_url`` begins and ends with a slash."""

    places: Places
    kernels: RemoteKernels
    kernelspecs: RemoteKernelspecs
    sessions: RemoteSessions
    base_url: str
    only_remote: bool
    """Whether local kernels are hidden."""


def assemble(
    *,
    root: Path,
    base_url: str,
    gateway_client: Mapping[str, object],
    environ: Mapping[str, str],
    changed: Callable[[str], None] = lambda _: None,
) -> Assembly:
    """Put them together; nothing is asked before the first list.

    ``gateway_client`` are the configured traits of jupyter_server's own gateway client. What does not fit in
    a setting is told in the log, and the server does without it. ``changed`` is called with the name of a
    place that offers other kernelspecs than it did.
    """
    nothing: tuple[NamedGateway, ...] = ()
    named = _heeded(lambda: named_gateways(gateway_client, environ), default=nothing)
    places = Places(environ, named=named)
    kernels = RemoteKernels(places, own_paths(root), changed=changed)
    return Assembly(
        places=places,
        kernels=kernels,
        kernelspecs=RemoteKernelspecs(kernels),
        sessions=RemoteSessions(kernels),
        base_url=base_url,
        only_remote=_heeded(lambda: only_remote(environ), default=False),
    )


def named_gateways(
    gateway_client: Mapping[str, object], environ: Mapping[str, str]
) -> tuple[NamedGateway, ...]:
    """The gateways that the environment and jupyter_server's own settings name."""
    configured = named_by_traits(gateway_client, environ)
    if configured is None:
        return named_by_environment(environ)
    # The trait wins over its own variable.
    others = {name: value for name, value in environ.items() if name != "JUPYTER_GATEWAY_URL"}
    return (configured, *named_by_environment(others))


def own_paths(root: Path) -> OwnPaths:
    """The paths of this user's sessions on this machine, for the files under a folder."""
    user, _, host = own_session_path("/").rstrip("/").rpartition("@")
    return OwnPaths(root, user=user, host=host)


def _heeded(read: Callable[[], T], *, default: T) -> T:
    try:
        return read()
    except ConfigError as error:
        log.error("%s", error)
        return default
