"""The connection class of jupyter_server's kernel WebSocket: local kernels as ever, remote ones relayed."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol, runtime_checkable

from tornado import web

from kernelway.jupyter.handler_socket import HandlerSocket
from kernelway.jupyter.notices import Notices
from kernelway.jupyter.notifying import emitter
from kernelway.jupyter.outage import Place
from kernelway.jupyter.relay import Relay, RestartsTold
from kernelway.jupyter.rules import Rules
from kernelway.jupyter.upstream_websocket import Connection, Handler
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import KernelwayError, LinkError, LinkLost
from kernelway.protocol.message import SessionId
from kernelway.protocol.models import KernelId

_SHARED: Final = "kernelway_sockets"
"""The setting of the web application that holds what the sockets share."""


@runtime_checkable
class RemoteKernel(Protocol):
    """What the server's kernel manager gives for a kernel of a gateway."""

    place: Place
    kernel_id: str


class KernelwayWebsocketConnection(Connection):
    """The connection between one browser's WebSocket and one kernel."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        kernel = self.kernel_manager
        self.remote = RemoteConnection(self, kernel) if isinstance(kernel, RemoteKernel) else None

    @classmethod
    async def close_remote(cls) -> None:
        """Close the connections to remote kernels, and wait for that: before their places are ended."""
        connections = (each for each in tuple(cls._open_sockets) if isinstance(each, cls))
        await asyncio.gather(*(each.remote.close() for each in connections if each.remote is not None))

    async def prepare(self) -> None:
        """Get the kernel ready, before the browser's handshake is answered."""
        if self.remote is not None:
            return await self.remote.prepare()
        return await super().prepare()

    def connect(self) -> asyncio.Future[None] | None:
        """Let messages flow, once the browser's socket is open."""
        return super().connect() if self.remote is None else self.remote.connect()

    def disconnect(self) -> None:
        """End the connection, not the kernel."""
        return super().disconnect() if self.remote is None else self.remote.disconnect()

    def note_open(self) -> Handler | None:
        """Have it in jupyter_server's tables; the socket of the same session and kernel that it replaces."""
        self.session_key = f"{self.kernel_id}:{self.session.session}"
        stale = self._open_sessions.get(self.session_key)
        self._open_sessions[self.session_key] = self.websocket_handler
        self._open_sockets.add(self)
        return stale

    def note_closed(self) -> None:
        """Have it there no more; who waits for its end goes on."""
        if self._open_sessions.get(self.session_key) is self.websocket_handler:
            del self._open_sessions[self.session_key]
        self._open_sockets.discard(self)
        self._close_future.set_result(None)


class RemoteConnection:
    """What there is of a connection to a remote kernel: a relay, and the task that closes it."""

    def __init__(self, connection: KernelwayWebsocketConnection, kernel: RemoteKernel) -> None:
        self._connection = connection
        self._handler = connection.websocket_handler
        self._kernel = kernel
        self._relay: Relay | None = None
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Open the link, in the place of an older one of the same session."""
        stale = self._connection.note_open()
        # Whatever comes of the handshake, all is closed once the request has been served.
        request = asyncio.current_task()
        assert request is not None
        request.add_done_callback(lambda _: self.disconnect())
        if stale is not None:
            await self._replace(stale)
        place = self._kernel.place
        try:
            await self._open(timeout=place.gateway.options.timeout)
        except KernelwayError as error:
            place.trouble(error)
            # A kernel whose gateway cannot be reached is not to be taken for dead.
            status = 503 if isinstance(error, LinkError) else error.status.value
            raise web.HTTPError(status, "%s", error) from error

    def connect(self) -> asyncio.Future[None]:
        """Let messages flow."""
        assert self._relay is not None
        if self._closing is None:
            socket = HandlerSocket(self._handler)
            socket.serve(self._relay)
            self._relay.attach(socket)
        else:
            self._handler.close(CloseCode.REPLACED, "Another connection has this session.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def disconnect(self) -> None:
        """Begin to close; the second time it does nothing."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())

    async def close(self) -> None:
        """Close the link, and wait for it; the kernel goes on."""
        self.disconnect()
        assert self._closing is not None
        await asyncio.wait({self._closing})

    async def _open(self, *, timeout: float) -> None:
        if self._closing is not None:
            # A third socket of the session came while this one waited for the first.
            raise LinkLost("Another connection has this session.")
        self._relay = self._make_relay()
        self._opening = asyncio.create_task(self._relay.open(timeout=timeout))
        await asyncio.wait({self._opening})
        if self._opening.cancelled():
            raise LinkLost("The connection was closed before it was opened.")
        self._opening.result()

    async def _close(self) -> None:
        try:
            if self._opening is not None:
                self._opening.cancel()
                await asyncio.wait({self._opening})
            if self._relay is not None:
                await self._relay.close(left_by_itself=self._handler.close_code is not None)
        finally:
            self._connection.note_closed()

    async def _replace(self, stale: Handler) -> None:
        """Close another socket of the same session, whose link would fight with ours."""
        connection = stale.connection
        self._connection.log.warning("Replacing stale connection: %s", self._connection.session_key)
        stale.close()
        if isinstance(connection, KernelwayWebsocketConnection) and connection.remote is not None:
            await connection.remote.close()

    def _make_relay(self) -> Relay:
        settings = self._handler.kernel_manager
        hidden = None if settings.allow_tracebacks else settings.traceback_replacement_message
        shared = shared_by_sockets(self._handler)
        return Relay(
            self._kernel.place,
            KernelId(self._kernel.kernel_id),
            SessionId(self._connection.session.session),
            rules=Rules(frozenset(settings.allowed_message_types), hidden),
            notices=shared.notices,
            restarts=shared.restarts,
        )


class SharedBySockets:
    """What the sockets of one server know together."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices
        self.restarts = RestartsTold()


def shared_by_sockets(handler: Handler) -> SharedBySockets:
    """What the sockets of this handler's server share."""
    settings = handler.application.settings
    shared = settings.get(_SHARED)
    if not isinstance(shared, SharedBySockets):
        shared = settings[_SHARED] = SharedBySockets(Notices(emitter(handler.event_logger)))
    return shared
