"""A journal of which some bytes on the disk are not what was written."""

from __future__ import annotations

import asyncio

from tests.faults.conftest import Note
from tests.faults.load import kept, run
from tests.faults.serving import Serving
from tests.support.processes import until

COUNT = 16_000

_SHOW = """
for i in range({count}):
    show(f"{{i:<2000}}\\n")
"""


async def test_what_is_damaged_is_told_as_a_hole_and_the_rest_is_read(serving: Serving, note: Note) -> None:
    with serving.running() as running:
        async with running.client() as gateway, asyncio.timeout(100):
            kernel = await gateway.start_kernel("small")
            assert (await run(kernel, _SHOW.format(count=COUNT))).status == "ok"
            folder = serving.state / "journals" / kernel.id

            async def several() -> bool:
                return len(list(folder.glob("*.journal"))) > 2

            await until(several)
            first = min(folder.glob("*.journal"))
            with first.open("r+b") as file:
                file.seek(first.stat().st_size // 2)
                file.write(b"something else")
            numbers, holes = await kept(gateway, kernel.id)
            assert (await run(kernel, "show(1)")).status == "ok"
            await kernel.shutdown()
        log = running.process.text
    assert holes
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    assert numbers[-1] == COUNT - 1
    assert sum(hole.messages or 0 for hole in holes) == COUNT - len(numbers)
    assert str(first) in log
    note("outputs that are read", f"{len(numbers)} of {COUNT}")
    note("holes", "; ".join(f"{hole.messages}: {hole.reason}" for hole in holes))
