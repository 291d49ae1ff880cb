"""The sockets of all sessions of a kernel to the run that it is in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from kernelway.host.client_sockets import ClientSockets
from kernelway.host.run import KernelRun
from kernelway.protocol.message import Message, SessionId
from kernelway.transport import deadlines

_MOST_UNUSED = 64
"""Sessions that nobody waits for and that keep their sockets, for each kernel; each takes six descriptors."""

_DRAIN_WITHIN = 5.0
"""Seconds to receive what a kernel replied before it ended."""


class SessionSockets:
    """Shell, control and stdin of each session, open whether or not the session has a client just now.

    So what the kernel replies meanwhile is heard, and a client that comes back has the connection, and with
    it the name, that its code's question was asked under. ``deliver`` is called with each message;
    ``in_use`` tells whether a session has a client or waits for replies. Of the sessions that are not in
    use, the 64 that sent something last keep their sockets.
    """

    def __init__(
        self, deliver: Callable[[SessionId, Message], None], in_use: Callable[[SessionId], bool]
    ) -> None:
        self._deliver = deliver
        self._in_use = in_use
        self._sockets: dict[SessionId, ClientSockets] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def of(self, run: KernelRun, session: SessionId) -> ClientSockets:
        """The sockets of a session; opened where there are none yet, which may raise KernelError.

        ``run`` is the one that is told by :meth:`close` when it ends.
        """
        sockets = self._sockets.pop(session, None)
        if sockets is None:
            sockets = ClientSockets(run, session, lambda message: self._deliver(session, message))
        self._sockets[session] = sockets
        return sockets

    def tidy(self) -> None:
        """Close the sockets of those sessions that have not been in use for longest, above the bound."""
        if len(self._sockets) <= _MOST_UNUSED:
            return
        unused = [session for session in self._sockets if not self._in_use(session)]
        for session in unused[: max(0, len(unused) - _MOST_UNUSED)]:
            self._sockets.pop(session).close(deliver=True)

    async def finish(self) -> None:
        """Hear what a process that is gone replied before its end."""
        with contextlib.suppress(TimeoutError):
            async with deadlines.timeout(_DRAIN_WITHIN):
                for sockets in tuple(self._sockets.values()):
                    await sockets.drained()

    def close(self) -> None:
        """Close all of them: the run has ended, and what is sent from now on goes to the next."""
        sockets, self._sockets = self._sockets, {}
        for each in sockets.values():
            each.close(deliver=False)
