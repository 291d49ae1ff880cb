"""A ZeroMQ socket to a kernel, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import zmq

from kernelway.protocol.message import Buffer
from kernelway.transport.zeromq import NOW, take_turn

_RECONNECT_MS = 10
"""A kernel binds some time after it was started; libzmq's own 100 ms would be lost on most starts."""

_DELIVER_MS = 2000
"""More than it takes to connect, and less than a host takes to end."""


def new_context() -> zmq.Context[zmq.Socket[bytes]]:
    """A context with as many sockets as libzmq allows; its own 1,023 end at some two hundred kernels."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.max_sockets = context.get(zmq.SOCKET_LIMIT)
    return context


class KernelSocket:
    """One connection to one channel of a kernel.

    ``receive`` is called in the event loop with the parts of each message, in order; what it raises goes to
    the log, and the next message to ``receive``. Nothing is ever dropped at a receive mark: what the kernel
    publishes piles up here rather than in its PUB socket. Raises ``zmq.ZMQError`` for an address that cannot
    be, and where the process or the context has no more sockets to give.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        kind: zmq.SocketType,
        url: str,
        receive: Callable[[Sequence[Buffer]], None],
        *,
        identity: bytes = b"",
        curve_server_key: bytes | None = None,
    ) -> None:
        self._receive = receive
        self._socket: zmq.Socket[bytes] = context.socket(kind)
        try:
            self._configure(identity, curve_server_key)
            self._socket.connect(url)
        except BaseException:
            self._socket.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._descriptor = int(self._socket.fd)
        self._scheduled = False
        self._writable: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._loop.add_reader(self._descriptor, self._turn)
        # libzmq tells of an arrival only to a socket that has looked, and found nothing.
        self._schedule()

    def _configure(self, identity: bytes, curve_server_key: bytes | None) -> None:
        self._socket.linger = 0
        self._socket.rcvhwm = 0
        self._socket.reconnect_ivl = _RECONNECT_MS
        if identity:
            self._socket.identity = identity
        if curve_server_key is not None:
            self._socket.curve_serverkey = curve_server_key
            self._socket.curve_publickey, self._socket.curve_secretkey = zmq.curve_keypair()
        if self._socket.type == zmq.SUB:
            self._socket.subscribe(b"")

    def close(self, *, deliver: bool = False) -> None:
        """Receive no more. Closing twice is no error.

        With ``deliver``, what was sent is still handed to the kernel in the background, if it takes it within
        two seconds; else it is gone.
        """
        if not self._socket.closed:
            self._loop.remove_reader(self._descriptor)
            self._socket.close(linger=_DELIVER_MS if deliver else 0)
            _resolve(self._writable)
            _resolve(self._drained)

    def try_send(self, parts: Sequence[Buffer]) -> bool:
        """Send one message unless the queue is full; whether it was sent. ConnectionError once closed."""
        if self._socket.closed:
            raise ConnectionResetError("The kernel's socket was closed.")
        self._schedule()
        try:
            self._socket.send_multipart(parts, NOW, copy=False)
        except zmq.Again:
            return False
        return True

    async def writable(self) -> None:
        """Return once the kernel's queue has room again, or the socket was closed."""
        if self._socket.closed:
            return
        if self._writable is None or self._writable.done():
            self._writable = self._loop.create_future()
        self._schedule()
        await asyncio.shield(self._writable)

    async def drained(self) -> None:
        """Return once everything that has arrived here was received, or the socket was closed."""
        if self._socket.closed:
            return
        if self._drained is None or self._drained.done():
            self._drained = self._loop.create_future()
        self._schedule()
        await asyncio.shield(self._drained)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._scheduled_turn)

    def _scheduled_turn(self) -> None:
        self._scheduled = False
        self._turn()

    def _turn(self) -> None:
        if not take_turn(self._socket, self._receive, listens=self._is_open):
            _resolve(self._drained)
        elif self._is_open():
            self._schedule()
        if self._writable is not None and not self._writable.done() and self._is_open():
            self._offer_writing(self._writable)

    def _is_open(self) -> bool:
        return not self._socket.closed

    def _offer_writing(self, writable: asyncio.Future[None]) -> None:
        events = int(self._socket.events)
        if events & zmq.POLLOUT:
            writable.set_result(None)
        if events & zmq.POLLIN:
            self._schedule()


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
