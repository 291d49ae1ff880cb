"""What a bridge has its gateway do, in the place of a kernel that would do it itself."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import Final

from kernelway.client import Gateway
from kernelway.client.link import Link
from kernelway.client.link_status import LinkStatus
from kernelway.protocol.errors import NotFound
from kernelway.protocol.models import KernelId, RestSessionId
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_DELIVERED_WITHIN: Final = 1.0
"""Seconds that an interrupt waits for what was sent before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The kernel of a bridge, and its session if it has one."""

    gateway: Gateway
    where: str
    """What people call the gateway."""
    kernel_id: KernelId
    session_id: RestSessionId | None = None


async def interrupt(target: Target, link: Link) -> None:
    """Interrupt the kernel; what was asked before is interrupted, too, where it comes to the kernel soon."""
    with contextlib.suppress(TimeoutError):
        async with deadlines.timeout(_DELIVERED_WITHIN):
            await link.delivered()
    await target.gateway.rest.interrupt_kernel(target.kernel_id)


async def restart(target: Target) -> None:
    """Start the kernel anew."""
    await target.gateway.rest.restart_kernel(target.kernel_id)


async def shut_down(target: Target) -> None:
    """End the kernel and its session; that they are gone already is no error."""
    with contextlib.suppress(NotFound):
        if target.session_id is None:
            await target.gateway.rest.shutdown_kernel(target.kernel_id)
        else:
            await target.gateway.rest.close_session(target.session_id)


async def tell_of_breaks(link: Link, where: str) -> None:
    """Log when the link breaks and when it is back, once each, until it is gone."""
    broken = False
    async for event in link.events():
        if event.status is LinkStatus.RECONNECTING and not broken:
            broken = True
            log.warning("The connection to %s is lost, and tried for again: %s", where, event.reason)
        elif event.status is LinkStatus.CONNECTED and broken:
            broken = False
            log.warning("The connection to %s is back.", where)
