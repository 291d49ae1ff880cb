"""One session's own connection to one run of a kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from kernelway.host.run import KernelRun
from kernelway.host.sockets import KernelSocket
from kernelway.protocol import zmq_framing
from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Buffer, Channel, Message, SessionId

log = logging.getLogger(__name__)


class ClientSockets:
    """Shell, control and stdin under the name of a client's session, so that replies come to it alone.

    ``deliver`` is called with each message. Raises :class:`~kernelway.protocol.errors.KernelError` where the
    sockets cannot be opened.
    """

    def __init__(self, run: KernelRun, session: SessionId, deliver: Callable[[Message], None]) -> None:
        self._deliver = deliver
        self._run = run
        self._sockets: dict[Channel, KernelSocket] = {}
        try:
            # Stdin first: the kernel asks for input before this client ever sent anything there, and what
            # a kernel sends to nobody is lost.
            for channel in (Channel.STDIN, Channel.CONTROL, Channel.SHELL):
                self._sockets[channel] = run.open(channel, self._receiver(channel), identity=session.encode())
        except BaseException:
            self.close(deliver=False)
            raise

    def try_send(self, message: Message) -> bool:
        """Send a message unless the kernel's queue is full; whether it was sent."""
        return self._sockets[message.channel].try_send(zmq_framing.encode(message, self._run.signer))

    async def writable(self, channel: Channel) -> None:
        """Return once the kernel's queue has room again, or the sockets were closed."""
        await self._sockets[channel].writable()

    async def drained(self) -> None:
        """Return once everything that has arrived here was received, or the sockets were closed."""
        for socket in self._sockets.values():
            await socket.drained()

    def close(self, *, deliver: bool) -> None:
        """Receive no more; with ``deliver``, what was sent still goes out. Closing twice is no error."""
        for socket in self._sockets.values():
            socket.close(deliver=deliver)

    def _receiver(self, channel: Channel) -> Callable[[Sequence[Buffer]], None]:
        def receive(parts: Sequence[Buffer]) -> None:
            try:
                message = zmq_framing.decode(parts, channel, self._run.signer)
            except FrameError as error:
                log.warning("A message that a kernel sent to a client is not passed on: %s", error)
                return
            self._deliver(message)

        return receive
