"""All kernels of a host."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec

from kernelway.host.attachment import Attachment
from kernelway.host.ended import EndedChannels, join_ended, told_end
from kernelway.host.journals import Journals
from kernelway.host.kernel import Kernel, KernelLimits
from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.host.lease import Lease
from kernelway.host.pool import Pool
from kernelway.host.run import Order, Surroundings
from kernelway.host.tasks import Tasks
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import Conflict, InvalidRequest, KernelwayError, LimitReached, NotFound
from kernelway.protocol.models import KernelId, StartKernel, timestamp
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_ANSWER_AFTER = 10.0
"""Seconds after which a start that still goes on is answered as it is: HTTP clients do not wait for ever."""

_SETTLES_WITHIN = 2.0
"""Seconds after its start in which a kernel is likely to be asked for its first result. Until that is there,
or for so long, no kernel is made ready for others: somebody waits for that result."""


class Kernels:
    """Starts kernels within a limit, finds them by id, restarts and ends them.

    ``most`` is the limit, None for no limit; ``home`` is the folder that a kernel works in when nobody
    named one, and that relative paths start from. What is begun goes on to its end when the caller is
    cancelled: no kernel is left half started, half restarted or half ended.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        specs: LocalKernelSpecs,
        journals: Journals,
        pool: Pool,
        *,
        limits: KernelLimits,
        most: int | None,
        home: Path,
    ) -> None:
        self._surroundings = surroundings
        self._specs = specs
        self._journals = journals
        self._pool = pool
        self._pool.permit(most)
        self._limits = limits
        self._most = most
        self._home = home
        self._kernels: dict[KernelId, Kernel] = {}
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._taken = asyncio.Event()
        self._tasks = Tasks()
        self._closed = False

    def __iter__(self) -> Iterator[Kernel]:
        return iter(tuple(self._kernels.values()))

    def __len__(self) -> int:
        return len(self._kernels)

    def get(self, kernel_id: KernelId) -> Kernel:
        """The kernel of that id; :class:`NotFound` where there is none, or has ended: then it says why."""
        kernel = self._kernels.get(kernel_id)
        if kernel is None:
            ended = self._journals.find_ended(kernel_id)
            raise NotFound(f"There is no kernel {kernel_id!r} here." if ended is None else told_end(ended[1]))
        return kernel

    async def join(self, kernel_id: KernelId, joining: Joining) -> Attachment | EndedChannels:
        """Connect a client to a kernel, or to the journal of one that has ended.

        :class:`NotFound` where there is neither, PositionGone where it asks for what is no longer kept.
        """
        while (kernel := self._kernels.get(kernel_id)) is not None:
            journal = kernel.clients.journal
            after = None if joining.after is None else await journal.position_of(joining.after)
            if self._kernels.get(kernel_id) is kernel:
                return kernel.clients.attach(joining, after=after)
        ended = self._journals.find_ended(kernel_id)
        if ended is None:
            raise NotFound(f"There is no kernel {kernel_id!r} here.")
        return await join_ended(*ended, joining)

    async def start(self, request: StartKernel) -> Kernel:
        """Start a kernel, wait until it is ready, and return it.

        One that is not ready after ten seconds is returned as it is, ``starting``. Raises
        :class:`LimitReached`, :class:`NotFound` for an unknown kernelspec, :class:`InvalidRequest` for a
        working folder that is not there or variables that cannot be, and KernelStartFailed with the reason;
        the kernel is gone then. Cancelling leaves the kernel to start.
        """
        name, spec, cwd = await asyncio.to_thread(self._look_up, request)
        kernel = self._admit(request, name, spec, cwd)
        start = self._tasks.begin(self._start(kernel), name=f"start kernel {kernel.id}")
        self._tasks.begin(self._settle(kernel, start), name=f"leave kernel {kernel.id} its first moments")
        done, _ = await asyncio.wait({start}, timeout=_ANSWER_AFTER)
        if done:
            error = start.result()
            if error is not None:
                await self._shut_down(kernel)
                raise error
        return kernel

    def _admit(self, request: StartKernel, name: str, spec: KernelSpec, cwd: Path) -> Kernel:
        # The limit is checked and the place taken in one step, so that a burst cannot pass it.
        if self._closed:
            raise Conflict("This gateway is stopping and starts no more kernels.")
        if self._most is not None and len(self._kernels) >= self._most:
            raise LimitReached(f"There are {self._most} kernels already, which is the limit of this gateway.")
        warm = self._pool.take(name, spec, cwd, request.env)
        kernel_id = KernelId(str(uuid.uuid4())) if warm is None else warm.id
        journal = self._journals.open(kernel_id, name=name, started=timestamp(datetime.now(UTC)))
        order = Order(kernel_id, name, cwd, request.env)
        lease = Lease(request.lease, partial(self._lease_ran_out, kernel_id))
        kernel = Kernel(order, self._surroundings, self._specs, self._limits, journal, warm=warm, lease=lease)
        self._kernels[kernel_id] = kernel
        self._share_places()
        self._emptied.clear()
        self._taken.set()
        return kernel

    def _share_places(self) -> None:
        """Leave to the pool what is left of the limit: it ends a kernel rather than that one is refused."""
        self._pool.permit(None if self._most is None else self._most - len(self._kernels))

    def _forget(self, kernel_id: KernelId, reason: str) -> None:
        kernel = self._kernels.pop(kernel_id, None)
        if kernel is not None:
            kernel.lease.void()
            self._journals.end(kernel_id, reason=reason)
            self._share_places()
        if not self._kernels:
            self._taken.clear()
            self._emptied.set()

    async def unused_for(self, seconds: float) -> None:
        """Return once there has been no kernel for so long."""
        while True:
            await self._emptied.wait()
            try:
                async with deadlines.timeout(seconds):
                    await self._taken.wait()
            except TimeoutError:
                return

    async def _start(self, kernel: Kernel) -> KernelwayError | None:
        try:
            await kernel.start()
        except KernelwayError as error:
            return error
        finally:
            kernel.lease.begin()
        return None

    async def _settle(self, kernel: Kernel, start: asyncio.Task[KernelwayError | None]) -> None:
        with self._pool.undisturbed():
            await asyncio.wait({start})
            with contextlib.suppress(TimeoutError):
                async with deadlines.timeout(_SETTLES_WITHIN):
                    await kernel.answered.wait()

    def _look_up(self, request: StartKernel) -> tuple[str, KernelSpec, Path]:
        # In one thread at one go: each change of threads costs as much as all that is looked up.
        name, spec = self._specs.find_now(request.name)
        _check_variables(request.env)
        return name, spec, self._working_folder(request.path)

    def _working_folder(self, path: str | None) -> Path:
        try:
            folder = self._home if path is None else self._home / Path(path).expanduser()
        except RuntimeError as error:
            raise InvalidRequest(f"The working folder {path!r} cannot be: {error}") from error
        if not folder.is_dir():
            raise InvalidRequest(
                f"The working folder {str(folder)!r} does not exist where the kernel would run."
            )
        return folder

    async def restart(self, kernel_id: KernelId) -> Kernel:
        """Restart a kernel and wait until it is ready: see :meth:`Kernel.restart`."""
        kernel = self.get(kernel_id)
        with self._pool.undisturbed():
            await self._tasks.run(kernel.restart(), name=f"restart kernel {kernel_id}")
        return kernel

    async def shutdown(self, kernel_id: KernelId) -> None:
        """End a kernel for good; :class:`NotFound` where there is none."""
        await self._shut_down(self.get(kernel_id))

    def _lease_ran_out(self, kernel_id: KernelId, seconds: float) -> None:
        kernel = self._kernels[kernel_id]
        reason = f"Its lease of {seconds:g} s ran out: nobody was connected to it for so long."
        log.warning("Kernel %s is ended. %s", kernel_id, reason)
        end = self._shut_down(kernel, reason=reason)
        self._tasks.begin(end, name=f"end kernel {kernel_id}, whose lease ran out")

    async def _shut_down(self, kernel: Kernel, *, reason: str = "It was shut down.") -> None:
        cause = kernel.cause_of_death or ("The host was stopped." if self._closed else reason)

        async def work() -> None:
            await kernel.shutdown()
            # In the same step: nobody finds a kernel that has told its clients good-bye.
            self._forget(kernel.id, cause)

        await self._tasks.run(work(), name=f"shut down kernel {kernel.id}")

    async def close(self) -> None:
        """End all kernels at once, and every start that still goes on; there will be no others."""
        self._closed = True
        ends = await asyncio.gather(
            self._pool.close(), *(self._shut_down(kernel) for kernel in self), return_exceptions=True
        )
        for error in filter(None, ends):
            log.error("A kernel did not end as it should: %s", error)
        await self._tasks.ended()


def _check_variables(env: Mapping[str, str]) -> None:
    """Refuse what no environment can hold; the refusal repeats nothing of it."""
    if any(not name or "=" in name or "\0" in name + value for name, value in env.items()):
        raise InvalidRequest("A variable's name is empty or has an =, or a NUL is in it or in its value.")
