"""The one connection to a gateway, made when it is first needed and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from kernelway.client.gateway import Gateway
from kernelway.client.options import GatewayOptions
from kernelway.transport import deadlines

_CLOSES_WITHIN: Final = 10.0
"""Seconds for the connections, and the end of ssh, which has five of its own."""


class Entrance:
    """Enters the gateway of ``options`` once; what blocks in looking those up has a thread.

    Entering may take long (a person unlocks the keyring, ssh logs in): it goes on while nobody waits for it,
    and is not begun a second time meanwhile.
    """

    def __init__(self, name: str, options: Callable[[], GatewayOptions]) -> None:
        self._name = name
        self._options = options
        self._entering: asyncio.Task[Gateway] | None = None
        self._gateway: Gateway | None = None

    @property
    def gateway(self) -> Gateway | None:
        """The gateway, once it was entered."""
        return self._gateway

    async def open(self) -> Gateway:
        """The gateway, entered; cancelling stops waiting for it. After a failure another call tries again.

        Errors are those of looking up options, of a login and of ssh; without these nothing is sent.
        """
        if self._gateway is not None:
            return self._gateway
        if self._entering is None or self._entering.done():
            self._entering = asyncio.create_task(self._enter(), name=f"enter {self._name}")
            self._entering.add_done_callback(_looked_at)
        await asyncio.wait({self._entering})
        return self._entering.result()

    async def aclose(self) -> None:
        """Give entering up, and end the connections; no kernel ends."""
        if self._entering is not None:
            self._entering.cancel()
            await asyncio.wait({self._entering})
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            async with deadlines.timeout(_CLOSES_WITHIN):
                await gateway.__aexit__(None, None, None)

    async def _enter(self) -> Gateway:
        options = await asyncio.to_thread(self._options)
        gateway = await Gateway.from_options(options).__aenter__()
        self._gateway = gateway
        return gateway


def _looked_at(task: asyncio.Task[Gateway]) -> None:
    """Who waited may have gone by now; whoever asks next begins anew and is told."""
    if not task.cancelled():
        task.exception()
