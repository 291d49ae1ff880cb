"""A gateway as its host starts it, in a process of its own.

Its orders come as one line on standard input, which stays open as long as the host is there. On standard
output it writes one line once it serves: see :class:`kernelway.host.supervisor.Announcement`. It ends on
SIGTERM, and when its input ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import BinaryIO

import msgspec

from kernelway import __version__, logs
from kernelway.gateway.orders import Orders, decode_orders
from kernelway.gateway.remote_host import RemoteHost
from kernelway.gateway.running import beat, running
from kernelway.host.supervisor import Announcement
from kernelway.protocol.errors import KernelwayError
from kernelway.transport.loop import run_loop
from kernelway.transport.memory import give_back_large_pieces

_MARGIN = 60.0
"""Seconds that a host may take for a request beyond the start and the end of a kernel."""


def main() -> int:
    """Serve until the host says to end, or is gone; the exit status."""
    # A Ctrl-C is for the host to judge.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_back_large_pieces()
    with _own_output() as output:
        orders = decode_orders(sys.stdin.buffer.readline())
        settings = orders.settings
        logs.configure(level=settings.log_level, format_=settings.log_format, secrets=[orders.token or ""])
        try:
            run_loop(_serve(orders, output))
        except KernelwayError as error:
            _announce(output, Announcement(version=__version__, failed=str(error)))
            return 1
    return 0


def _own_output() -> BinaryIO:
    """Standard output, for the announcement alone: what else is written there goes to the log."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    if sys.stderr is None:
        # The host was started without one.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    else:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output


def _announce(output: BinaryIO, announcement: Announcement) -> None:
    output.write(msgspec.json.encode(announcement) + b"\n")


async def _serve(orders: Orders, output: BinaryIO) -> None:
    settings, ended = orders.settings, _end_of_service()
    patience = settings.kernel_start_timeout + 2 * settings.kernel_shutdown_wait + _MARGIN
    listener = socket.socket(fileno=orders.listener)
    async with (
        RemoteHost(orders.host_socket, patience=patience, beat=beat(settings)) as host,
        running(settings, host, listener, token=orders.token, shared=True),
    ):
        _announce(output, Announcement(version=__version__))
        await ended.wait()


def _end_of_service() -> asyncio.Event:
    """Set on SIGTERM, and when the host's end of standard input is gone."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = sys.stdin.fileno()

    def heard() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            ended.set()

    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(descriptor, heard)
    return ended
