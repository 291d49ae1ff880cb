"""``kernelway serve``: run a gateway in the foreground, or in the background."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernelway import __version__, logs
from kernelway.gateway.service import Service, check, default_state_folder, listen, service
from kernelway.host.processes import ProcessIdentity
from kernelway.host.state import Serving, StateFolder
from kernelway.settings import Resolved, ServeSettings
from kernelway.transport import deadlines
from kernelway.transport.listening import unlink_path
from kernelway.transport.loop import run_loop
from kernelway.transport.memory import give_back_large_pieces

_ANSWER_WITHIN = 10.0
"""Seconds to answer whether kernels may end; no answer is a no."""


def serve(resolved: Resolved, environ: Mapping[str, str], *, ready_fd: int | None = None) -> int:
    """Serve until told to stop; the exit status.

    With ``ready_fd`` this is the background's half of ``--background``: what the terminal is to show goes
    there, and everything else to the log in the state folder.
    """
    settings = resolved.settings
    if ready_fd is not None:
        # Whoever waits for its end must not wait for what this process starts.
        os.set_inheritable(ready_fd, False)  # noqa: FBT003
    check(settings)
    give_back_large_pieces()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listening(settings))
        # As told to somebody who may be in another folder by then.
        path = (settings.state_dir or default_state_folder(listener)).absolute()
        state = stack.enter_context(StateFolder(path))
        token = None if settings.no_auth else settings.token or state.token()
        if ready_fd is not None:
            _write_to_log(path / "log")
        logs.configure(level=settings.log_level, format_=settings.log_format, secrets=[token or ""])

        async def run() -> None:
            # Before anybody is told of it, a signal might end it in the midst of its start.
            signals = _heed_signals()
            async with service(settings, listener, token=token, environ=environ, state=path) as serving:
                state.announce(
                    Serving(
                        ProcessIdentity.of(os.getpid()), serving.url, __version__, str(serving.host_socket)
                    )
                )
                lines = [
                    *_port_taken(settings, listener),
                    *_banner(serving, path, in_background=ready_fd is not None),
                ]
                _tell("\n".join(lines), ready_fd)
                await _until_stopped(serving, settings, signals)

        run_loop(run())
    return 0


@contextlib.contextmanager
def _listening(settings: ServeSettings) -> Iterator[socket.socket]:
    listener = listen(settings)
    try:
        yield listener
    finally:
        unlink_path(listener)
        listener.close()


def _port_taken(settings: ServeSettings, listener: socket.socket) -> Iterator[str]:
    if listener.family != socket.AF_UNIX and settings.port not in (0, listener.getsockname()[1]):
        yield f"Port {settings.port} is taken; this is the next free one:"


def _banner(serving: Service, path: Path, *, in_background: bool) -> Iterator[str]:
    yield f"Kernelway {__version__} serves {serving.url_with_token}"
    yield f"Its state is kept in {path}"
    if in_background:
        yield f"It runs in the background; 'kernelway stop --state-dir {path}' ends it and its kernels."
    else:
        yield "Ctrl-C stops it and ends its kernels."


def _tell(text: str, ready_fd: int | None) -> None:
    if ready_fd is None:
        print(text, flush=True)
        return
    with os.fdopen(ready_fd, "w", encoding="utf-8") as ready:
        ready.write(text + "\n")


def _write_to_log(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Signals:
    stop: asyncio.Event
    asked: asyncio.Event
    """A Ctrl-C, whose meaning may have to be asked for."""


def _heed_signals() -> _Signals:
    stop, asked = asyncio.Event(), asyncio.Event()
    _on_signal(signal.SIGTERM, stop.set)
    _on_signal(signal.SIGHUP, stop.set)
    # A second Ctrl-C, while the question of the first is open, is the answer.
    _on_signal(signal.SIGINT, lambda: stop.set() if asked.is_set() else asked.set())
    return _Signals(stop, asked)


async def _until_stopped(serving: Service, settings: ServeSettings, signals: _Signals) -> None:
    """Wait for SIGTERM, SIGHUP, a confirmed Ctrl-C, or for having been idle for long enough."""
    stopped, confirmed = signals.stop.wait(), _confirmed(serving, signals.asked)
    tasks: set[asyncio.Task[object]] = {asyncio.create_task(stopped), asyncio.create_task(confirmed)}
    if settings.stop_when_idle > 0:
        tasks.add(asyncio.create_task(serving.host.unused_for(settings.stop_when_idle)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _on_signal(number: signal.Signals, call: Callable[[], None]) -> None:
    # nohup, or a script that starts this beside itself, has it ignored: so it stays. Kernels would inherit
    # that, and could not be interrupted; a handler, which does nothing, is not inherited.
    ignored = signal.getsignal(number) is signal.SIG_IGN
    asyncio.get_running_loop().add_signal_handler(number, _ignore if ignored else call)


def _ignore() -> None:
    """Go on as before."""


async def _confirmed(serving: Service, asked: asyncio.Event) -> None:
    """Return once a Ctrl-C is meant: at once without kernels or without a terminal, else when confirmed."""
    while True:
        await asked.wait()
        kernels = await serving.host.kernels()
        if not kernels or sys.stdin is None or not sys.stdin.isatty():
            return
        names = ", ".join(f"{kernel.name} {kernel.id[:8]} ({kernel.execution_state})" for kernel in kernels)
        print(f"\nRunning: {names}\nEnd them and stop? [y/N, or Ctrl-C again] ", end="", flush=True)
        if await _answer() in ("y", "yes"):
            return
        print("It serves on.", flush=True)
        asked.clear()


async def _answer() -> str:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sys.stdin, readable.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with deadlines.timeout(_ANSWER_WITHIN):
                await readable.wait()
                return sys.stdin.readline().strip().lower()
    finally:
        loop.remove_reader(sys.stdin)
    print()
    return ""
