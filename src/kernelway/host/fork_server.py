"""The host's end of one fork server: see :mod:`kernelway.host.fork_server_process`.

starting ──ready──> serving ──stale, or nobody asks any more──> retired ──its last kernel ends──> ended
    │                  └──hung──> killed ──> ended
    └──cannot──> ended, with the reason

A server that ends takes no kernel with it. What is lost is how those that it forked will end.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from kernelway.host import fork_server_process
from kernelway.host.fork_rules import Interpreter, Unforkable
from kernelway.host.forked_process import ForkedProcess
from kernelway.host.output_tail import OutputTail
from kernelway.host.processes import wait_for_exit
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_ROOM = " " * 1024
"""Where the system does not let a process say where its command line is, a kernel's is written over this."""

PLACEHOLDERS = {"JPY_PARENT_PID": "1", "KERNELWAY_KERNEL_ID": "-" * 64}
"""Variables of a server that each kernel has its own of.

ipykernel notes the first when it is imported, and ends where its parent is another process by then, unless
that is init: a kernel must not end with its fork server. The other is room for the kernel's own.
"""

_END_WITHIN = 2.0
"""Seconds that a server has to leave once the host hangs up."""

_LARGEST = fork_server_process.MOST_BYTES


class Stale(Exception):
    """The environment has changed since the server was started; the path that did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkTimes:
    """Bounds of what a fork server may take, in seconds."""

    ready_within: float = 60.0
    """For its imports."""
    answer_within: float = 5.0
    """For a fork; one that does not answer is killed, and its kernels live on."""
    idle_after: float = 600.0
    """Without a kernel, until it ends."""
    retry_after: float = 60.0
    """From a start that failed to the next attempt at one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A kernel to be forked: what ``Popen`` would be told."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    cwd: str
    mark: str
    """The variable, and its value, by which what the kernel starts is known."""
    output: int
    """The descriptor for its stdout and stderr."""


class Ready(msgspec.Struct, frozen=True):
    """What a server tells once it can fork."""

    reads: frozenset[str]
    """The variables that its imports looked up."""
    failed: dict[str, str]
    """Why a module is not preloaded, by its name."""


class _Told(msgspec.Struct, frozen=True):
    """Any of the messages of a server."""

    ready: Ready | None = None
    refused: str | None = None
    module: str = ""
    ask: int = 0
    pid: int = 0
    stale: str | None = None
    failed: str | None = None
    exited: int = 0
    status: int = 0


class StartsThreads(Unforkable):
    """A preloaded module that cannot be; its name, empty where none that was asked for is to blame."""

    def __init__(self, module: str) -> None:
        super().__init__("its environment starts threads when ipykernel is imported")
        self.module = module


class ForkServer:
    """One process that forks. Making it starts the process; :meth:`close` must be awaited."""

    def __init__(
        self, interpreter: Interpreter, environ: Mapping[str, str], preload: Sequence[str], times: ForkTimes
    ) -> None:
        self.environ = environ
        self._times = times
        self._loop = asyncio.get_running_loop()
        self._output = OutputTail()
        self._asks = 0
        self._waiting: dict[int, asyncio.Future[ForkedProcess]] = {}
        self._children: dict[int, ForkedProcess] = {}
        self._ready: asyncio.Future[Ready] = self._loop.create_future()
        self._retired = False
        self._idle: asyncio.TimerHandle | None = None
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(0)
        try:
            self._process = self._popen(interpreter, theirs, preload)
        except BaseException:
            self._channel.close()
            self._output.close()
            raise
        finally:
            theirs.close()
            self._output.close_writer()
        self._loop.add_reader(self._channel, self._receive)
        self._watcher = asyncio.create_task(self._watch(), name=f"fork server {self._process.pid}")

    def _popen(
        self, interpreter: Interpreter, theirs: socket.socket, preload: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        program = (fork_server_process.__file__, str(theirs.fileno()), ",".join(preload), _ROOM)
        process = subprocess.Popen(
            [*interpreter.argv, *program],
            env=self.environ,
            cwd=os.sep,
            stdin=subprocess.PIPE,
            stdout=self._output.writer,
            stderr=self._output.writer,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        # As a kernel's own, and not the null device, which Python has other objects for.
        assert process.stdin is not None
        process.stdin.close()
        return process

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def is_serving(self) -> bool:
        """Whether another kernel may be asked of it."""
        return not self._retired

    async def ready(self) -> Ready:
        """Wait until it has imported everything; :class:`Unforkable` says why it never will."""
        try:
            async with deadlines.timeout(self._times.ready_within):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            self._kill()
            raise Unforkable(f"its fork server was not ready within {self._times.ready_within:g} s") from None

    async def fork(self, launch: Launch) -> ForkedProcess:
        """Fork a kernel; it runs on only once this has returned.

        :class:`Unforkable` where it is not to be had, :class:`Stale` where a fresh server is needed.
        """
        self._asks += 1
        number = self._asks
        answer: asyncio.Future[ForkedProcess] = self._loop.create_future()
        waits, go = os.pipe()
        self._waiting[number] = answer
        try:
            self._ask(number, launch, waits)
            async with deadlines.timeout(self._times.answer_within):
                process = await answer
            os.write(go, b"+")
            return process
        except TimeoutError:
            self._kill()
            raise Unforkable(
                f"its fork server did not answer within {self._times.answer_within:g} s"
            ) from None
        except BaseException:
            # Whoever was forked meanwhile ends by itself, since the word to go on never comes.
            _discard(answer)
            raise
        finally:
            self._waiting.pop(number, None)
            self._use()
            os.close(waits)
            os.close(go)

    def _ask(self, number: int, launch: Launch, waits: int) -> None:
        request = {
            "ask": number,
            "argv": launch.argv,
            "env": launch.env,
            "cwd": launch.cwd,
            "mark": launch.mark,
        }
        try:
            socket.send_fds(
                self._channel, [json.dumps(request).encode()], [launch.output, launch.output, waits]
            )
        except OSError as error:
            raise Unforkable(f"its fork server cannot be asked: {error}") from error

    def _receive(self) -> None:
        """Take in everything that has come."""
        while self._channel.fileno() >= 0:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._channel, _LARGEST, 1)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._hang_up()
                return
            self._take_in(msgspec.json.decode(message, type=_Told), descriptors)

    def _take_in(self, told: _Told, descriptors: list[int]) -> None:
        if told.ready is not None and not self._ready.done():
            self._ready.set_result(told.ready)
            self._use()
        elif told.refused is not None:
            self._fail(StartsThreads(told.module))
        elif told.exited:
            self._note_exit(told.exited, told.status)
        elif told.ask:
            self._note_answer(told, descriptors)

    def _note_answer(self, told: _Told, descriptors: list[int]) -> None:
        answer = self._waiting.get(told.ask)
        process = ForkedProcess(told.pid, descriptors[0]) if told.pid and descriptors else None
        if process is not None:
            self._children[told.pid] = process
            self._use()
        if answer is None or answer.done():
            if process is not None:
                process.close()
        elif process is not None:
            answer.set_result(process)
        elif told.stale is not None:
            self.retire()
            answer.set_exception(Stale(told.stale))
        else:
            answer.set_exception(
                Unforkable(f"it could not be forked: {told.failed or 'no descriptors are left'}")
            )

    def _note_exit(self, pid: int, status: int) -> None:
        process = self._children.pop(pid, None)
        if process is not None:
            process.note_status(status)
        self._use()

    def _use(self) -> None:
        """Count the time without a kernel anew; a server that is retired ends with its last kernel."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._children or self._waiting:
            return
        if self._retired:
            self._hang_up()
        else:
            self._idle = self._loop.call_later(self._times.idle_after, self.retire)

    def retire(self) -> None:
        """Be asked for no more kernels, and end once the last one has."""
        self._retired = True
        self._use()

    def _hang_up(self) -> None:
        """Tell the process to end, or note that it has."""
        self._retired = True
        if self._idle is not None:
            self._idle.cancel()
        if self._channel.fileno() >= 0:
            self._loop.remove_reader(self._channel)
            self._channel.close()

    def _kill(self) -> None:
        self._retired = True
        if self._process.returncode is None:
            self._process.kill()

    def _fail(self, error: Unforkable) -> None:
        """Tell all who wait for this server."""
        waiting: list[asyncio.Future[Ready] | asyncio.Future[ForkedProcess]] = [
            self._ready,
            *self._waiting.values(),
        ]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                # Nobody may be waiting any more.
                future.exception()

    async def _watch(self) -> None:
        try:
            await wait_for_exit(self._process.pid)
        except OSError:
            # No descriptor is to be had.
            await asyncio.to_thread(self._process.wait)
        status = self._process.wait()
        self._receive()
        self._hang_up()
        self._output.close()
        last_words = self._output.text(lines=1)
        self._fail(Unforkable(f"its fork server ended with status {status}: {last_words or 'no words'}"))
        for process in self._children.values():
            process.note_orphaned()
        self._children.clear()

    async def close(self) -> None:
        """End the process, if it has not ended; its kernels, if there are any, live on."""
        self._hang_up()
        await asyncio.wait({self._watcher}, timeout=_END_WITHIN)
        self._kill()
        await asyncio.wait({self._watcher})

    async def ended(self) -> None:
        """Wait for the process's end."""
        await asyncio.wait({self._watcher})


def _discard(answer: asyncio.Future[ForkedProcess]) -> None:
    if answer.done() and not answer.cancelled() and answer.exception() is None:
        answer.result().close()
