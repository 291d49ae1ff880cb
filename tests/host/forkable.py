"""An ``ipykernel`` that is imported at once, and kernels of it that run what they are told and are over."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from kernelway.host.fork_server import Launch
from kernelway.host.forked_process import ForkedProcess

DEADLINE = 30.0

SLEEP = "import time; time.sleep(600)"


def make_modules(folder: Path) -> Path:
    """A folder with such an ``ipykernel``, to be the ``PYTHONPATH``."""
    (folder / "ipykernel").mkdir(parents=True)
    (folder / "ipykernel" / "__init__.py").touch()
    (folder / "ipykernel" / "kernelapp.py").touch()
    (folder / "ipykernel_launcher.py").write_text("import sys\nexec(sys.argv[1])")
    return folder


def environ_with(modules: Path, **variables: str) -> dict[str, str]:
    """This process's environment, with those modules."""
    return {**os.environ, "PYTHONPATH": str(modules), **variables}


def launch_of(modules: Path, code: str, output: int, **changes: Any) -> Launch:
    """A kernel that runs the code."""
    told = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", code],
        "env": environ_with(modules),
        "cwd": "/",
        "mark": "KERNELWAY_KERNEL_ID=a",
        "output": output,
    }
    return Launch(**{**told, **changes})


async def status_of(process: ForkedProcess) -> int | None:
    """Wait for a process's end; its status."""
    async with asyncio.timeout(DEADLINE):
        status = await process.exited()
    process.close()
    return status
