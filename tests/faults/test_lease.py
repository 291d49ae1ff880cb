"""A kernel's lease while the gateway dies and comes back."""

from __future__ import annotations

import asyncio

from tests.faults.serving import DEADLINE, Serving
from tests.support.processes import until

from kernelway.protocol.models import StartKernel


async def test_a_lease_is_kept_while_the_gateway_dies_and_comes_back(serving: Serving) -> None:
    with serving.running() as running:
        async with running.client() as gateway, asyncio.timeout(DEADLINE):
            leased = await gateway.rest.start_kernel(StartKernel(name="small", lease=1.5))
            other = await gateway.rest.start_kernel(StartKernel(name="small", lease=3600.0))
            died = await running.kill_gateway()
            await running.gateway(other_than=died)

            async def ended() -> bool:
                return bool(await gateway.ended())

            await until(ended, deadline=DEADLINE)
            [end] = await gateway.ended()
            assert end.id == leased.id
            assert end.reason == "Its lease of 1.5 s ran out: nobody was connected to it for so long."
            assert [kernel.id for kernel in await gateway.kernels()] == [other.id]
        running.process.until_text(f"Kernel {leased.id} is ended. Its lease")
