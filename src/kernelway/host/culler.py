"""Ending kernels that nobody has used for a while, where a person set such a limit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kernelway.host.kernel import Kernel
from kernelway.host.kernels import Kernels
from kernelway.protocol.errors import NotFound
from kernelway.protocol.models import ExecutionState
from kernelway.transport import deadlines

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CullRules:
    """When a kernel counts as abandoned; the names and meanings are jupyter_server's. Times in seconds."""

    idle_timeout: float = 0.0
    """Zero or less: never."""
    interval: float = 300.0
    connected: bool = False
    """Cull kernels with clients too."""
    busy: bool = False
    """Cull kernels that are executing too."""


def abandoned(kernels: Iterable[Kernel], rules: CullRules, now: datetime) -> list[Kernel]:
    """The kernels to end now, by the rules."""
    if rules.idle_timeout <= 0:
        return []
    limit = now - timedelta(seconds=rules.idle_timeout)
    return [
        kernel
        for kernel in kernels
        if kernel.last_activity < limit
        and (rules.connected or not kernel.attachments)
        and (rules.busy or kernel.state is not ExecutionState.BUSY)
        # A start has a limit of its own, and some take longer than people leave kernels idle.
        and kernel.state not in (ExecutionState.STARTING, ExecutionState.RESTARTING)
    ]


async def cull(kernels: Kernels, rules: CullRules, stopping: asyncio.Event) -> None:
    """Look every ``interval`` seconds, until ``stopping`` is set."""
    while rules.idle_timeout > 0:
        with contextlib.suppress(TimeoutError):
            async with deadlines.timeout(rules.interval):
                await stopping.wait()
                return
        idle = abandoned(kernels, rules, datetime.now(UTC))
        # All at once: one that takes long to end gives the others no time to be used again.
        ends = await asyncio.gather(
            *(_end(kernels, kernel, rules) for kernel in idle), return_exceptions=True
        )
        for error in filter(None, ends):
            log.error("An idle kernel did not end as it should: %s", error)


async def _end(kernels: Kernels, kernel: Kernel, rules: CullRules) -> None:
    log.warning("Kernel %s was idle for more than %g s and is ended.", kernel.id, rules.idle_timeout)
    with contextlib.suppress(NotFound):
        await kernels.shutdown(kernel.id)
