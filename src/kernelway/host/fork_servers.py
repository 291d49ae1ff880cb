"""All fork servers of a host: one for each Python that kernels of its are asked for."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jupyter_client.kernelspec import KernelSpec

from kernelway.host.fork_rules import Interpreter, Unforkable, acting, check_variables, interpreter_of
from kernelway.host.fork_server import (
    PLACEHOLDERS,
    ForkServer,
    ForkTimes,
    Launch,
    Ready,
    Stale,
    StartsThreads,
)
from kernelway.host.forked_process import ForkedProcess
from kernelway.host.tasks import Tasks

log = logging.getLogger(__name__)

_MOST_SERVERS = 16
"""Each holds the memory of a Python with ipykernel; kernels of further ones are started by command."""

_TRIES = 3
"""Fresh servers for one kernel: an environment may change while its server starts, but not for ever."""


_MOST_REASONS = 1000
"""That are remembered as having been told."""


@dataclass(frozen=True, slots=True)
class _Key:
    """What kernels have in common that one server can fork."""

    interpreter: Interpreter
    variables: tuple[tuple[str, str], ...]
    """The kernelspec's own. Of those that are filled in from a request's, only what acts at the start."""


@dataclass(frozen=True, slots=True)
class _Serving:
    server: ForkServer
    ready: Ready


@dataclass(slots=True)
class _Place:
    """Where there is a server, or will be, or cannot be."""

    starting: asyncio.Task[_Serving | Unforkable] | None = None
    serving: _Serving | None = None
    failed_at: float = -math.inf
    why: str = ""
    refused: set[str] = field(default_factory=set)
    """Modules that cannot be preloaded."""


class ForkServers:
    """Starts servers when they are first needed; :meth:`close` must be awaited, after the end of all kernels.

    ``environ`` is what kernels' environments start from, with the host's mark.
    """

    def __init__(
        self, environ: Mapping[str, str], *, preload: Sequence[str] = (), times: ForkTimes | None = None
    ) -> None:
        # jupyter_client takes that one from kernels on Python.
        self._environ = {name: value for name, value in environ.items() if name != "PYTHONEXECUTABLE"}
        self._preload = preload
        self._times = ForkTimes() if times is None else times
        self._places: dict[_Key, _Place] = {}
        self._servers: set[ForkServer] = set()
        self._told: dict[str, None] = {}
        self._tasks = Tasks()
        self._closed = False

    @property
    def reads(self) -> frozenset[str]:
        """The variables that servers have looked up while they imported: forked kernels have read them."""
        serving = (place.serving for place in self._places.values())
        return frozenset(name for each in serving if each is not None for name in each.ready.reads)

    async def fork(self, spec: KernelSpec, launch: Launch) -> ForkedProcess | None:
        """Fork a kernel; None where it has to be started by command, and the log says why.

        ``launch`` is what jupyter_client would start for the kernelspec.
        """
        try:
            return await self._fork(self._key(spec, launch.argv, launch.env), launch)
        except Unforkable as error:
            self._tell(f"A kernel of {spec.display_name!r} is started by command, since {error}.")
            return None

    def _key(self, spec: KernelSpec, argv: Sequence[str], env: Mapping[str, str]) -> _Key:
        fixed = {name for name, text in spec.env.items() if "$" not in str(text)}
        own = {name: env[name] for name in {*fixed, *acting(spec.env)} if name in env}
        key = _Key(interpreter_of(argv), tuple(sorted(own.items())))
        # A server need not be started for what it could not fork.
        check_variables(self._environ_of(key), env, ())
        return key

    def _environ_of(self, key: _Key) -> dict[str, str]:
        return {**self._environ, **dict(key.variables), **PLACEHOLDERS}

    async def _fork(self, key: _Key, launch: Launch) -> ForkedProcess:
        for _ in range(_TRIES):
            serving = await self._serving(key)
            check_variables(self._environ_of(key), launch.env, serving.ready.reads)
            try:
                return await serving.server.fork(launch)
            except Stale as change:
                log.info(
                    "The environment of %s has changed (%s): it gets a fresh fork server.",
                    key.interpreter,
                    change,
                )
        raise Unforkable("its environment goes on changing")

    async def _serving(self, key: _Key) -> _Serving:
        """The server there is, or a fresh one once it is ready; all who ask meanwhile wait for the same."""
        place = self._places.setdefault(key, _Place())
        if place.serving is not None and place.serving.server.is_serving:
            return place.serving
        if place.starting is None:
            self._check_start(place)
            place.starting = self._tasks.begin(
                self._start(key, place), name=f"start fork server {key.interpreter}"
            )
        starting = place.starting
        await asyncio.wait({starting})
        result = starting.result()
        if isinstance(result, Unforkable):
            raise result
        return result

    def _check_start(self, place: _Place) -> None:
        if asyncio.get_running_loop().time() < place.failed_at + self._times.retry_after:
            raise Unforkable(place.why)
        if len(self._servers) >= _MOST_SERVERS:
            raise Unforkable(f"there are {_MOST_SERVERS} fork servers already")

    async def _start(self, key: _Key, place: _Place) -> _Serving | Unforkable:
        try:
            place.serving = await self._started(key, place.refused)
        except (Unforkable, OSError) as error:
            place.failed_at, place.why = asyncio.get_running_loop().time(), str(error)
            return Unforkable(place.why)
        finally:
            place.starting = None
        return place.serving

    async def _started(self, key: _Key, refused: set[str]) -> _Serving:
        while True:
            if self._closed:
                raise Unforkable("the host is ending")
            modules = [name for name in self._preload if name not in refused]
            server = ForkServer(key.interpreter, self._environ_of(key), modules, self._times)
            self._servers.add(server)
            self._tasks.begin(self._forget(server), name=f"end of fork server {server.pid}")
            try:
                ready = await server.ready()
            except StartsThreads as error:
                if not error.module:
                    raise
                refused.add(error.module)
                log.warning("%s is not preloaded: it starts threads when it is imported.", error.module)
                continue
            for name, why in ready.failed.items():
                log.warning("%s is not preloaded in %s: %s", name, key.interpreter, why)
            return _Serving(server, ready)

    async def _forget(self, server: ForkServer) -> None:
        await server.ended()
        self._servers.discard(server)
        for key, place in tuple(self._places.items()):
            if place.serving is not None and place.serving.server is server and place.starting is None:
                del self._places[key]

    def _tell(self, sentence: str) -> None:
        """Say it in the log, once."""
        if sentence not in self._told:
            log.info("%s", sentence)
            self._told[sentence] = None
            if len(self._told) > _MOST_REASONS:
                del self._told[next(iter(self._told))]

    async def close(self) -> None:
        """End all servers; kernels are started by command from now on."""
        self._closed = True
        await asyncio.gather(*(server.close() for server in self._servers))
        await self._tasks.ended()
