"""A host: the kernels and sessions of this machine, behind one small interface.

Nothing above the host reaches past this class; see :class:`kernelway.transport.api.hosts.Host` for the
interface that the gateway relies on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import shutil
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import zmq
from msgspec import UNSET

from kernelway.host.culler import CullRules, cull
from kernelway.host.fork_servers import ForkServers
from kernelway.host.guard import Guard
from kernelway.host.journals import JournalLimits, Journals
from kernelway.host.kernel import KernelLimits
from kernelway.host.kernels import Kernels
from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.host.pool import Pool, PoolRules
from kernelway.host.run import HOST_MARK, Surroundings
from kernelway.host.sessions import Sessions
from kernelway.host.sockets import new_context
from kernelway.host.tasks import log_failure, to_the_end
from kernelway.protocol.channels import Channels, Joining
from kernelway.protocol.errors import InvalidRequest
from kernelway.protocol.models import (
    EndedKernel,
    KernelId,
    KernelModel,
    KernelSpecModel,
    KernelSpecs,
    OpenSession,
    RestSessionId,
    SessionModel,
    StartKernel,
    Status,
    UpdateSession,
    timestamp,
)
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_DESCRIPTORS = 16_384
"""Sockets, pipes and files that are enough for a thousand kernels with a client each."""

_TERMINATE_WITHIN = 5.0
"""Seconds that ZeroMQ has to end once all sockets are closed."""

_LONGEST_IDENTITY = 255
"""libzmq's limit for a routing identity, in bytes."""

_LONGEST_LINK = 255
"""Bytes; thousands of these ids are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What a host is told by whoever runs it."""

    folder: Path
    """A private folder with a short path, for this host alone; it is removed at the end."""
    home: Path
    """Where kernels work when nobody named a folder, and where relative paths start."""
    environ: Mapping[str, str] = field(repr=False)
    default_kernel: str | None = None
    most_kernels: int | None = None
    limits: KernelLimits = field(default_factory=KernelLimits)
    cull: CullRules = field(default_factory=CullRules)
    journals: Path | None = None
    """The folder in which the kernels' journals are kept; None keeps the newest of each in memory alone."""
    journal: JournalLimits = field(default_factory=JournalLimits)
    fork: bool = False
    """Whether kernels on Python are forked from a process that has imported what they need."""
    preload: tuple[str, ...] = ()
    """Modules that such a process imports as well."""
    warm: int = 0
    """Kernels of each kernelspec that wait, started and ready."""
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    """The value of HOST_MARK in the environment of everything that must not outlive the host."""


class Host:
    """``async with Host(options) as host``: leaving ends every kernel.

    Entering raises this process's soft limit of descriptors, and with it that of the kernels: each kernel
    takes ten of them and each client six, so the usual 1,024 would be the end at some eighty.
    """

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._started = datetime.now(UTC)
        self._guard = Guard(
            marker=f"{HOST_MARK}={options.mark}", folder=options.folder, environ=dict(options.environ)
        )
        self._context = new_context()
        self._specs = LocalKernelSpecs(default=options.default_kernel)
        self._forks = _fork_servers(options) if options.fork and sys.platform == "linux" else None
        surroundings = Surroundings(
            context=self._context,
            folder=options.folder,
            mark=options.mark,
            environ=dict(options.environ),
            guard=self._guard,
            forks=self._forks,
        )
        self._journals = Journals(options.journals, options.journal)
        self._pool = Pool(surroundings, self._specs, _pool_rules(options), home=options.home)
        self._kernels = Kernels(
            surroundings,
            self._specs,
            self._journals,
            self._pool,
            limits=options.limits,
            most=options.most_kernels,
            home=options.home,
        )
        self._sessions = Sessions(self._kernels, self._journals)
        self._stopping = asyncio.Event()
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        _permit_descriptors(_DESCRIPTORS)
        async with contextlib.AsyncExitStack() as opening:
            opening.push_async_callback(
                asyncio.to_thread, shutil.rmtree, self._options.folder, ignore_errors=True
            )
            opening.push_async_callback(_terminate, self._context)
            await opening.enter_async_context(self._journals)
            await opening.enter_async_context(self._guard)
            if self._forks is not None:
                opening.push_async_callback(self._forks.close)
            culling = asyncio.create_task(
                cull(self._kernels, self._options.cull, self._stopping), name="cull"
            )
            opening.push_async_callback(self._stop_culling, culling)
            opening.push_async_callback(self._kernels.close)
            self._pool.open()
            self._open = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await to_the_end(self._open.aclose(), name="close host")

    async def _stop_culling(self, culling: asyncio.Task[None]) -> None:
        self._stopping.set()
        await asyncio.wait({culling})
        log_failure(culling)

    async def status(self) -> Status:
        """Counts and times over all kernels."""
        activities = [kernel.last_activity for kernel in self._kernels]
        return Status(
            started=timestamp(self._started),
            last_activity=timestamp(max(activities, default=self._started)),
            connections=sum(len(kernel.attachments) for kernel in self._kernels),
            kernels=len(self._kernels),
            trouble=self._journals.trouble or UNSET,
        )

    async def unused_for(self, seconds: float) -> None:
        """Return once there has been no kernel for so long."""
        await self._kernels.unused_for(seconds)

    async def end_kernels(self) -> None:
        """End every kernel, before whatever tells their clients; from now on none is started."""
        await to_the_end(self._kernels.close(), name="end kernels")

    # Kernelspecs

    async def kernelspecs(self) -> KernelSpecs:
        """All kernelspecs of this machine."""
        return await self._specs.all()

    async def kernelspec(self, name: str) -> KernelSpecModel:
        """One kernelspec."""
        return await self._specs.one(name)

    async def kernelspec_resource(self, name: str, file: str) -> bytes:
        """The content of a logo or style file of a kernelspec."""
        return await asyncio.to_thread((await self._specs.resource(name, file)).read_bytes)

    # Kernels

    async def kernels(self) -> list[KernelModel]:
        """All kernels."""
        return [kernel.model() for kernel in self._kernels]

    async def kernel(self, kernel_id: KernelId) -> KernelModel:
        """One kernel."""
        return self._kernels.get(kernel_id).model()

    async def start_kernel(self, request: StartKernel) -> KernelModel:
        """Start a kernel: see :meth:`Kernels.start`."""
        return (await self._kernels.start(request)).model()

    async def interrupt_kernel(self, kernel_id: KernelId) -> None:
        """Interrupt what a kernel runs."""
        await self._kernels.get(kernel_id).interrupt()

    async def restart_kernel(self, kernel_id: KernelId) -> KernelModel:
        """Restart a kernel, and wait until it is ready again."""
        return (await self._kernels.restart(kernel_id)).model()

    async def shutdown_kernel(self, kernel_id: KernelId) -> None:
        """End a kernel for good."""
        await self._kernels.shutdown(kernel_id)

    async def ended_kernels(self) -> list[EndedKernel]:
        """The kernels that have ended and whose journals are kept, the latest first."""
        return self._journals.ended()

    async def connect(self, kernel_id: KernelId, joining: Joining) -> Channels:
        """Connect a client to a kernel's channels, or to the journal of one that has ended."""
        session = joining.session
        if not 0 < len(session.encode()) <= _LONGEST_IDENTITY or session.startswith("\0"):
            raise InvalidRequest(f"A session_id has 1 to {_LONGEST_IDENTITY} bytes and begins with no NUL.")
        if not 0 < len(joining.link.encode()) <= _LONGEST_LINK:
            raise InvalidRequest(f"The id of a link has 1 to {_LONGEST_LINK} bytes.")
        return await self._kernels.join(kernel_id, joining)

    # Sessions

    async def sessions(self) -> list[SessionModel]:
        """All sessions."""
        return self._sessions.all()

    async def session(self, session_id: RestSessionId) -> SessionModel:
        """One session."""
        return self._sessions.get(session_id)

    async def open_session(self, request: OpenSession) -> SessionModel:
        """Find or create a session: see :meth:`Sessions.open`."""
        return await self._sessions.open(request)

    async def update_session(self, session_id: RestSessionId, request: UpdateSession) -> SessionModel:
        """Change a session: see :meth:`Sessions.update`."""
        return await self._sessions.update(session_id, request)

    async def close_session(self, session_id: RestSessionId) -> None:
        """End a session and its kernel."""
        await self._sessions.close(session_id)


def _fork_servers(options: HostOptions) -> ForkServers:
    return ForkServers({**options.environ, HOST_MARK: options.mark}, preload=options.preload)


def _pool_rules(options: HostOptions) -> PoolRules:
    return PoolRules(size=options.warm, start_timeout=options.limits.start_timeout, preloaded=options.preload)


def _permit_descriptors(count: int) -> None:
    """Let this process have so many descriptors at least, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _terminate(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """End ZeroMQ's threads: a socket that was left open would make that wait for ever, and us with it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def work() -> None:
        context.term()
        loop.call_soon_threadsafe(ended.set)

    # A daemon, and not the loop's executor: a thread that does not come back must not hold the process.
    threading.Thread(target=work, name="end ZeroMQ", daemon=True).start()
    try:
        async with deadlines.timeout(_TERMINATE_WITHIN):
            await ended.wait()
    except TimeoutError:
        log.error("A ZeroMQ socket was left open, and ZeroMQ does not end.")
