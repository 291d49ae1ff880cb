"""A gateway: kernelway's own, a jupyter_server or a kernel_gateway, and what runs there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from types import TracebackType
from typing import Self, TypeAlias, TypedDict, Unpack, cast

from kernelway.client import session as sessions_of
from kernelway.client.http import HttpClient
from kernelway.client.kernel import Kernel
from kernelway.client.link import Link
from kernelway.client.log import Log
from kernelway.client.options import GatewayOptions
from kernelway.client.rest import RestApi
from kernelway.client.session import Session
from kernelway.client.stock_models import VersionAnswer
from kernelway.client.talk import Listener
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import Forbidden, NotFound, NotJupyter
from kernelway.protocol.link_framing import Position
from kernelway.protocol.message import MessageId
from kernelway.protocol.models import (
    EndedKernel,
    KernelId,
    KernelModel,
    KernelSpecs,
    OpenSession,
    SessionKernel,
    SessionModel,
    StartKernel,
    Status,
)

Room: TypeAlias = Callable[[], Awaitable[None]]


class ServerKind(StrEnum):
    """Who answers at the address of a gateway."""

    KERNELWAY = "kernelway"
    JUPYTER_SERVER = "jupyter_server"
    KERNEL_GATEWAY = "kernel_gateway"
    ENTERPRISE_GATEWAY = "enterprise_gateway"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes our credentials.

    kernel_gateway tells the version of the jupyter_server that it is built on, and not its own.
    """

    kind: ServerKind
    version: str


class MoreOptions(TypedDict, total=False):
    """The fields of :class:`GatewayOptions` that are neither its URL nor its token."""

    ws_url: str | None
    request_headers: Mapping[str, str]
    user: str | None
    password: str | None
    timeout: float
    connect_timeout: float
    validate_cert: bool
    ca_file: str | None
    client_cert: str | None
    client_key: str | None
    fingerprint: str | None
    ssh: str | None
    ping_after: float
    pong_within: float
    reconnect_for: float | None


def more_options(options: GatewayOptions) -> MoreOptions:
    """What :class:`Gateway` takes beside the URL and the token."""
    return cast("MoreOptions", {name: getattr(options, name) for name in MoreOptions.__annotations__})


class Gateway:
    """One gateway; it is used inside ``async with``.

    Leaving the block closes the connections to the kernels that were opened in it, and never ends a kernel.
    Errors of the way, such as :class:`Unreachable` and :class:`WrongCredentials`, can come from every
    method, since nothing is sent before one needs it (but a password's login, and ssh's, when the block is
    entered).
    """

    def __init__(self, url: str, *, token: str | None = None, **options: Unpack[MoreOptions]) -> None:
        self.options = GatewayOptions(base_url=url, token=token, **options)
        self._http = HttpClient(self.options)
        self.rest = RestApi(self._http)
        """The bare requests, for who asks and changes without connecting."""
        self._kernels: set[Kernel] = set()
        self._resources = AsyncExitStack()

    @classmethod
    def from_options(cls, options: GatewayOptions) -> Self:
        """The gateway of options that exist already, such as those of a saved gateway."""
        return cls(options.base_url, token=options.token, **more_options(options))

    async def __aenter__(self) -> Self:
        await self._resources.enter_async_context(self._http)
        self._resources.push_async_callback(self._close_kernels)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def check(self) -> Server:
        """What kind of server answers, once it has taken our credentials too."""
        answer = await self._http.call("GET", "api", answer=VersionAnswer)
        if not answer.version:
            raise NotJupyter(f"{self._http.peer.shown} answers api without a version: check the base URL.")
        await self.kernelspecs()
        if answer.kernelway is not None:
            return Server(ServerKind.KERNELWAY, answer.kernelway)
        if answer.gateway_version is not None:
            return Server(ServerKind.ENTERPRISE_GATEWAY, answer.gateway_version)
        try:
            await self.status()
        except NotFound:
            return Server(ServerKind.KERNEL_GATEWAY, answer.version)
        return Server(ServerKind.JUPYTER_SERVER, answer.version)

    async def status(self) -> Status:
        """How much the server has to do; :class:`NotFound` from a kernel_gateway, which does not tell."""
        return await self.rest.status()

    async def kernelspecs(self) -> KernelSpecs:
        """What kernels can be started."""
        return await self.rest.kernelspecs()

    async def kernels(self) -> list[KernelModel]:
        """The running kernels; :class:`Forbidden` where the server does not list them."""
        return await self.rest.kernels()

    async def start_kernel(
        self,
        name: str | None = None,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        lease: float | None = None,
    ) -> Kernel:
        """Start a kernel of a kernelspec, by default the server's default one, and connect to it.

        ``cwd`` is a folder on the server's machine. ``env`` is added to this kernel's environment by
        kernelway; kernel_gateway takes the names that it was told to allow, and jupyter_server none. With a
        ``lease``, kernelway ends the kernel where nobody has been connected to it for so many seconds, until
        a session is opened on it; other servers ignore that.
        """
        request = StartKernel(name=name, path=cwd, env=dict(env or {}), lease=lease)
        started = await self.rest.start_kernel(request)
        return await self._attach(started.id)

    async def connect(self, kernel_id: KernelId | str) -> Kernel:
        """Connect to a running kernel; :class:`NotFound` where there is none with this id."""
        found = await self.rest.kernel(kernel_id)
        return await self._attach(found.id)

    def link(self, kernel_id: KernelId | str, joining: Joining, listener: Listener, *, room: Room) -> Link:
        """The bare way to a kernel, for who forwards messages rather than reads them; the caller closes it.

        ``room`` is waited for before anything is read.
        """
        return Link(self._http, KernelId(kernel_id), joining, listener, room=room)

    def log(
        self,
        kernel_id: KernelId | str,
        *,
        after: MessageId | None = None,
        position: Position | None = None,
        follow: bool = False,
    ) -> Log:
        """A kernel's journal, from the oldest entry that is kept, or from after a message or a position on.

        The kernel may have ended. Entering it raises :class:`InvalidRequest` on servers that keep none.
        """
        return Log(self._http, KernelId(kernel_id), after=after, position=position, follow=follow)

    async def ended(self) -> list[EndedKernel]:
        """The kernels that have ended and whose journals are kept, the latest first; none elsewhere."""
        try:
            return await self._http.call("GET", "api/kernelway/ended", answer=list[EndedKernel])
        except (NotFound, NotJupyter, Forbidden):
            return []

    async def sessions(self) -> list[SessionModel]:
        """The sessions that have a kernel; :class:`Forbidden` where the server does not list them."""
        return await self.rest.sessions()

    async def open_session(
        self,
        path: str | os.PathLike[str],
        *,
        kernel: str | None = None,
        name: str | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        lease: float | None = None,
        new: bool = False,
    ) -> Session:
        """Join the session of a file, or make it; ``new`` makes another one in any case.

        The session's path is this user, this machine and the absolute path of the file, and only a session of
        exactly this path is joined: :class:`Conflict` where it has another kernel than the kernelspec that is
        asked for. Two that open one at the same time get the same session. ``name`` is for people; it is the
        file's name by default. ``cwd``, a folder on the server's machine, ``env`` and ``lease`` (see
        :meth:`start_kernel`; a second session makes it void) are for a new kernel; stock servers ignore them
        here, and start it in their own folder.

        A server that refuses to list sessions starts a plain kernel: ``session.id`` is None then.
        """
        identity = sessions_of.own_session_path(path)
        name = name or PurePath(path).name
        try:
            there = await self.sessions()
        except (Forbidden, NotFound):
            plain = await self.start_kernel(kernel, cwd=cwd, env=env, lease=lease)
            return Session(self._http, plain, path=identity, name=name, session_id=None)
        found = None if new else sessions_of.join(there, identity, kernel=kernel)
        if found is None:
            found = await self._create(
                OpenSession(
                    path=sessions_of.another_path(identity) if new else identity,
                    type="notebook" if identity.endswith(".ipynb") else "file",
                    name=name,
                    kernel=SessionKernel(name=kernel, path=cwd, env=dict(env or {}), lease=lease),
                )
            )
        return await self._joined(found)

    async def find_session(self, name_or_id: str) -> Session:
        """Join a session by its id, its path, its name or its kernel's id.

        Raises :class:`NotFound`, or :class:`Conflict` for a name that several have, with the choices.
        """
        return await self._joined(sessions_of.find(await self.sessions(), name_or_id))

    async def _create(self, body: OpenSession) -> SessionModel:
        made = await self.rest.open_session(body)
        # Stock servers look for the path and start the kernel in two steps, so that two who open a session
        # at once make two. The first in the list is the one that everybody finds from then on.
        first = sessions_of.join(await self.sessions(), body.path, kernel=None)
        if first is None or first.id == made.id:
            return made
        await self.rest.close_session(made.id)
        return first

    async def _joined(self, model: SessionModel) -> Session:
        kernel = await self._attach(model.kernel.id)
        return Session(self._http, kernel, path=model.path, name=model.name, session_id=model.id)

    async def _attach(self, kernel_id: KernelId) -> Kernel:
        kernel = Kernel(self._http, kernel_id, closed=self._kernels.discard)
        await kernel.open(timeout=self.options.timeout)
        self._kernels.add(kernel)
        return kernel

    async def _close_kernels(self) -> None:
        await asyncio.gather(*(kernel.close() for kernel in tuple(self._kernels)))
