"""``kernelway serve`` as a process of a test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
from tests.cli.conftest import Home
from tests.cli.console import KERNELWAY
from tests.support.processes import Process

DEADLINE = 30.0

ENDS_WITHIN = 15.0
"""Seconds for a gateway and its kernels to end, also while the machine is busy."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway; ``url`` is what it printed."""

    process: Process
    url: str

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        base, _, query = self.url.partition("?")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{base}{path}?{query}", data, timeout=DEADLINE) as answer:
            return json.load(answer)

    def start_kernel(self) -> str:
        kernel_id: str = self.call("api/kernels", {})["id"]
        return kernel_id

    def end(self, number: int = signal.SIGTERM) -> float:
        """Send the signal, and wait for the end; how many seconds it took."""
        began = time.monotonic()
        os.kill(self.process.pid, number)
        psutil.Process(self.process.pid).wait(ENDS_WITHIN)
        return time.monotonic() - began


@contextmanager
def serving(
    home: Home, *flags: str, program: tuple[str, ...] = KERNELWAY, **variables: str
) -> Iterator[Gateway]:
    command = [*program, "serve", "--state-dir", "state", "--kernel-shutdown-wait", "2", *flags]
    environ = {**home.environ, **variables}
    with Process(command, ready="Ctrl-C stops it", environ=environ, folder=home.work) as process:
        (url,) = re.findall(r" serves (\S+)", process.text)
        yield Gateway(process, url)


def child_of(gateway: Gateway) -> psutil.Process:
    (child,) = [
        each
        for each in psutil.Process(gateway.process.pid).children()
        if "kernelway.gateway" in each.cmdline()
    ]
    return child
