"""The interface between what forwards messages and what has the kernel: the host's edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kernelway.protocol.errors import LinkLost
from kernelway.protocol.message import Message


class ChannelsClosed(LinkLost):
    """The other side ended a connection to a kernel, with the code and reason a WebSocket closes with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Channels(Protocol):
    """One client's connection to one kernel: all of its channels, both ways, in order."""

    async def send(self, message: Message) -> None:
        """Hand a message to the kernel; waits while the kernel takes no more, and so pushes back.

        Raises :class:`ChannelsClosed` at the end, :class:`~kernelway.protocol.errors.FrameError` for a
        message that no kernel can be sent.
        """

    async def receive(self) -> Sequence[Message]:
        """One or more messages, in the order in which the kernel sent them on each channel.

        Raises :class:`ChannelsClosed` at the end. Cancelling loses nothing.
        """

    async def wait_closed(self) -> ChannelsClosed:
        """Return at the end, with its reason; what already waits can still be received then."""

    def close(self, code: int, reason: str) -> None:
        """End the connection, not the kernel; closing twice is no error."""
