"""Between a browser's WebSocket and the link to a remote kernel.

    opened ──attach──> relaying ──the link breaks──> waiting ──a socket opens──> relaying
                          └──the browser leaves, or the link is gone──> closed

What comes over the link goes to the browser as it came, and the other way round; each side is read only
while the other takes it. While the link is broken the browser's socket stays open: it hears that the kernel
is busy, what it sends is kept by the link, and once what was missed has come it hears the true state.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from typing import Final

from kernelway.client.resume import Came, Joined, Missing
from kernelway.jupyter.delivery import Browser, Delivery
from kernelway.jupyter.notices import Notices
from kernelway.jupyter.outage import Outage, Place
from kernelway.jupyter.own_messages import (
    is_restarting,
    is_status,
    remark,
    session_of,
    status_message,
)
from kernelway.jupyter.rules import Rules
from kernelway.protocol.channels import Joining
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, KernelDied, KernelwayError, LimitReached
from kernelway.protocol.link_framing import START, LinkId, Position
from kernelway.protocol.message import EMPTY, Buffer, Message, SessionId
from kernelway.protocol.models import ExecutionState, KernelId
from kernelway.protocol.websocket_framing import Frame
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_SETTLES: Final = 5.0
"""Seconds in which a link that is to be closed can still hand over what was posted and received."""

_SESSIONS: Final = 1024
"""Sessions of which it is remembered that they know of a restart."""


class RestartsTold:
    """Up to which position the browsers' sessions know that their kernels restarted.

    JupyterLab takes ``restarting`` for news whenever it comes, drops what it waits for and makes another
    socket, before it has answered a ping: to which it would be told once more.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[KernelId, SessionId], Position] = OrderedDict()

    def was_told(self, kernel_id: KernelId, session: SessionId, position: Position) -> bool:
        """Whether the session knows of this one; it does from now on."""
        key = kernel_id, session
        before = self._told.pop(key, START)
        self._told[key] = max(before, position)
        if len(self._told) > _SESSIONS:
            self._told.popitem(last=False)
        return position <= before


class Relay:
    """One browser's socket and one link, from :meth:`open` to :meth:`close`; a listener of the link."""

    def __init__(
        self,
        place: Place,
        kernel_id: KernelId,
        session: SessionId,
        *,
        rules: Rules,
        notices: Notices,
        restarts: RestartsTold,
    ) -> None:
        self._kernel_id = kernel_id
        self._session = session
        self._rules = rules
        self._restarts = restarts
        link_id = uuid.uuid4().hex
        joining = Joining(session=session, link=LinkId(link_id), resume=True)
        self._link = place.gateway.link(kernel_id, joining, self, room=self._room)
        self._outage = Outage(
            place, kernel_id, self._link, link_id=link_id, notices=notices, tell=self._tell_state
        )
        self._browser: Browser | None = None
        self._delivery: Delivery | None = None
        self._attached = asyncio.Event()
        self._latest: Buffer | None = None
        """The header of the kernel's latest message."""
        self._remarks: list[str] = []
        """What the person is told with the next message."""
        self._error: KernelwayError | None = None
        """Why the link is gone."""

    async def open(self, *, timeout: float) -> None:
        """Open the link within so many seconds; its errors are those of :meth:`Link.open`."""
        await self._link.open(timeout=timeout)
        self._outage.opened()

    def attach(self, browser: Browser) -> None:
        """Let the browser have what comes; until then nothing is read."""
        self._browser = browser
        self._delivery = Delivery(browser, self._link.received)
        if self._error is not None:
            self._tell_lost(self._error)
            return
        if self._link.resumes:
            self._delivery.begin()
        self._outage.follow()
        self._attached.set()

    async def close(self, *, left_by_itself: bool) -> None:
        """Close the link, once it has handed over what there is, if that is soon."""
        await self._outage.close()
        if self._delivery is not None:
            self._delivery.end(left_by_itself=left_by_itself)
        try:
            async with deadlines.timeout(_SETTLES):
                await self._link.delivered()
                await self._link.told()
        except TimeoutError:
            log.warning("A browser left, and not all that it sent to kernel %s got there.", self._kernel_id)
        except KernelwayError as error:
            log.debug("The link to kernel %s was gone when its browser left: %s", self._kernel_id, error)
        finally:
            await self._link.close()

    # From the browser

    def take(self, frame: Frame) -> None:
        """Post a message of the browser's; what is none closes its socket."""
        assert self._browser is not None
        try:
            message = self._browser.framing.decode(frame)
            refused = self._rules.refused(message)
            if refused is None:
                self._link.post(message)
            else:
                log.warning("A message of type %r is not allowed here, and goes no further.", refused)
        except FrameError as error:
            self._browser.close(CloseCode.PROTOCOL_ERROR, str(error))
        except LimitReached as error:
            self._browser.close(CloseCode.MESSAGE_TOO_BIG, str(error))
        except KernelwayError as error:
            # The link is gone, and its browser is being told.
            log.debug("A message for kernel %s came too late: %s", self._kernel_id, error)

    async def ready(self) -> None:
        """Wait until more may be taken from the browser."""
        await self._link.ready()

    def answered(self, payload: bytes) -> None:
        """A pong came from the browser."""
        if self._delivery is not None:
            self._delivery.answered(payload)

    # From the link

    def joined(self, joined: Joined) -> None:
        """A socket has been joined."""
        self._outage.joined(joined.welcome.newest)
        if joined.forgotten:
            self._remarks.append("The gateway has forgotten what it was sent last. It may not have run.")
        if self._link.position is not None:
            self._outage.reached(self._link.position)

    def came(self, came: Came) -> None:
        """A message of the kernel's."""
        assert self._delivery is not None
        message, position = came.message, came.position
        if not came.is_request:
            self._remark(message.header, message.parent_header)
            self._latest = message.header
            if is_status(message):
                self._outage.status_came()
            if position is not None and self._knows(message, position):
                self._delivery.passed(position)
            else:
                self._delivery.put(self._rules.shown(message), position)
        self._outage.reached(position)

    def missing(self, missing: Missing) -> None:
        """Something is no longer kept; it is told with what follows, in the same output."""
        self._remarks.append(missing.hole.told)

    def taken(self) -> None:
        """The host is through with the past, or has a request."""
        self._outage.is_up_to_date()

    def lost(self, error: KernelwayError) -> None:
        """The link is gone for good."""
        self._error = error
        if isinstance(error, KernelDied):
            self._outage.kernel_ended()
        else:
            self._outage.lost(error)
        if self._delivery is not None:
            self._tell_lost(error)

    async def _room(self) -> None:
        await self._attached.wait()
        assert self._delivery is not None
        await self._delivery.room()

    def _knows(self, message: Message, position: Position) -> bool:
        """Whether the browser's session was told this before, over another socket."""
        return is_restarting(message) and self._restarts.was_told(self._kernel_id, self._session, position)

    # To the browser, of our own

    def _remark(self, header: Buffer | None, parent_header: Buffer) -> None:
        assert self._delivery is not None
        remarks, self._remarks = self._remarks, []
        for text in remarks:
            self._delivery.put(remark(text, session_of(header), parent_header=parent_header))

    def _tell_state(self, state: ExecutionState) -> None:
        assert self._delivery is not None
        self._delivery.put(status_message(state, session_of(self._latest)))

    def _tell_lost(self, error: KernelwayError) -> None:
        assert self._browser is not None
        self._remark(self._latest, EMPTY)
        if isinstance(error, KernelDied):
            self._tell_state(ExecutionState.DEAD)
            self._browser.close(CloseCode.KERNEL_GONE, str(error))
        else:
            # The kernel may well be there: with this code the browser comes again, or asks for its model.
            self._browser.close(CloseCode.SERVICE_RESTART, str(error))
