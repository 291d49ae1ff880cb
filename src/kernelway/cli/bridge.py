"""``kernelway bridge``: a kernel of a gateway, for clients that know ZeroMQ alone."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kernelway import logs
from kernelway.bridge.connection import new_connection, read_connection, write_connection
from kernelway.bridge.sockets import Ends, bind
from kernelway.cli.main import FAILED
from kernelway.cli.sentences import say
from kernelway.settings import LogFormat, LogLevel
from kernelway.transport.loading import load_aiohttp
from kernelway.transport.loop import run_loop

if TYPE_CHECKING:
    from kernelway.bridge.bridging import Bridge
    from kernelway.cli.finding import Running
    from kernelway.cli.opening import Order
    from kernelway.cli.places import Place, SavedPlaces

log = logging.getLogger(__name__)

TERMINATED: Final = 143
"""The exit status of what SIGTERM ended."""


def bridge_start(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Start a kernel for the client that starts this command, and serve it; the exit status."""
    # A Ctrl-C is meant for the client at that terminal, which asks for an interrupt in a message.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    file: Path = given.file
    with _bound(file, kernel_name=given.kernel or "") as ends:
        _load()
        from kernelway.cli.opening import Order, environment_from

        order = Order(
            on=given.on,
            kernel=given.kernel,
            shared=True,
            cwd=given.cwd,
            env=environment_from(given.env, environ),
        )
        return run_loop(_start(ends, file, order, given.lease or None, environ))


def bridge_session(wanted: str, *, on: str | None, file: Path | None, environ: Mapping[str, str]) -> int:
    """Serve a session that runs; the exit status."""
    _load()
    return run_loop(_session(wanted, on, file or _runtime_file(), environ))


def _load() -> None:
    load_aiohttp()
    logs.configure(level=LogLevel.WARNING, format_=LogFormat.TEXT)


@contextmanager
def _bound(file: Path, *, kernel_name: str) -> Iterator[Ends]:
    """The sockets that a connection file names, or it names then; a new one goes with them."""
    found = read_connection(file)
    removes = found is None
    wanted = found or new_connection()
    ends = bind(wanted)
    try:
        if ends.connection != found:
            write_connection(file, ends.connection, kernel_name=kernel_name)
        yield ends
    finally:
        if removes:
            file.unlink(missing_ok=True)
        ends.close()


def _runtime_file() -> Path:
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir()) / f"kernel-{secrets.token_hex(6)}.json"


async def _start(
    ends: Ends, file: Path, order: Order, lease: float | None, environ: Mapping[str, str]
) -> int:
    from kernelway.bridge.bridging import Bridge
    from kernelway.bridge.parent import parent_named, watching

    bridge = Bridge(ends, owns=True)
    bridge.listen()
    with _told_to_end(bridge, {signal.SIGTERM: TERMINATED, signal.SIGHUP: TERMINATED}):
        async with watching(parent_named(environ), lambda: _orphaned(bridge)):
            return await bridge.run(_start_and_serve(bridge, file, order, lease, environ))


async def _start_and_serve(
    bridge: Bridge, file: Path, order: Order, lease: float | None, environ: Mapping[str, str]
) -> int:
    from kernelway.bridge.orders import Target
    from kernelway.bridge.starting import Wanted, handed_on, name_for, start
    from kernelway.cli.opening import place_for, working_folder
    from kernelway.cli.places import LOCAL

    async with place_for(order, _places(environ)) as (place, known):
        wanted = Wanted(
            file=file,
            kernel=known.kernel,
            name=name_for(file, environ),
            cwd=working_folder(place, known),
            env={**handed_on(environ), **known.env},
            lease=lease,
        )
        kernel_id, session_id = await start(place.gateway, wanted)
        target = Target(
            gateway=place.gateway, where=place.name or LOCAL, kernel_id=kernel_id, session_id=session_id
        )
        return await bridge.serve(target, everything=True)


def _places(environ: Mapping[str, str]) -> SavedPlaces:
    from kernelway.cli.places import SavedPlaces

    places = SavedPlaces(environ)
    if places.warning:
        log.warning("%s", places.warning)
    return places


async def _session(wanted: str, on: str | None, file: Path, environ: Mapping[str, str]) -> int:
    from kernelway.cli.finding import Ended
    from kernelway.cli.kept import find_kept
    from kernelway.protocol.errors import NotFound

    places = _places(environ)
    found = await find_kept(places, wanted, on=on, environ=environ)
    if isinstance(found, Ended):
        raise NotFound(f"{found.name} on {found.place} has ended: there is nothing to connect to.")
    with _bound(file, kernel_name=found.kernel.name) as ends:
        async with places.open(found.place) as place:
            return await _serve_session(ends, place, found, file)


async def _serve_session(ends: Ends, place: Place, found: Running, file: Path) -> int:
    from kernelway.bridge.bridging import Bridge
    from kernelway.bridge.orders import Target

    bridge = Bridge(ends, owns=False)
    bridge.listen()
    target = Target(
        gateway=place.gateway,
        where=found.place,
        kernel_id=found.kernel.id,
        session_id=found.session.id if found.session is not None else None,
    )
    with _told_to_end(bridge, {signal.SIGINT: 0, signal.SIGTERM: TERMINATED, signal.SIGHUP: TERMINATED}):
        return await bridge.run(bridge.serve(target, everything=False, linked=lambda: _tell_how(found, file)))


def _tell_how(found: Running, file: Path) -> None:
    say(
        f"{file}\n"
        f"{found.name} ({found.kernel.name}) on {found.place} can be used with that file until Ctrl-C; "
        "it goes on afterwards.\n"
        f"  jupyter console --existing {shlex.quote(str(file))}\n"
        "  Spyder: Consoles, Connect to an existing kernel, and the file above",
        stream=sys.stdout,
    )


def _orphaned(bridge: Bridge) -> None:
    log.warning("The client that started this bridge has ended; so does the bridge, and the kernel goes on.")
    bridge.end(FAILED)


@contextmanager
def _told_to_end(bridge: Bridge, statuses: Mapping[signal.Signals, int]) -> Iterator[None]:
    """End the bridge by these signals, each with its exit status, while the block is open."""
    loop = asyncio.get_running_loop()
    for number, status in statuses.items():
        loop.add_signal_handler(number, bridge.end, status)
    try:
        yield
    finally:
        for number in statuses:
            loop.remove_signal_handler(number)
