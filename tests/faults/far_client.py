"""``python -m tests.faults.far_client URL TOKEN EXECUTIONS LINES PINGS``: our client in its own process.

It starts a kernel, has it count, and checks that everything came once; PINGS are the seconds after which it
pings, and within which it wants an answer. Lines of JSON tell each state of the link, and what has come, with
the moment on the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.faults.load import Counted

from kernelway.client import Gateway, Kernel


def tell(**facts: object) -> None:
    """Write a line."""
    sys.stdout.write(json.dumps({"at": time.monotonic(), **facts}) + "\n")
    sys.stdout.flush()


async def tell_links(kernel: Kernel) -> None:
    """Write each state of the link as it comes."""
    async for state in kernel.link_events():
        tell(link=str(state.status))


async def work(url: str, token: str, executions: int, lines: int, pings: float) -> None:
    """Do it all once."""
    async with Gateway(url, token=token, ping_after=pings, pong_within=pings) as gateway:
        kernel = await gateway.start_kernel("small")
        telling = asyncio.create_task(tell_links(kernel))
        counted = Counted(
            kernel, lines, seen=lambda number: tell(number=number) if number % 50 == 0 else None
        )
        await counted.run(executions)
        await counted.check()
        telling.cancel()
        tell(done=len(counted.numbers))
        await kernel.shutdown()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
