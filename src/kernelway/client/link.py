"""The way to the channels of one kernel: one WebSocket after another, and the task that serves them.

    offered ──open──> connected ──the socket breaks──> reconnecting ──a socket opens──> connected
                          │                                 └──refused for good, or for too long──> gone
                          └──the kernel ended, or the server gives no second socket──> gone

A kernelway gives as many sockets as it takes; what makes them one link is in :mod:`.resume`. Stock servers
give one. The link knows frames and messages, and nothing of what they mean: what comes goes, in order, to
its listener. What is to happen then is for whoever holds the link to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from kernelway.client.backoff import CAP, delay
from kernelway.client.http import HttpClient
from kernelway.client.inbox import Feed
from kernelway.client.link_ends import Unmendable, ended_by, final_error, is_final
from kernelway.client.link_status import LinkEvent, LinkEvents, LinkStatus
from kernelway.client.pulse import Patience, WatchedWebSocket
from kernelway.client.resume import Joined, LinkState, State
from kernelway.client.stock_link import StockState
from kernelway.client.talk import CLOSING, DATA, Listener, Outgoing, Talk
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import (
    FrameError,
    InternalError,
    KernelwayError,
    LinkLost,
    PositionGone,
    TimedOut,
)
from kernelway.protocol.link_framing import LINK_SUBPROTOCOL, Position
from kernelway.protocol.message import Message
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, framing_for
from kernelway.transport import deadlines

_log = logging.getLogger(__name__)

_UNSENT_EASY: Final = 2**20
"""Bytes that may wait to be sent before whoever can wait is asked to."""

_STOCK_PATIENCE: Final = Patience(60.0, 30.0)
"""With a server where a break costs what waits: long enough for it to be busy with something else."""

_ATTEMPT: Final = 20.0
"""Seconds for one try to open another socket."""


class Link:
    """The way to one kernel's channels, for as long as its server can be reached again.

    ``joining`` has the identity of the link at the kernel: replies go to its session alone, and a second
    link with the same session replaces the first. ``room`` is waited for before anything is read, by links
    whose listener is to push back.
    """

    def __init__(
        self,
        http: HttpClient,
        kernel_id: KernelId,
        joining: Joining,
        listener: Listener,
        *,
        room: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.kernel_id = kernel_id
        self.session = joining.session
        self.subprotocol: str | None = None
        """What the handshake agreed on: None is the default framing."""
        self._http = http
        self._listener = listener
        self._room = room
        self._numbered = LinkState(joining)
        self._state: State = self._numbered
        self._events = LinkEvents()
        self._chance = random.SystemRandom().random
        self._websocket: WatchedWebSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: KernelwayError | None = None
        self._outgoing = Outgoing()
        self._forgotten = 0
        """How often the host has forgotten the link, and with it what it was to take."""

    @property
    def resumes(self) -> bool:
        """Whether the server gives another socket after a break."""
        return self._state.resumes

    @property
    def position(self) -> Position | None:
        """Up to where everything has come; None where it is not known."""
        return self._numbered.position

    @property
    def now(self) -> LinkEvent:
        """The present state."""
        return self._events.now

    def events(self) -> Feed[LinkEvent]:
        """The changes of the state from now on."""
        return self._events.follow()

    async def open(self, *, timeout: float) -> None:
        """Connect within ``timeout`` seconds; errors of the way are those of :class:`HttpClient`."""
        try:
            async with deadlines.timeout(timeout):
                websocket = await self._connect()
        except TimeoutError as error:
            raise TimedOut(
                f"The server did not open the channels of kernel {self.kernel_id} within {timeout:g} seconds."
            ) from error
        except Unmendable as error:
            raise final_error(error, self.kernel_id, was_there=False) from error
        self._task = asyncio.create_task(self._run(websocket), name=f"link to kernel {self.kernel_id}")
        self._task.add_done_callback(self._check)

    async def close(self) -> None:
        """End the connection, and wait for its task; the kernel goes on. ``lost`` is not called."""
        self._lose(
            LinkLost(f"The connection to kernel {self.kernel_id} was closed on this side."), tell=False
        )
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._websocket is not None:
            with contextlib.suppress(TimeoutError):
                async with deadlines.timeout(CLOSING):
                    await self._websocket.close()
            self._websocket.drop()

    def post(self, message: Message) -> None:
        """Take a message for sending, in order, and do not wait.

        While there is no socket it is kept for the next. Raises the error that ended the link,
        :class:`LimitReached` where too much waits already, or :class:`FrameError` for a message that the
        framing cannot hold.
        """
        self._check_error()
        self._state.post(message)
        self._outgoing.work.set()

    def received(self, position: Position) -> None:
        """Tell the host that everything up to ``position`` has arrived where it was to go.

        A link of the same session that joins with ``resume`` begins after it. Stock servers are not told.
        """
        if self._state is self._numbered:
            self._numbered.note_received(position)
            self._outgoing.work.set()

    async def told(self) -> None:
        """Wait until what :meth:`received` noted last is on its way to the host; while a break lasts, too."""
        while self._error is None and self._numbered.untold:
            await self._outgoing.progress()

    async def ready(self) -> None:
        """Wait until little is left to be sent: how a slow connection pushes back on who can wait."""
        while self._error is None and self._state.waiting > _UNSENT_EASY:
            await self._outgoing.progress()

    async def delivered(self) -> None:
        """Wait until the host has taken all that was posted; on a stock server, until it is written.

        Raises the error that ended the link before that, or :class:`LinkLost` where the host forgot it.
        """
        posted, forgotten = self._state.posted, self._forgotten
        while self._state.taken < posted:
            self._check_error()
            await self._outgoing.progress()
            if self._forgotten != forgotten:
                raise LinkLost(
                    f"The server has forgotten this connection to kernel {self.kernel_id}: whether it took "
                    "what was sent is not known."
                )

    async def _connect(self) -> WatchedWebSocket:
        try:
            return await self._join()
        except PositionGone as error:
            self._listener.missing(self._numbered.gone(error.oldest, str(error)))
        return await self._join()

    async def _join(self) -> WatchedWebSocket:
        first = self._task is None
        websocket = await self._http.websocket(
            f"api/kernels/{self.kernel_id}/channels",
            query=_query(self._numbered.joining),
            subprotocols=(LINK_SUBPROTOCOL, V1_SUBPROTOCOL),
        )
        try:
            if websocket.protocol == LINK_SUBPROTOCOL:
                await self._welcome(websocket)
            elif first:
                self._state = StockState(framing_for(websocket.protocol))
            else:
                raise Unmendable("The server no longer lets a connection go on after a break.")
        except BaseException:
            websocket.drop()
            raise
        self.subprotocol = websocket.protocol
        self._websocket = websocket
        return websocket

    async def _welcome(self, websocket: WatchedWebSocket) -> None:
        frame = await websocket.receive()
        if frame.type not in DATA:
            raise ended_by(frame, self.kernel_id)
        try:
            step = self._numbered.received(frame.data)
        except FrameError as error:
            raise Unmendable(f"The server does not begin a link as it should: {error}") from error
        if isinstance(step, Joined):
            self._forgotten += step.forgotten
            self._listener.joined(step)
        self._outgoing.progressed()

    async def _run(self, websocket: WatchedWebSocket) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        try:
            while True:
                began, before = loop.time(), self._marks()
                broke = await self._talk(websocket).serve()
                websocket.drop()
                if not self._state.resumes or is_final(broke):
                    raise broke
                self._numbered.broken()
                if self._marks() != before or loop.time() - began >= CAP:
                    # It was of use, so the next may be tried for at once.
                    attempt = 0
                websocket, attempt = await self._reconnect(str(broke), attempt)
        except KernelwayError as error:
            self._lose(final_error(error, self.kernel_id, was_there=True))

    def _talk(self, websocket: WatchedWebSocket) -> Talk:
        options = self._http.options
        return Talk(
            websocket,
            self.kernel_id,
            self._state,
            self._listener,
            patience=Patience(options.ping_after, options.pong_within) if self.resumes else _STOCK_PATIENCE,
            outgoing=self._outgoing,
            room=self._room,
        )

    def _marks(self) -> tuple[int | None, int]:
        """What moves on with every message and every request."""
        return self._numbered.position, self._numbered.taken

    async def _reconnect(self, reason: str, attempt: int) -> tuple[WatchedWebSocket, int]:
        """Another socket, and how many tries in a row there have been; raises what is final."""
        patience = self._http.options.reconnect_for
        try:
            async with deadlines.timeout(patience):
                while True:
                    attempt += 1
                    self._events.change(LinkStatus.RECONNECTING, reason, attempt)
                    await asyncio.sleep(delay(attempt, self._chance()))
                    met = await self._try()
                    if isinstance(met, WatchedWebSocket):
                        self._events.change(LinkStatus.CONNECTED, attempt=attempt)
                        return met, attempt
                    reason = str(met)
        except TimeoutError as error:
            since = self._events.now.since.strftime("%Y-%m-%d %H:%M:%S UTC")
            raise LinkLost(
                f"The connection to kernel {self.kernel_id} has been broken since {since}, and was tried for "
                f"again for {patience:g} seconds: {reason}"
            ) from error

    async def _try(self) -> WatchedWebSocket | KernelwayError:
        """Another socket, or why there is none yet; raises what is final."""
        try:
            async with deadlines.timeout(_ATTEMPT):
                return await self._connect()
        except TimeoutError:
            return TimedOut(f"The server did not answer within {_ATTEMPT:g} seconds.")
        except KernelwayError as error:
            if is_final(error):
                raise
            return error

    def _check_error(self) -> None:
        if self._error is not None:
            raise type(self._error)(str(self._error))

    def _check(self, task: asyncio.Task[None]) -> None:
        """End the link where its task ended by a fault of ours: nobody may wait for it in vain."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("The link to kernel %s failed.", self.kernel_id, exc_info=error)
            self._lose(InternalError(f"The link to kernel {self.kernel_id} failed: {error!r}."))

    def _lose(self, error: KernelwayError, *, tell: bool = True) -> None:
        if self._error is not None:
            return
        self._error = error
        self._events.change(LinkStatus.GONE, str(error))
        self._outgoing.progressed()
        if tell:
            self._listener.lost(error)


def _query(joining: Joining) -> dict[str, str]:
    query: dict[str, str] = {"session_id": joining.session, "link": joining.link}
    if joining.position is not None:
        query["position"] = str(joining.position)
    elif joining.after is not None:
        query["after"] = joining.after
    elif joining.replay_all:
        query["replay"] = "all"
    elif joining.resume:
        query["resume"] = "1"
    if joining.requests:
        query["requests"] = "1"
    return query
