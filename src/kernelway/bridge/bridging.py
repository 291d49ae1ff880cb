"""One bridge: five bound sockets on one side, one link to one kernel on the other.

    listen ──serve──> linked ──the kernel ended, the link is gone, or somebody ends the bridge──> closed

From ``listen`` on the bridge is alive to its clients: it answers heartbeats and takes what comes on control.
What is asked on shell waits in its socket until there is a link.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final
from uuid import uuid4

from kernelway.bridge.clients import Clients
from kernelway.bridge.orders import Target, interrupt, restart, shut_down, tell_of_breaks
from kernelway.bridge.own import OwnMessages
from kernelway.bridge.sockets import Ends
from kernelway.bridge.switchboard import (
    Action,
    Asked,
    Drop,
    End,
    Forward,
    Interrupt,
    Publish,
    Send,
    ShutDown,
    Switchboard,
)
from kernelway.bridge.tasks import Tasks
from kernelway.client.link import Link
from kernelway.client.resume import Came, Joined, Missing
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import KernelDied, KernelwayError
from kernelway.protocol.link_framing import LinkId
from kernelway.protocol.message import Buffer, Channel, Message, SessionId
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

FAILED: Final = 1
"""The exit status where the kernel ended and its client did not ask for that."""

_EARLY: Final = 1_000
"""Messages on control that are kept until there is a link."""

_UNCHECKED: Final = 1 << 19
"""Bytes that are given to the link before it is asked whether it has room."""

_EXPLAINED_WITHIN: Final = 1.0
"""Seconds to hear the last of a kernel that has ended, and why."""


class Bridge:
    """Forwards between its sockets and a kernel until one of both ends; the listener of its link.

    ``owns`` tells that the kernel is started for the client of this bridge: it ends with the kernel, and a
    request to restart ends both, since that client starts the command again.
    """

    def __init__(self, ends: Ends, *, owns: bool) -> None:
        self._owns = owns
        self._clients = Clients(ends)
        self._switchboard = Switchboard(self._clients.signer, owns=owns, own=OwnMessages())
        self._target: Target | None = None
        self._link: Link | None = None
        self._early: list[Forward | ShutDown] = []
        self._unchecked = 0
        self._tasks = Tasks(lambda: self._finish(FAILED))
        self._shutting_down = False
        self._gone = asyncio.Event()
        """Set once nothing more comes from the kernel."""
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def listen(self) -> None:
        """Take what needs no kernel."""
        self._clients.beat()
        self._clients.hear_subscribers(lambda topic: self._do(self._switchboard.subscribed(topic)))
        self._clients.hear(Channel.CONTROL, self._requested)

    async def run(self, work: Coroutine[Any, Any, int]) -> int:
        """Do the work, which is to come to :meth:`serve`; the exit status.

        The work is given up where the bridge ends before.
        """
        task = asyncio.create_task(work, name="bridge")
        try:
            await asyncio.wait({task, self._status}, return_when=asyncio.FIRST_COMPLETED)
            if self._link is None:
                task.cancel()
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self._tasks.close()
            await self._clients.stop()
        return self._status.result() if task.cancelled() else task.result()

    async def serve(
        self, target: Target, *, everything: bool, linked: Callable[[], None] = lambda: None
    ) -> int:
        """Forward until the end; the exit status.

        ``everything`` the kernel has said is passed on, too; ``linked`` is called when clients can be served.
        """
        joining = Joining(session=SessionId(uuid4().hex), link=LinkId(uuid4().hex), replay_all=everything)
        link = target.gateway.link(target.kernel_id, joining, self, room=self._clients.room)
        self._clients.topic = f"kernel.{target.kernel_id}".encode()
        try:
            await link.open(timeout=target.gateway.options.timeout)
            self._target, self._link = target, link
            self._tasks.begin(tell_of_breaks(link, target.where), name="tell of the link")
            early, self._early = self._early, []
            self._do(early)
            self._clients.hear(Channel.STDIN, self._requested)
            self._clients.hear(Channel.SHELL, self._requested)
            linked()
            return await self._status
        finally:
            await link.close()

    def end(self, status: int) -> None:
        """End the bridge and leave the kernel; one that is being shut down is waited for."""
        if not self._shutting_down:
            self._finish(status)

    # The link's listener

    def joined(self, joined: Joined) -> None:
        """A socket has been joined."""
        if joined.forgotten:
            log.error("The gateway has forgotten this bridge: what was asked last may not be answered.")

    def came(self, came: Came) -> None:
        """A message, in order and once."""
        self._do(self._switchboard.came(came.message))

    def missing(self, missing: Missing) -> None:
        """Something is no longer kept."""
        log.error("Something that the kernel said is missing here: %s", missing.hole.reason)

    def taken(self) -> None:
        """The host has what was asked."""

    def lost(self, error: KernelwayError) -> None:
        """Nothing more comes."""
        self._gone.set()
        if isinstance(error, KernelDied):
            self._kernel_ended(str(error))
        elif not self._shutting_down:
            log.error("The kernel cannot be reached any more, and may go on. %s", error)
            self._finish(FAILED)

    # What was decided

    def _requested(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        self._do(self._switchboard.requested(channel, parts))

    def _do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Publish(message, topic):
                    self._clients.publish(message, topic)
                case Send(identity, message):
                    self._clients.send(identity, message)
                case Drop(why):
                    log.warning("%s", why)
                case End(why):
                    self._tasks.begin(self._explain_end(why), name="hear why the kernel ended")
                case _:
                    self._to_kernel(action)

    def _to_kernel(self, action: Forward | Interrupt | ShutDown) -> None:
        link, target = self._link, self._target
        match action:
            case Interrupt(asked):
                # Without a kernel nothing runs that could be interrupted.
                order = _nothing() if link is None or target is None else interrupt(target, link)
                self._tasks.begin(self._answered(asked, order), name="interrupt the kernel")
            case Forward() | ShutDown() if link is None or target is None:
                self._keep(action)
            case Forward(message):
                self._forward(link, message)
            case ShutDown(asked, again) if again and not self._owns:
                self._tasks.begin(
                    self._answered(asked, restart(target), again=True), name="restart the kernel"
                )
            case ShutDown(asked, again):
                self._tasks.begin(self._shut_down(target, asked, again=again), name="end the kernel")

    def _keep(self, action: Forward | ShutDown) -> None:
        if len(self._early) < _EARLY:
            self._early.append(action)
        else:
            log.warning("Too much was sent on control before the kernel was there; something is dropped.")

    def _forward(self, link: Link, message: Message) -> None:
        try:
            link.post(message)
        except KernelwayError as error:
            log.warning("What a client sent on %s is dropped: %s", message.channel, error)
            return
        self._unchecked += message.size
        if self._unchecked > _UNCHECKED:
            self._unchecked = 0
            self._clients.pause()
            self._tasks.begin(self._resume_when_ready(link), name="wait for the link")

    async def _resume_when_ready(self, link: Link) -> None:
        await link.ready()
        self._clients.resume()

    async def _answered(self, asked: Asked, order: Awaitable[None], *, again: bool = False) -> bool:
        """Have it done and say what came of it; whether it was done."""
        error: KernelwayError | None = None
        try:
            await order
        except KernelwayError as problem:
            log.error("What a client asked for (%s) was not done: %s", asked.reply_type, problem)
            error = problem
        self._do(self._switchboard.done(asked, error, restart=again))
        return error is None

    async def _shut_down(self, target: Target, asked: Asked, *, again: bool) -> None:
        self._shutting_down = True
        if await self._answered(asked, self._end_and_hear(target), again=again):
            self._finish(0)
        self._shutting_down = False

    async def _end_and_hear(self, target: Target) -> None:
        """End the kernel, and pass on the last it said."""
        await shut_down(target)
        await self._hear_end()

    async def _hear_end(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with deadlines.timeout(_EXPLAINED_WITHIN):
                await self._gone.wait()

    async def _explain_end(self, why: str) -> None:
        if not why:
            # The end of the link mostly tells.
            await self._hear_end()
        self._kernel_ended(why)

    def _kernel_ended(self, why: str) -> None:
        if not self._shutting_down and not self._status.done():
            log.error("The kernel has ended, and not by a client of this bridge. %s", why)
            self._finish(FAILED)

    def _finish(self, status: int) -> None:
        if not self._status.done():
            self._status.set_result(status)


async def _nothing() -> None: ...
