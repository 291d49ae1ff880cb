"""The gateway as the host's child: started on the host's listening socket, and again whenever it dies.

starting ──says that it serves──> serving ──dies──> starting, at once; after a pause where that repeats
    │                              │    └─replace──> another is starting, and when that serves this ends
    └──dies, or says nothing for too long──> starting, after a pause that grows
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import msgspec

from kernelway.host.tasks import log_failure, to_the_end
from kernelway.protocol.errors import Conflict, KernelwayError, Unreachable
from kernelway.protocol.message import UNREADABLE
from kernelway.protocol.models import Replacement
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

GATEWAY_COMMAND = (sys.executable, "-P", "-m", "kernelway.gateway")
"""Whatever is installed at the time; the working folder's modules are not taken for it."""

_STEADY = 2.0
"""Seconds; a gateway that served for longer than this had a good start."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE_SERVED = 0.5
_LONGEST_PAUSE_FAILED = 10.0


_KILLING = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
"""Signals that come from somebody else."""


class _Killed(Unreachable):
    """A gateway was killed before it served."""


class Announcement(msgspec.Struct, frozen=True):
    """The line that a gateway writes on its standard output once it serves, or cannot."""

    version: str = ""
    failed: str | None = None
    """Why it cannot, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStart:
    """How a gateway is started."""

    orders: bytes = field(repr=False)
    """What it is told on its standard input, which stays open until the host ends; it may hold a token."""
    environ: Mapping[str, str] = field(repr=False)
    descriptors: tuple[int, ...]
    """What it inherits, under the same numbers."""
    command: tuple[str, ...] = GATEWAY_COMMAND
    serves_within: float = 60.0
    """Seconds for it to say that it serves."""
    ends_within: float = 10.0
    """Seconds for it to end where it is told to; then it is killed."""


@dataclass(slots=True)
class Patience:
    """How long to wait before a gateway that died is started again."""

    quick_deaths: int = 0

    def pause_after(self, served_for: float | None) -> float:
        """Note a death after so many seconds of serving, None where it never did; the pause in seconds.

        A gateway that served is started again within a second, however often somebody kills it. One that
        cannot start would otherwise keep a core busy.
        """
        if served_for is not None and served_for > _STEADY:
            self.quick_deaths = 0
            return 0.0
        self.quick_deaths += 1
        if self.quick_deaths == 1:
            return 0.0
        longest = _LONGEST_PAUSE_FAILED if served_for is None else _LONGEST_PAUSE_SERVED
        return min(_FIRST_PAUSE * 2.0 ** min(self.quick_deaths - 2, 30), longest)


@dataclass(frozen=True, slots=True)
class _Gateway:
    """One that has said that it serves."""

    process: Process
    version: str
    since: float
    """By the event loop's clock."""


class Supervisor:
    """Keeps one gateway running; ``async with`` bounds its life.

    Entering waits until it serves, and raises :class:`Unreachable` with the reason where it does not. The
    gateway leads a session of its own, so that what a terminal sends reaches the host alone.
    """

    def __init__(self, start: GatewayStart) -> None:
        self._start_as = start
        self._gateway: _Gateway | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._replacing: asyncio.Task[Replacement] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._keep_running(await self._start())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        for task in (self._replacing, self._keeper):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        if self._gateway is not None:
            await to_the_end(self._end(self._gateway), name="end gateway")

    @property
    def pid(self) -> int | None:
        """The process of the gateway that serves; None where there is none now."""
        gateway = self._gateway
        return None if gateway is None or gateway.process.returncode is not None else gateway.process.pid

    async def replace(self) -> Replacement:
        """Start another gateway; once it serves, end the one that did until then.

        Raises :class:`Unreachable` with the reason where the new one does not come to serve, and
        :class:`Conflict` while another is being started for the same purpose; nothing has changed then.
        """
        if self._closed or (self._replacing is not None and not self._replacing.done()):
            what = "is stopping" if self._closed else "is replacing its gateway already"
            raise Conflict(f"This host {what}.")
        self._replacing = asyncio.create_task(self._replace(), name="replace gateway")
        self._replacing.add_done_callback(log_failure)
        await asyncio.wait({self._replacing})
        if self._replacing.cancelled():
            raise Conflict("This host is stopping.")
        return self._replacing.result()

    async def _replace(self) -> Replacement:
        new = await self._start()
        try:
            if self._keeper is not None:
                # It may be about to start one itself.
                self._keeper.cancel()
                await asyncio.wait({self._keeper})
        except asyncio.CancelledError:
            await to_the_end(self._end(new), name="end the new gateway")
            raise
        old = self._gateway
        self._keep_running(new)
        log.info("The gateway, process %d of version %s, takes over.", new.process.pid, new.version)
        if old is not None:
            await to_the_end(self._end(old), name="end the gateway before")
        return Replacement(new.process.pid, new.version)

    def _keep_running(self, gateway: _Gateway) -> None:
        self._gateway = gateway
        self._keeper = asyncio.create_task(self._keep(gateway), name="gateway")
        self._keeper.add_done_callback(log_failure)

    async def _keep(self, gateway: _Gateway) -> None:
        loop, patience = asyncio.get_running_loop(), Patience()
        while True:
            status = await gateway.process.wait()
            pause = patience.pause_after(loop.time() - gateway.since)
            log.warning("The gateway %s and is started again.", _told(status))
            gateway = self._gateway = await self._start_again(patience, pause)
            log.info("The gateway serves again, as process %d.", gateway.process.pid)

    async def _start_again(self, patience: Patience, pause: float) -> _Gateway:
        while True:
            await asyncio.sleep(pause)
            try:
                return await self._start()
            except KernelwayError as error:
                # Whoever kills it says nothing of whether it could have served.
                pause = patience.pause_after(0.0 if isinstance(error, _Killed) else None)
                log.error("%s The next try is in %g s.", error, pause)

    async def _start(self) -> _Gateway:
        start = self._start_as
        try:
            process = await asyncio.create_subprocess_exec(
                *start.command,
                stdin=PIPE,
                stdout=PIPE,
                env=start.environ,
                pass_fds=start.descriptors,
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(
                f"The gateway cannot be started: {start.command[0]}: {error.strerror}."
            ) from error
        try:
            version = await _version_told(process, start)
        except BaseException:
            await to_the_end(_kill(process), name="kill gateway")
            raise
        return _Gateway(process, version, asyncio.get_running_loop().time())

    async def _end(self, gateway: _Gateway) -> None:
        process, within = gateway.process, self._start_as.ends_within
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with deadlines.timeout(within):
                await process.wait()
        except TimeoutError:
            log.error("The gateway, process %d, does not end within %g s: it is killed.", process.pid, within)
            await _kill(process)


async def _version_told(process: Process, start: GatewayStart) -> str:
    """Tell a gateway its orders, and wait until it says that it serves; Unreachable where it does not."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(start.orders + b"\n")
    try:
        async with deadlines.timeout(start.serves_within):
            line = await process.stdout.readline()
            if not line:
                status = await process.wait()
                kind = _Killed if -status in _KILLING else Unreachable
                raise kind(f"The gateway {_told(status)} before it served; what it said is in the log.")
    except TimeoutError:
        raise Unreachable(f"The gateway does not serve within {start.serves_within:g} s.") from None
    try:
        said = msgspec.json.decode(line, type=Announcement)
    except UNREADABLE:
        raise Unreachable(f"The gateway does not say that it serves, but {line[:200]!r}.") from None
    if said.failed is not None:
        raise Unreachable(f"The gateway cannot serve: {said.failed}")
    return said.version


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _told(status: int) -> str:
    if status >= 0:
        return f"ended with the status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by the signal {-status}"
