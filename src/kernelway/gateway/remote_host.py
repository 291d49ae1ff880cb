"""A host that is another process: its REST API and its channels, over the private socket that it serves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import NoneType
from typing import Self, TypeVar, cast
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp.client_middlewares import ClientHandlerType
from yarl import URL

from kernelway.gateway.remote_channels import RemoteChannels, query_of, silence
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import InternalError, TimedOut, Unreachable
from kernelway.protocol.link_framing import LINK_SUBPROTOCOL
from kernelway.protocol.message import UNREADABLE
from kernelway.protocol.models import (
    EndedKernel,
    KernelId,
    KernelModel,
    KernelSpecModel,
    KernelSpecs,
    OpenSession,
    Replacement,
    RestSessionId,
    SessionModel,
    StartKernel,
    Status,
    UpdateSession,
)
from kernelway.protocol.refusals import refusal
from kernelway.transport.api.client_socket import Beat, widen

_T = TypeVar("_T")

_CONNECTS_WITHIN = 10.0
"""Seconds; a host that runs at all has taken a connection on its own socket by then."""

_CLOSES_WITHIN = 2.0
"""Seconds that the host has to answer a WebSocket's close."""


class RemoteHost:
    """A :class:`~kernelway.transport.api.hosts.Host` behind a Unix socket; ``async with`` bounds its life.

    What the host refuses is raised as it refused it: the same sentence, with the same status. Where the host
    itself is not there, that is :class:`Unreachable`. ``patience`` is how many seconds an answer may take:
    more than the host's own deadlines for what it does. Fields of an answer that are not known here, because
    the host is of another version, are ignored.
    """

    def __init__(self, path: Path, *, patience: float, beat: Beat) -> None:
        self._path = path
        self._patience = patience
        self._beat = beat
        self._http: aiohttp.ClientSession | None = None
        self._open: set[RemoteChannels] = set()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            # Each client of a kernel takes one for as long as it is there.
            connector=aiohttp.UnixConnector(str(self._path), limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._patience, sock_connect=_CONNECTS_WITHIN),
            middlewares=(_check_upgrade,),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(channels.closed() for channels in tuple(self._open)))
        if self._http is not None:
            await self._http.close()

    async def status(self) -> Status:
        """Counts and times over all kernels."""
        return await self._ask("GET", "api/status", Status)

    async def replace_gateway(self) -> Replacement:
        """Have the host put a newly started gateway in the place of its own."""
        return await self._ask("POST", "api/kernelway/replace", Replacement)

    # Kernelspecs

    async def kernelspecs(self) -> KernelSpecs:
        """All kernelspecs."""
        return await self._ask("GET", "api/kernelspecs", KernelSpecs)

    async def kernelspec(self, name: str) -> KernelSpecModel:
        """One kernelspec."""
        return await self._ask("GET", f"api/kernelspecs/{_quoted(name)}", KernelSpecModel)

    async def kernelspec_resource(self, name: str, file: str) -> bytes:
        """The content of one file among a kernelspec's resources."""
        return await self._fetch("GET", f"kernelspecs/{_quoted(name)}/{_quoted(file)}")

    # Kernels

    async def kernels(self) -> list[KernelModel]:
        """All kernels."""
        return await self._ask("GET", "api/kernels", list[KernelModel])

    async def kernel(self, kernel_id: KernelId) -> KernelModel:
        """One kernel."""
        return await self._ask("GET", _kernel(kernel_id), KernelModel)

    async def start_kernel(self, request: StartKernel) -> KernelModel:
        """Start a kernel; cancelled, the host goes on with it."""
        return await self._ask("POST", "api/kernels", KernelModel, request)

    async def interrupt_kernel(self, kernel_id: KernelId) -> None:
        """Interrupt what a kernel runs."""
        await self._ask("POST", f"{_kernel(kernel_id)}/interrupt", NoneType)

    async def restart_kernel(self, kernel_id: KernelId) -> KernelModel:
        """Restart a kernel, and wait until it is ready again."""
        return await self._ask("POST", f"{_kernel(kernel_id)}/restart", KernelModel)

    async def shutdown_kernel(self, kernel_id: KernelId) -> None:
        """End a kernel for good."""
        await self._ask("DELETE", _kernel(kernel_id), NoneType)

    async def ended_kernels(self) -> list[EndedKernel]:
        """The kernels that have ended and whose journals are kept."""
        return await self._ask("GET", "api/kernelway/ended", list[EndedKernel])

    async def connect(self, kernel_id: KernelId, joining: Joining) -> RemoteChannels:
        """Join a kernel's channels over a WebSocket to the host."""
        try:
            websocket = await self._running().ws_connect(
                _url(f"{_kernel(kernel_id)}/channels").with_query(query_of(joining)),
                protocols=(LINK_SUBPROTOCOL,),
                timeout=aiohttp.ClientWSTimeout(ws_receive=silence(self._beat), ws_close=_CLOSES_WITHIN),
                autoclose=False,
                compress=0,
                # What a kernel says has no bound, and a frame that is refused would come again and again.
                max_msg_size=0,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _unreachable(error) from error
        widen(websocket.get_extra_info("socket"))
        channels = RemoteChannels(websocket, self._beat)
        self._open.add(channels)
        channels.task.add_done_callback(lambda _: self._open.discard(channels))
        return channels

    # Sessions

    async def sessions(self) -> list[SessionModel]:
        """All sessions."""
        return await self._ask("GET", "api/sessions", list[SessionModel])

    async def session(self, session_id: RestSessionId) -> SessionModel:
        """One session."""
        return await self._ask("GET", _session(session_id), SessionModel)

    async def open_session(self, request: OpenSession) -> SessionModel:
        """Find or create a session; cancelled, the host goes on with it."""
        return await self._ask("POST", "api/sessions", SessionModel, request)

    async def update_session(self, session_id: RestSessionId, request: UpdateSession) -> SessionModel:
        """Rename a session, or give it another kernel."""
        return await self._ask("PATCH", _session(session_id), SessionModel, request)

    async def close_session(self, session_id: RestSessionId) -> None:
        """End a session and its kernel."""
        await self._ask("DELETE", _session(session_id), NoneType)

    # Requests

    async def _ask(self, method: str, path: str, model: type[_T], body: object = None) -> _T:
        content = await self._fetch(method, path, None if body is None else msgspec.json.encode(body))
        if model is NoneType:
            return cast("_T", None)
        try:
            return msgspec.json.decode(content, type=model)
        except UNREADABLE as error:
            raise InternalError(f"The host's answer to {method} {path} does not fit: {error}") from error

    async def _fetch(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            async with self._running().request(method, _url(path), data=body, allow_redirects=False) as got:
                content = await got.read()
        except TimeoutError as error:
            raise TimedOut(f"The host has not answered within {self._patience:g} s.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _unreachable(error) from error
        if not 200 <= got.status < 300:
            raise refusal(got.status, content)
        return content

    def _running(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("A RemoteHost is used inside `async with` only.")
        return self._http


def _url(path: str) -> URL:
    # Encoded: what a client sends as an id is one part of a path, whatever stands in it.
    return URL.build(scheme="http", host="host", path=f"/{path}", encoded=True)


def _quoted(part: str) -> str:
    return quote(part, safe="", errors="surrogatepass")


def _kernel(kernel_id: KernelId) -> str:
    return f"api/kernels/{_quoted(kernel_id)}"


def _session(session_id: RestSessionId) -> str:
    return f"api/sessions/{_quoted(session_id)}"


def _unreachable(error: Exception) -> Unreachable:
    return Unreachable(f"The host of this gateway cannot be reached: {error or type(error).__name__}.")


async def _check_upgrade(request: aiohttp.ClientRequest, send: ClientHandlerType) -> aiohttp.ClientResponse:
    """Raise what the host says where it refuses a WebSocket; aiohttp itself would drop its words."""
    response = await send(request)
    if "Upgrade" not in request.headers or response.status == 101:
        return response
    try:
        content = await response.read()
    finally:
        response.close()
    raise refusal(response.status, content)
