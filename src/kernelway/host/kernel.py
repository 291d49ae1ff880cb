"""One kernel: its state, and the run it is in, from its start to its shutdown."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import UNSET

from kernelway.host.attachment import Attachment
from kernelway.host.clients import Clients
from kernelway.host.journal import Journal
from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.host.lease import Lease
from kernelway.host.lifeline import Lifeline, own_message
from kernelway.host.restart_policy import RestartPolicy
from kernelway.host.run import KernelRun, Order, Surroundings
from kernelway.host.tasks import log_failure
from kernelway.host.warm import Warm
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import (
    KernelDied,
    KernelError,
    KernelRestarted,
    KernelStartFailed,
    KernelwayError,
    NotFound,
)
from kernelway.protocol.message import Channel, Message, SessionId
from kernelway.protocol.models import ExecutionState, KernelId, KernelModel, timestamp

log = logging.getLogger(__name__)

_CONTROL_REQUESTS = frozenset({"debug_request", "interrupt_request", "shutdown_request", "usage_request"})
"""Requests whose busy and idle say nothing of the kernel's main thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLimits:
    """Bounds of each kernel, in seconds."""

    start_timeout: float = 300.0
    shutdown_wait: float = 5.0


class Kernel:
    """A kernel from its start to its shutdown, across restarts.

    Starting, restarting and shutting down wait for one another; but a shutdown does not wait for a start
    to succeed. Cancelling one of them midway leaves a kernel that only a shutdown can mend:
    :class:`~kernelway.host.kernels.Kernels` lets none of them be cancelled.

    ``warm`` is a kernel that waited for this order, of the same id: the first start takes it, and starts
    another where it cannot be had. ``lease`` is begun with the first start's end, and held by clients.
    """

    def __init__(
        self,
        order: Order,
        surroundings: Surroundings,
        specs: LocalKernelSpecs,
        limits: KernelLimits,
        journal: Journal,
        *,
        warm: Warm | None = None,
        lease: Lease | None = None,
    ) -> None:
        self.order = order
        self.id: KernelId = order.kernel_id
        self.state = ExecutionState.STARTING
        self.lease = lease or Lease()
        self.clients = Clients(self, journal, self.lease)
        self._surroundings = surroundings
        self._specs = specs
        self._limits = limits
        self._client = SessionId(f"kernelway-{uuid.uuid4().hex}")
        self._session = self._client
        """The kernel's own, once it has published a status: clients discard what another session sends."""
        self._policy = RestartPolicy()
        self._reason: str | None = None
        self._active_at = time.time()
        self._changing = asyncio.Lock()
        self._shut_down = False
        self._ended = False
        """Whether a shutdown is done, after which there is nothing to tell, and no journal to tell it."""
        self._runs = 0
        self._warm = warm
        # Not ready for anybody before the start has ended; and a shutdown that comes before it ends them.
        self._run: KernelRun | None = None if warm is None else warm.run
        self._lifeline: Lifeline | None = None if warm is None else warm.lifeline
        self._starting: asyncio.Timeout | None = None
        """The deadline of the start that goes on, if one does."""
        self._settled = asyncio.Event()
        """Set while there is a run that is ready, and when there is none and will be none."""
        self._watcher: asyncio.Task[None] | None = None
        self.answered = asyncio.Event()
        """Set once it has executed something for a client, or will not any more."""

    @property
    def last_activity(self) -> datetime:
        """When a message last went in or came out."""
        return datetime.fromtimestamp(self._active_at, UTC)

    def model(self) -> KernelModel:
        """The REST model, as it is now."""
        return KernelModel(
            id=self.id,
            name=self.order.spec_name,
            last_activity=timestamp(self.last_activity),
            execution_state=self.state,
            connections=len(self.clients.attachments),
            reason=UNSET if self._reason is None else self._reason,
        )

    # Clients

    @property
    def attachments(self) -> list[Attachment]:
        """The clients that are connected."""
        return self.clients.attachments

    @property
    def cause_of_death(self) -> str | None:
        """Why it is dead; None where it is not, or where somebody shut it down."""
        return self._reason if self.state is ExecutionState.DEAD else None

    def note_activity(self) -> None:
        """A message went in or came out."""
        self._active_at = time.time()

    @property
    def run(self) -> KernelRun | None:
        """The run that takes messages now; None while there is none yet, KernelDied where none will come.

        A run takes none before it is ready: until then what it would publish in answer could be lost.
        """
        if not self._settled.is_set():
            return None
        if self._run is None:
            raise KernelDied(f"The kernel is dead. {self._reason or ''}".strip())
        return self._run

    async def settled(self) -> None:
        """Return once there may be another answer to what :attr:`run` is."""
        await self._settled.wait()

    # Life

    async def start(self) -> None:
        """Start it and wait until it is ready; where it never is, it is dead and the error says why."""
        async with self._changing:
            if self._ended:
                raise KernelStartFailed(self._why_late())
            await self._start_or_die()

    async def restart(self) -> None:
        """End this run and start another; clients stay attached and are told. Errors as for :meth:`start`."""
        async with self._changing:
            if self._shut_down:
                raise NotFound(f"The kernel {self.id} was shut down.")
            # Not "restarting": clients take that for a crash, and tell their users that the kernel died.
            self.state = ExecutionState.STARTING
            self._policy = RestartPolicy()
            await self._end_run(KernelRestarted("The kernel was restarted."), polite=True)
            self._announce(ExecutionState.STARTING)
            await self._start_or_die()

    async def interrupt(self) -> None:
        """Interrupt what runs, once the kernel is ready; :class:`KernelDied` where nothing can run."""
        while (run := self.run) is None:
            await self.settled()
        await run.interrupt()

    async def shutdown(self) -> None:
        """End it for good, within about ``shutdown_wait`` seconds; its clients are told and closed."""
        self._shut_down = True
        self.answered.set()
        if self._starting is not None and not self._starting.expired():
            self._starting.reschedule(asyncio.get_running_loop().time())
        async with self._changing:
            if self._ended:
                return
            await self._end_run(KernelDied("The kernel was shut down."), polite=True)
            self._announce(ExecutionState.DEAD)
            self._settled.set()
            self._ended = True
        self.clients.close(CloseCode.KERNEL_GONE, "The kernel was shut down.")

    # Runs; what follows is called with _changing held

    async def _start_or_die(self) -> None:
        try:
            await self._start_run()
        except KernelwayError as error:
            self._die(str(error))
            raise
        self._reason = None

    async def _start_run(self) -> None:
        """Start a run and wait until it is ready; where it never is, it is ended and the error says why."""
        try:
            run = await self._ready_run()
        except BaseException:
            await self._end_run(KernelDied("The kernel never became ready."), polite=False)
            raise
        self._settled.set()
        self._watcher = asyncio.create_task(self._watch(run), name=f"watch kernel {self.id}")
        self._watcher.add_done_callback(log_failure)

    async def _ready_run(self) -> KernelRun:
        self._runs += 1
        limit = 0.0 if self._shut_down else self._limits.start_timeout
        try:
            # A start is never a cleanup, so this Python's own will do; only that one can be rescheduled.
            async with asyncio.timeout(limit) as self._starting:
                warm, self._warm = self._warm, None
                if warm is not None and await self._takes(warm):
                    return warm.run
                spec = await self._specs.find(self.order.spec_name)
                run = self._run = KernelRun(self.order, spec, self._surroundings, number=self._runs)
                await run.start()
                self._lifeline = Lifeline(run, self._client, self._publish)
                await self._lifeline.until_ready()
                return run
        except TimeoutError:
            raise KernelStartFailed(self._why_late()) from None
        except KernelwayError:
            raise
        except Exception as error:
            log.exception("The start of kernel %s failed.", self.id)
            raise KernelStartFailed(f"The kernel could not be started: {error}") from error
        finally:
            self._starting = None

    async def _takes(self, warm: Warm) -> bool:
        """Make the run that waited this kernel's; where that fails, it is ended."""
        warm.lifeline.redirect(self._publish)
        try:
            await warm.become(self.order)
        except KernelError as error:
            log.warning("Kernel %s is started afresh, not taken from those that wait. %s", self.id, error)
            await self._end_run(KernelRestarted("The kernel was started afresh."), polite=False)
            self._runs += 1
            return False
        self._session = warm.lifeline.speaker or self._session
        self.state = ExecutionState.IDLE
        return True

    def _why_late(self) -> str:
        if self._shut_down:
            return "The kernel was shut down while it started."
        late = f"The kernel did not answer within {self._limits.start_timeout:g} s of its start."
        return late if self._run is None else self._run.with_output(late)

    async def _end_run(self, end: KernelError, *, polite: bool) -> None:
        """End the run that there is, if there is one; ``end`` is what its unanswered requests are told."""
        self._settled.clear()
        await self._stop_watching()
        run, self._run = self._run, None
        lifeline, self._lifeline = self._lifeline, None
        try:
            if run is not None:
                ask = lifeline.request_shutdown if polite and lifeline is not None else None
                await run.end(shutdown=ask, patience=self._limits.shutdown_wait)
            if lifeline is not None:
                await lifeline.finish()
        finally:
            if lifeline is not None:
                lifeline.close()
            # Only now: an interrupt may have brought real replies.
            await self.clients.end_run(end, self._session)

    async def _stop_watching(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher is not asyncio.current_task():
            watcher.cancel()
            await asyncio.wait({watcher})

    async def _watch(self, run: KernelRun) -> None:
        """Wait for the run to end by itself; then start another, or say that the kernel is dead and why."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        reason = await run.exited()
        lifetime = loop.time() - began
        async with self._changing:
            if self._run is run and not self._shut_down:
                await self._restart_after(lifetime, reason)

    async def _restart_after(self, lifetime: float, reason: str) -> None:
        while self._policy.restart_after(lifetime):
            log.warning("Kernel %s is restarted. %s", self.id, reason)
            self._reason = reason
            self.state = ExecutionState.RESTARTING
            await self._end_run(KernelRestarted(reason), polite=False)
            self._announce(ExecutionState.RESTARTING)
            try:
                await self._start_run()
            except KernelwayError as error:
                # However long it took, a start that failed was no life.
                reason, lifetime = str(error), 0.0
            else:
                return
            if self._shut_down:
                return
        await self._end_run(KernelDied(reason), polite=False)
        self._die(reason)

    def _die(self, reason: str) -> None:
        if not self._shut_down:
            log.error("Kernel %s is dead. %s", self.id, reason)
        self._reason = reason
        self.answered.set()
        self._announce(ExecutionState.DEAD)
        self._settled.set()

    # Messages

    def _publish(self, message: Message) -> None:
        self._note_status(message)
        self.note_activity()
        self.clients.publish(message)

    def _note_status(self, message: Message) -> None:
        # Most messages are no status; looking for the word spares them the decoding.
        if b'"status"' not in bytes(message.header):
            return
        header = message.read_header()
        if header.msg_type != "status":
            return
        self._session = header.session
        asked = message.read_parent_header().msg_type
        if self._run is None or asked in _CONTROL_REQUESTS:
            # What a run says while it is ended is not how the kernel is.
            return
        state = message.read_content().get("execution_state")
        if asked == "execute_request" and state == ExecutionState.IDLE and self._settled.is_set():
            self.answered.set()
        if state in (ExecutionState.STARTING, ExecutionState.IDLE, ExecutionState.BUSY):
            self.state = ExecutionState(state)

    def _announce(self, state: ExecutionState) -> None:
        self.state = state
        content: dict[str, object] = {"execution_state": state.value}
        self.clients.publish(own_message(Channel.IOPUB, "status", content, self._session))
