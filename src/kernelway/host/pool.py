"""Kernels that wait, started and ready, for whoever asks next: see docs/decisions/0013-warm-pool.md."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec

from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.host.pool_rules import may_wait
from kernelway.host.restart_policy import RestartPolicy
from kernelway.host.run import Surroundings
from kernelway.host.spare_memory import allows_another, read_memories
from kernelway.host.tasks import Tasks
from kernelway.host.warm import Warm
from kernelway.protocol.errors import KernelwayError
from kernelway.transport import deadlines

log = logging.getLogger(__name__)


def _has_memory() -> bool:
    return allows_another(read_memories())


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRules:
    """How many kernels wait, and for how long."""

    size: int = 0
    """For each kernelspec."""
    keep: float = 1800.0
    """Seconds after the last request for a kernelspec; those of the default kernelspec are kept for good."""
    start_timeout: float = 300.0
    preloaded: tuple[str, ...] = ()
    """Modules that the kernels have beyond what a kernel imports."""
    has_memory: Callable[[], bool] = _has_memory
    """Called in a thread, before each start."""


@dataclass(slots=True, eq=False)
class _Shelf:
    """What waits for one kernelspec."""

    name: str
    spec: KernelSpec
    asked_at: float
    is_kept: bool = False
    """Whether it stays however long nobody asks."""
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    has_failed: bool = False
    """Whether kernels died too often; none is started before somebody asks again."""
    kernels: dict[Warm, asyncio.Task[None]] = field(default_factory=dict)
    """Each with the task that waits for its death; the oldest first."""


class Pool:
    """Has kernels ready, one at a time and only while nothing that was asked for is being started.

    :meth:`take`, :meth:`permit` and :meth:`undisturbed` decide at once; what follows from it is done by
    tasks that :meth:`close` waits for. A pool of size 0 does nothing and has no task.
    """

    def __init__(
        self, surroundings: Surroundings, specs: LocalKernelSpecs, rules: PoolRules, *, home: Path
    ) -> None:
        self._surroundings = surroundings
        self._specs = specs
        self._rules = rules
        self._home = home
        self._shelves: dict[str, _Shelf] = {}
        self._most: int | None = None
        self._starting: asyncio.Task[None] | None = None
        self._starts_asked_for = 0
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._closed = False

    def __len__(self) -> int:
        """How many there are, with the one that is being started."""
        return self.ready + (self._starting is not None)

    @property
    def ready(self) -> int:
        """How many can be taken."""
        return sum(len(shelf.kernels) for shelf in self._shelves.values())

    # Decisions

    def open(self) -> None:
        """Begin to fill it, with kernels of the default kernelspec."""
        if self._rules.size:
            self._keeper = self._tasks.begin(self._keep_filled(), name="keep kernels ready")

    def take(self, name: str, spec: KernelSpec, cwd: Path, env: Mapping[str, str]) -> Warm | None:
        """A kernel that can become exactly what is asked for; it is the caller's from now on.

        None where there is none. Either way there will be others of that kernelspec.
        """
        if self._keeper is None or self._closed or not may_wait(spec):
            return None
        shelf = self._shelf(name, spec)
        for warm in list(shelf.kernels):
            obstacle = warm.obstacle(cwd, env)
            if obstacle is None:
                shelf.kernels.pop(warm).cancel()
                self._changed.set()
                return warm
            log.debug("A kernel is started though one of %r waits: %s", name, obstacle)
        return None

    def _shelf(self, name: str, spec: KernelSpec) -> _Shelf:
        """The shelf of a kernelspec that is asked for now; what waits there was started by that very spec."""
        now = asyncio.get_running_loop().time()
        shelf = self._shelves.setdefault(name, _Shelf(name, spec, now))
        shelf.asked_at, shelf.has_failed = now, False
        if not _is_same(shelf.spec, spec):
            self._empty(shelf)
            shelf.spec, shelf.policy = spec, RestartPolicy()
        self._changed.set()
        return shelf

    def permit(self, most: int | None) -> None:
        """Hold no more than so many, None for any number; those that are too many are ended."""
        self._most = most
        while most is not None and len(self) > max(most, 0):
            self._end_one()
        self._changed.set()

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Start no kernel meanwhile."""
        self._starts_asked_for += 1
        try:
            yield
        finally:
            self._starts_asked_for -= 1
            self._changed.set()

    def _end_one(self) -> None:
        if self._starting is not None:
            self._stop_starting()
            return
        shelf = min(filter(_has_kernels, self._shelves.values()), key=lambda each: each.asked_at)
        self._end(shelf, next(iter(shelf.kernels)))

    def _stop_starting(self) -> None:
        if self._starting is not None:
            # It ends what it has started; it counts no more.
            self._starting.cancel()
            self._starting = None

    def _empty(self, shelf: _Shelf) -> None:
        for warm in list(shelf.kernels):
            self._end(shelf, warm)

    def _end(self, shelf: _Shelf, warm: Warm) -> None:
        shelf.kernels.pop(warm).cancel()
        self._begin_end(warm)

    def _begin_end(self, warm: Warm) -> None:
        # A task of its own, which nobody cancels.
        self._tasks.begin(warm.end(), name=f"end waiting kernel {warm.id}")

    # Filling

    async def _keep_filled(self) -> None:
        await self._begin_with_default()
        while not self._closed:
            self._changed.clear()
            next_age = self._drop_old()
            shelf = self._next_to_fill()
            if shelf is not None and await asyncio.to_thread(self._rules.has_memory):
                # Whatever was decided meanwhile is heeded: this step starts it or not.
                if self._next_to_fill() is shelf:
                    await self._fill(shelf)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(next_age):
                    await self._changed.wait()

    async def _begin_with_default(self) -> None:
        try:
            name = await self._specs.default_name()
            spec = await self._specs.find(name)
        except KernelwayError as error:
            log.warning("No kernel of the default kernelspec can wait. %s", error)
            return
        if may_wait(spec):
            self._shelf(name, spec).is_kept = True

    def _drop_old(self) -> float | None:
        """End what nobody has asked for lately; when there will be something to drop again."""
        now = asyncio.get_running_loop().time()
        ageing = [shelf for shelf in self._shelves.values() if not shelf.is_kept]
        for shelf in ageing:
            if now >= shelf.asked_at + self._rules.keep:
                self._empty(shelf)
                del self._shelves[shelf.name]
        return min(
            (each.asked_at + self._rules.keep for each in ageing if each.name in self._shelves), default=None
        )

    def _next_to_fill(self) -> _Shelf | None:
        """The shelf that misses a kernel and was asked for last; None where none may be started now."""
        if self._closed or self._starts_asked_for or self._starting is not None:
            return None
        if self._most is not None and len(self) >= self._most:
            return None
        short = [
            shelf
            for shelf in self._shelves.values()
            if len(shelf.kernels) < self._rules.size and not shelf.has_failed
        ]
        return max(short, key=lambda each: each.asked_at, default=None)

    async def _fill(self, shelf: _Shelf) -> None:
        task = self._starting = self._tasks.begin(self._start_one(shelf), name=f"start waiting {shelf.name}")
        await asyncio.wait({task})
        if self._starting is task:
            self._starting = None
        if not task.cancelled() and task.exception() is not None:
            # It is in the log. What nobody has foreseen would happen again, and at once.
            shelf.has_failed = True

    async def _start_one(self, shelf: _Shelf) -> None:
        warm = Warm(
            shelf.name, shelf.spec, self._surroundings, home=self._home, preloaded=self._rules.preloaded
        )
        try:
            async with deadlines.timeout(self._rules.start_timeout):
                await warm.get_ready()
        except BaseException as error:
            self._begin_end(warm)
            if not isinstance(error, KernelwayError | TimeoutError):
                raise
            self._note_death(shelf, 0.0, str(error) or "It did not answer in time.")
            return
        if self._is_still_wanted(shelf, warm):
            watch = self._tasks.begin(self._watch(shelf, warm), name=f"watch waiting kernel {warm.id}")
            shelf.kernels[warm] = watch
        else:
            self._begin_end(warm)

    def _is_still_wanted(self, shelf: _Shelf, warm: Warm) -> bool:
        return not self._closed and self._shelves.get(shelf.name) is shelf and shelf.spec is warm.spec

    async def _watch(self, shelf: _Shelf, warm: Warm) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        reason = await warm.run.exited()
        # Whoever took it or ended it meanwhile has cancelled this.
        del shelf.kernels[warm]
        self._begin_end(warm)
        self._note_death(shelf, loop.time() - began, reason)

    def _note_death(self, shelf: _Shelf, lifetime: float, reason: str) -> None:
        shelf.has_failed = not shelf.policy.restart_after(lifetime)
        end = " No other is started before somebody asks for one." if shelf.has_failed else ""
        log.warning("A waiting kernel of %r is dead.%s %s", shelf.name, end, reason)
        self._changed.set()

    # The end

    async def close(self) -> None:
        """Kill all that wait; there will be no others."""
        self._closed = True
        self._changed.set()
        self._stop_starting()
        for shelf in self._shelves.values():
            self._empty(shelf)
        await self._tasks.ended()


def _has_kernels(shelf: _Shelf) -> bool:
    return bool(shelf.kernels)


def _is_same(one: KernelSpec, other: KernelSpec) -> bool:
    return bool(one.to_dict() == other.to_dict() and one.resource_dir == other.resource_dir)
