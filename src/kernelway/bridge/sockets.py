"""What a kernel binds, bound here: four ROUTERs, and an XPUB that refuses rather than drops.

They are read as :mod:`kernelway.transport.zeromq` says.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import zmq

from kernelway.bridge.connection import PORTS, Connection
from kernelway.protocol.errors import ConfigError
from kernelway.protocol.message import Buffer
from kernelway.transport.zeromq import NOW, take_turn

log = logging.getLogger(__name__)

_UNREAD_REPLIES: Final = 10_000
"""Messages for one client that does not read, as many as it may ask; what comes then is dropped for it."""

_UNREAD_OUTPUTS: Final = 1_000
"""Messages for one subscriber; then nobody is given more until it reads, or has hung."""

_MOST_KEPT: Final = 1_000
"""Messages that wait where they are refused: one of what a link brings, and answers of the bridge's own."""

_LINGER_MS: Final = 1_000
"""What was sent is still delivered for so long when the bridge ends."""

_LOOK_AGAIN: Final = 0.02
"""Seconds: libzmq has no event for an XPUB that refused and takes again, though one mostly comes."""

_HUNG_AFTER: Final = 30.0
"""Seconds for which a subscriber may take nothing before messages are dropped for it."""


class BoundSocket:
    """One bound socket; messages wait in it until somebody listens, as many as its mark lets in."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._receive: Callable[[Sequence[Buffer]], None] | None = None
        self._paused = False
        self._scheduled = False
        self._turned: asyncio.Future[None] | None = None

    def listen(self, receive: Callable[[Sequence[Buffer]], None]) -> None:
        """Call this in the running event loop with the parts of each message, in order."""
        self._receive = receive
        asyncio.get_running_loop().add_reader(int(self._socket.fd), self._turn)
        self._schedule()

    def pause(self) -> None:
        """Let messages wait; clients are pushed back where too many do."""
        self._paused = True

    def resume(self) -> None:
        """Take them again."""
        self._paused = False
        self._schedule()

    def try_send(self, parts: Sequence[Buffer]) -> bool:
        """Send one message unless a queue is full; whether it was sent.

        Raises ``zmq.ZMQError`` where nobody has that identity.
        """
        self._schedule()
        try:
            self._socket.send_multipart(parts, NOW, copy=False)
        except zmq.Again:
            return False
        return True

    def refuses(self, *, when_full: bool) -> None:
        """Whether an XPUB refuses what one of its subscribers has no room for, or drops it for that one."""
        self._socket.set(zmq.XPUB_NODROP, when_full)

    async def turned(self) -> None:
        """Return when something may have changed, soon in any case."""
        if self._turned is None or self._turned.done():
            self._turned = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._turned}, timeout=_LOOK_AGAIN)

    def stop(self) -> None:
        """Listen no more; to be called in the event loop, before :meth:`close`."""
        if self._receive is not None:
            asyncio.get_running_loop().remove_reader(int(self._socket.fd))
            self._receive = None

    def close(self) -> None:
        """Unbind; what was sent is still delivered in the background for a second."""
        self._socket.close()

    def _schedule(self) -> None:
        if not self._scheduled and self._receive is not None:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._scheduled_turn)

    def _scheduled_turn(self) -> None:
        self._scheduled = False
        if self._receive is not None:
            self._drain(self._receive)

    def _turn(self) -> None:
        if self._turned is not None and not self._turned.done():
            self._turned.set_result(None)
        if self._receive is not None:
            self._drain(self._receive)

    def _drain(self, receive: Callable[[Sequence[Buffer]], None]) -> None:
        if self._paused:
            # To look takes back the descriptor's readiness, which would wake the loop again and again.
            self._socket.get(zmq.EVENTS)
            return
        if take_turn(self._socket, receive, listens=self._listens):
            self._schedule()

    def _listens(self) -> bool:
        return not self._paused


class Publisher:
    """The XPUB. What a subscriber has no room for is kept, and :meth:`room` waits until it has gone.

    libzmq does not tell who has no room. So where one has hung, whoever has none is left out.
    """

    def __init__(self, socket: BoundSocket, *, hung_after: float = _HUNG_AFTER) -> None:
        self._socket = socket
        self._hung_after = hung_after
        self._kept: deque[Sequence[Buffer]] = deque()

    @property
    def waits(self) -> bool:
        """Whether something has not gone yet."""
        return bool(self._kept)

    def publish(self, parts: Sequence[Buffer]) -> None:
        """Send to all subscribers, in order. Who publishes much waits for :meth:`room` before."""
        if len(self._kept) >= _MOST_KEPT:
            log.warning("Subscribers take nothing, and too much waits for them: an output is dropped.")
        elif self._kept or not self._socket.try_send(parts):
            self._kept.append(parts)

    async def room(self) -> None:
        """Return once everything has gone; who takes nothing for too long is left out from then on."""
        if not self._kept:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + self._hung_after
        while self._kept:
            if self._socket.try_send(self._kept[0]):
                self._kept.popleft()
                until = loop.time() + self._hung_after
            elif loop.time() < until:
                await self._socket.turned()
            else:
                log.warning(
                    "A subscriber has taken nothing for %g seconds: outputs are dropped for it "
                    "until one leaves, and for others that are %d behind.",
                    self._hung_after,
                    _UNREAD_OUTPUTS,
                )
                self._socket.refuses(when_full=False)

    def subscriber_left(self) -> None:
        """It may have been the one that had hung; the others are waited for again."""
        self._socket.refuses(when_full=True)


@dataclass(frozen=True, slots=True)
class Ends:
    """All five, bound where ``connection`` says."""

    connection: Connection
    context: zmq.Context[zmq.Socket[bytes]]
    sockets: dict[str, BoundSocket]

    def close(self) -> None:
        """Unbind all, and wait until what was sent has gone, or for a second."""
        for socket in self.sockets.values():
            socket.close()
        self.context.term()


def bind(wanted: Connection) -> Ends:
    """Bind what a connection file names; what has the port 0 gets one. ConfigError where that cannot be."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    bound: dict[str, zmq.Socket[bytes]] = {}
    ports: dict[str, int] = {}
    try:
        for name in PORTS:
            bound[name] = _socket(context, name, wanted)
            ports[name] = _bind(bound[name], wanted, wanted.port(name))
    except (zmq.ZMQError, OSError) as error:
        context.destroy(linger=0)
        raise ConfigError(
            f"The {name} channel cannot be bound at {wanted.ip}, port {wanted.port(name)}: {error}."
        ) from error
    connection = msgspec.structs.replace(wanted, **{f"{name}_port": port for name, port in ports.items()})
    return Ends(connection, context, {name: BoundSocket(socket) for name, socket in bound.items()})


def _socket(context: zmq.Context[zmq.Socket[bytes]], name: str, wanted: Connection) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(zmq.XPUB if name == "iopub" else zmq.ROUTER)
    socket.linger = _LINGER_MS
    if wanted.curve_secretkey:
        socket.curve_secretkey = wanted.curve_secretkey.encode()
        socket.curve_publickey = wanted.curve_publickey.encode()
        socket.curve_server = True
    if name == "iopub":
        socket.sndhwm = _UNREAD_OUTPUTS
        socket.set(zmq.XPUB_NODROP, 1)
        # Everybody who subscribes is told, and everybody who leaves is noticed.
        socket.set(zmq.XPUB_VERBOSER, 1)
    else:
        socket.sndhwm = _UNREAD_REPLIES
        # A client that connects again under its identity takes the place of its connection that is gone.
        socket.router_handover = True
        socket.router_mandatory = True
    return socket


def _bind(socket: zmq.Socket[bytes], wanted: Connection, port: int) -> int:
    """Bind, and say to which port."""
    if wanted.transport == "ipc":
        port = port or next(n for n in range(1, 1 << 16) if not Path(f"{wanted.ip}-{n}").exists())
        socket.bind(f"ipc://{wanted.ip}-{port}")
        return port
    host = f"[{wanted.ip}]" if ":" in wanted.ip else wanted.ip
    socket.bind(f"tcp://{host}:{port or '*'}")
    return port or int(socket.get_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
