"""The clients of a bridge, as it sees them: who is sent what, and what comes from them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from kernelway.bridge.sockets import Ends, Publisher
from kernelway.protocol import zmq_framing
from kernelway.protocol.message import Buffer, Channel, Message
from kernelway.protocol.signing import Signer
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_DELIVERED_WITHIN: Final = 1.0
"""Seconds for subscribers to take what was published last."""


class Clients:
    """Signs what is sent; answers heartbeats itself."""

    def __init__(self, ends: Ends) -> None:
        connection = ends.connection
        self.signer = Signer(connection.key.encode(), connection.signature_scheme)
        self.topic = b""
        """What stands before a message that is published, where nothing else is said."""
        self._sockets = ends.sockets
        self._publisher = Publisher(ends.sockets["iopub"])

    def beat(self) -> None:
        """Answer heartbeats from now on."""
        self._sockets["hb"].listen(lambda parts: self._try_send("hb", parts))

    def hear(self, channel: Channel, take: Callable[[Channel, Sequence[Buffer]], None]) -> None:
        """Take what comes on a ROUTER from now on, and what waits there."""
        self._sockets[channel].listen(lambda parts: take(channel, parts))

    def hear_subscribers(self, subscribed: Callable[[bytes], None]) -> None:
        """Be told of topics that somebody subscribes to from now on."""

        def take(parts: Sequence[Buffer]) -> None:
            event = bytes(parts[0])
            if event[:1] == b"\x01":
                subscribed(event[1:])
            elif event[:1] == b"\x00":
                self._publisher.subscriber_left()

        self._sockets["iopub"].listen(take)

    def pause(self) -> None:
        """Push back who asks on shell."""
        self._sockets[Channel.SHELL].pause()

    def resume(self) -> None:
        """Do that no longer."""
        self._sockets[Channel.SHELL].resume()

    def publish(self, message: Message, topic: bytes = b"") -> None:
        """Send to all subscribers; who publishes much waits for :meth:`room` before."""
        parts = zmq_framing.encode(message, self.signer)
        self._publisher.publish([topic or self.topic, *parts])

    async def room(self) -> None:
        """Return once subscribers have taken everything, or have hung."""
        await self._publisher.room()

    def send(self, identity: bytes, message: Message) -> None:
        """Send to one client, on the message's channel."""
        self._try_send(message.channel, [identity, *zmq_framing.encode(message, self.signer)])

    async def stop(self) -> None:
        """Hear nothing more; what was published last is still handed over, if somebody takes it."""
        try:
            async with deadlines.timeout(_DELIVERED_WITHIN):
                await self._publisher.room()
        except TimeoutError:
            log.warning("A subscriber takes nothing: the last outputs are not passed on to it.")
        for socket in self._sockets.values():
            socket.stop()

    def _try_send(self, name: str, parts: Sequence[Buffer]) -> None:
        try:
            if not self._sockets[name].try_send(parts):
                log.warning("A client takes nothing on %s: what is sent to it there is dropped.", name)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            log.debug("A client has gone before its answer on %s.", name)
