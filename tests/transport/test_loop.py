"""The search for garbage in processes of our own."""

from __future__ import annotations

import gc
import subprocess
import sys

from kernelway.transport.loop import run_loop

_PROGRAM = """
import gc
{before}
from kernelway.transport.loop import run_loop

async def told():
    return gc.isenabled(), gc.get_freeze_count() > 0

print(*run_loop(told()))
"""


def told(before: str) -> str:
    command = [sys.executable, "-c", _PROGRAM.format(before=before)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_it_begins_with_the_loop_and_leaves_out_what_was_loaded_before() -> None:
    assert told("gc.disable()") == "True True"


def test_who_has_not_turned_it_off_keeps_it_as_it_is() -> None:
    assert told("") == "True False"


async def _answer() -> int:
    return 42


def test_a_loop_gives_what_its_coroutine_returns() -> None:
    frozen = gc.get_freeze_count()
    assert run_loop(_answer()) == 42
    assert gc.get_freeze_count() == frozen
