"""Work for a kernel whose every output is numbered, and what shows whether all of it arrived once."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kernelway.client import Execution, Gateway, Kernel
from kernelway.protocol.execution import ExecuteReply, Output, Stream, output_of
from kernelway.protocol.link_framing import Hole
from kernelway.protocol.models import KernelId

WAITING = 8
"""Executions that are under way at a time."""

_FIRST = "counter = 0"

_CELL = """
import time
for i in range({lines}):
    show(f"{{counter * {lines} + i}}\\n")
    time.sleep({pause})
counter += 1
"""


@dataclass(slots=True)
class Counted:
    """Executions of ``counter += 1``, each with as many numbered outputs, one after the other.

    A request that ran twice or never, an output that is missing, came twice or in another order: each of
    them leaves another list of numbers than that of :meth:`check`.
    """

    kernel: Kernel
    lines: int
    """Outputs of each execution."""
    pause: float = 0.0
    """Seconds between outputs."""
    seen: Callable[[int], None] = lambda _: None
    """Called with each number as it comes."""
    numbers: list[int] = field(default_factory=list)
    executions: int = 0
    _under_way: deque[Execution] = field(default_factory=deque)

    async def run(self, executions: int, *, until: asyncio.Event | None = None) -> None:
        """Execute so often, and then on until the event is set."""
        assert (await run(self.kernel, _FIRST)).status == "ok"
        while self.executions < executions or (until is not None and not until.is_set()):
            self._under_way.append(self.kernel.execute(_CELL.format(lines=self.lines, pause=self.pause)))
            self.executions += 1
            if len(self._under_way) == WAITING:
                await self._read_one()
        while self._under_way:
            await self._read_one()

    async def check(self) -> None:
        """Every number came once and in order, and the kernel has counted each execution once."""
        expected = list(range(self.executions * self.lines))
        assert self.numbers == expected, difference(self.numbers, expected)
        assert await text_of(self.kernel, "show(counter)") == str(self.executions)

    async def _read_one(self) -> None:
        execution = self._under_way.popleft()
        async for output in execution:
            for number in numbers_in(output):
                self.numbers.append(number)
                self.seen(number)
        assert (await execution.reply).status == "ok"


def numbers_in(output: Output) -> list[int]:
    """The numbers of one output, which has one in each line."""
    if not isinstance(output, Stream) or output.name != "stdout":
        return []
    return [int(line) for line in output.text.split()]


def difference(numbers: list[int], expected: list[int]) -> str:
    """What is wrong with numbers that are not the expected ones, in a sentence that can be read."""
    counts = Counter(numbers)
    missing = [number for number in expected if number not in counts]
    repeated = [number for number, count in counts.items() if count > 1]
    strange = sorted(set(counts) - set(expected))
    return (
        f"{len(numbers)} numbers for {len(expected)}: {len(missing)} missing {missing[:5]}, {len(repeated)} "
        f"more than once {repeated[:5]}, {len(strange)} that were not sent {strange[:5]}, "
        f"{'in order' if numbers == sorted(numbers) else 'not in order'}"
    )


async def run(kernel: Kernel, code: str) -> ExecuteReply:
    """Run code; its reply."""
    execution = kernel.execute(code)
    async for _ in execution:
        pass
    return await execution.reply


async def text_of(kernel: Kernel, code: str) -> str:
    """What the code writes."""
    execution = kernel.execute(code)
    text = "".join([output.text async for output in execution if isinstance(output, Stream)])
    reply = await execution.reply
    assert reply.status == "ok", reply
    return text


async def kept(gateway: Gateway, kernel_id: KernelId) -> tuple[list[int], list[Hole]]:
    """The numbers that a kernel's journal has, in its order, and what it has not."""
    numbers: list[int] = []
    holes: list[Hole] = []
    async with gateway.log(kernel_id) as log:
        async for entry in log:
            if entry.hole is not None:
                holes.append(entry.hole)
            elif entry.message is not None and entry.message.read_header().msg_type == "stream":
                output = output_of("stream", entry.message.read_content(), entry.message)
                numbers += [] if output is None else numbers_in(output)
    return numbers, holes
