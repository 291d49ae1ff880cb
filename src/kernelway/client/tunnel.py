"""The way to a gateway through the system's own ssh, made again whenever it breaks.

    connecting ──ssh forwards──> up ──ssh ends──> connecting (after a pause, where it had just begun)
        └──────ssh ends, or takes too long──────> failed ──a pause──> connecting

Who needs the way waits while it is being made, and is told of the failure at once where that failed.

ssh says itself when it forwards: it runs its ``LocalCommand`` once it has logged in and its forwards listen,
and that command writes a line on the standard output that we read. Nothing is polled.

A forward ends in a Unix socket of a fresh folder that only this user may enter. Where that cannot carry the
connection (aiohttp speaks no TLS on Unix sockets, and Windows has none to forward) it ends in a port of
127.0.0.1: other users of this machine can then reach that port too, as they can any local server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kernelway.client.answers import plain
from kernelway.client.options import SshDestination
from kernelway.protocol.errors import ConfigError, TimedOut, TunnelFailed
from kernelway.transport import deadlines

_log = logging.getLogger(__name__)

READY_TIMEOUT: Final = 30.0
"""Seconds that ssh may take to connect, log in and forward."""

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0
_ENDING: Final = 5.0
"""Seconds for ssh to end when asked to, before it is killed."""

_STEADY: Final = 10.0
"""Seconds of forwarding after which the next attempt is made at once."""

_LAST_WORDS: Final = 1.0
"""Seconds to wait for the end of ssh's stderr once ssh has ended."""

_MOST_WORDS: Final = 1500
"""Bytes of ssh's stderr that are kept: its last ones, which tell why it ended."""

_READY: Final = "kernelway-tunnel-ready"

_FIXED: Final = (
    *("-N", "-T", "-x", "-a"),
    # Nobody is there to type a password, and the terminal belongs to somebody else.
    *("-o", "BatchMode=yes"),
    *("-o", "ExitOnForwardFailure=yes"),
    *("-o", "ConnectTimeout=10"),
    # A dead link is noticed after three of these, 45 seconds.
    *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"),
    *("-o", "StreamLocalBindUnlink=yes", "-o", "StreamLocalBindMask=0177"),
    # A shared connection would outlive us with our forward in it, and would not run LocalCommand.
    *("-o", "ControlMaster=no", "-o", "ControlPath=none"),
    *("-o", "RemoteCommand=none"),
    # Why a forwarded connection failed is told at this level, which a person's own settings may have hidden.
    *("-o", "LogLevel=INFO"),
    *("-o", "PermitLocalCommand=yes", "-o", f"LocalCommand=echo {_READY}"),
)


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """Where the tunnel begins: a Unix socket, or a port of 127.0.0.1."""

    path: Path | None = None
    port: int | None = None


class _State(Enum):
    CONNECTING = "connecting"
    UP = "up"
    FAILED = "failed"


class Tunnel:
    """A local end of what ``remote`` names on, or as seen from, the machine that ssh logs in to.

    ``remote`` is the path of a Unix socket there (it begins with a slash) or ``host:port``, an IPv6 host in
    brackets. Entering waits until ssh forwards, and raises :class:`TunnelFailed` with ssh's own words where
    it does not. Leaving ends ssh and waits for its end. ``command`` is ssh and any options before ours.
    """

    def __init__(
        self,
        destination: SshDestination,
        *,
        remote: str,
        over_unix: bool = True,
        command: Sequence[str] = ("ssh",),
    ) -> None:
        if remote.startswith("/") and any(char in remote for char in ":\\%$"):
            raise ConfigError(
                f"The socket {remote!r} cannot be named to ssh, for which : \\ % $ mean something."
            )
        self._destination = destination
        self._remote = remote
        self._over_unix = over_unix and sys.platform != "win32"
        self._command = tuple(command)
        self._folder: Path | None = None
        self._local = LocalEnd()
        self._state = _State.CONNECTING
        self._settled = asyncio.Event()
        self._words = bytearray()
        self._failure = ""
        self._keeper: asyncio.Task[None] | None = None

    @property
    def words(self) -> str:
        """What ssh has written to its stderr lately, such as why it could not reach the remote port."""
        return plain(self._words.decode("utf-8", "replace"))

    async def __aenter__(self) -> Self:
        if self._over_unix:
            # mkdtemp makes the folder 0700, so the socket in it is nobody else's.
            self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="kernelway-"))
        self._keeper = asyncio.create_task(self._keep_up(), name=f"ssh to {self._destination}")
        self._keeper.add_done_callback(self._give_up)
        try:
            await self.ready(deadline=READY_TIMEOUT + _ENDING + _LAST_WORDS)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def ready(self, *, deadline: float) -> LocalEnd:
        """Where to connect to, once ssh forwards; :class:`TunnelFailed` where its last attempt failed.

        An attempt under way is waited for, ``deadline`` seconds at most; then it is :class:`TimedOut`.
        """
        try:
            async with deadlines.timeout(deadline):
                while self._state is _State.CONNECTING:
                    await self._settled.wait()
        except TimeoutError:
            raise TimedOut(
                f"The tunnel through ssh to {self._destination} broke, and was not there again within "
                f"{deadline:g} seconds. {self.words}".rstrip()
            ) from None
        if self._state is _State.FAILED:
            raise TunnelFailed(self._failure)
        return self._local

    async def _end(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _give_up(self, keeper: asyncio.Task[None]) -> None:
        """Let nobody wait for a tunnel that nobody makes any more."""
        self._fail(f"The tunnel through ssh to {self._destination} is closed.")
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            _log.error("The tunnel to %s failed.", self._destination, exc_info=error)

    async def _keep_up(self) -> None:
        pauses = _pauses()
        while True:
            self._settle(_State.CONNECTING)
            lasted = await self._run_once()
            if lasted is not None:
                self._settle(_State.CONNECTING)
                if lasted >= _STEADY:
                    pauses = _pauses()
                    continue
            # Nothing tells when a machine can be reached again, so the only event is time. The pauses grow,
            # for a whole lab's editors may be waiting for the same machine.
            await asyncio.sleep(next(pauses))

    async def _run_once(self) -> float | None:
        """Run ssh until it ends, and tell how many seconds it forwarded, or None where it never did."""
        self._local = self._new_local_end()
        self._words.clear()
        try:
            process = await self._start()
        except OSError as error:
            self._fail(
                f"The program {self._command[0]} cannot be started ({error.strerror}): install OpenSSH's "
                "client (Debian's package is openssh-client)."
            )
            return None
        assert process.stdout is not None
        assert process.stderr is not None
        listener = asyncio.create_task(self._listen(process.stderr), name=f"stderr of ssh {process.pid}")
        lasted: float | None = None
        try:
            if await self._is_ready(process.stdout):
                self._settle(_State.UP)
                since = asyncio.get_running_loop().time()
                await process.wait()
                lasted = asyncio.get_running_loop().time() - since
        finally:
            await _end(process)
            # What ssh has started may hold its stderr open for longer than ssh lives.
            await asyncio.wait([listener], timeout=_LAST_WORDS)
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
        if lasted is None:
            self._fail(self._why(process.returncode))
        return lasted

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._arguments(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal is for the kernel, and must not reach ssh.
            start_new_session=True,
        )

    async def _is_ready(self, stdout: asyncio.StreamReader) -> bool:
        try:
            async with deadlines.timeout(READY_TIMEOUT):
                await stdout.readuntil(_READY.encode("ascii"))
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return False
        return True

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(_MOST_WORDS):
            self._words += chunk
            del self._words[:-_MOST_WORDS]

    def _arguments(self) -> list[str]:
        destination = self._destination
        local = self._local.path or f"127.0.0.1:{self._local.port}"
        arguments = [*self._command, *_FIXED, "-L", f"{local}:{self._remote}"]
        if destination.port is not None:
            arguments += ["-p", str(destination.port)]
        if destination.user is not None:
            arguments += ["-l", destination.user]
        return [*arguments, "--", destination.host]

    def _new_local_end(self) -> LocalEnd:
        if self._folder is not None:
            return LocalEnd(path=self._folder / "s")
        with socket.socket() as probe:
            # ssh cannot be asked to choose a port. Should another process take this one in between, ssh ends
            # because its forward fails, and the next attempt has another port.
            probe.bind(("127.0.0.1", 0))
            return LocalEnd(port=probe.getsockname()[1])

    def _settle(self, state: _State) -> None:
        self._state = state
        if state is _State.CONNECTING:
            self._settled.clear()
        else:
            self._settled.set()

    def _fail(self, why: str) -> None:
        self._failure = why
        self._settle(_State.FAILED)

    def _why(self, returncode: int | None) -> str:
        said = self.words or f"it said nothing, and ended with status {returncode}"
        return (
            f"ssh could not make the tunnel to {self._destination}: {said.rstrip('.')}. "
            f"`ssh {_typed(self._destination)}` must log in without a question; try it in a terminal."
        )


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _typed(destination: SshDestination) -> str:
    user = "" if destination.user is None else f"{destination.user}@"
    port = "" if destination.port is None else f"-p {destination.port} "
    return f"{port}{user}{destination.host}"


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with deadlines.timeout(_ENDING):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
