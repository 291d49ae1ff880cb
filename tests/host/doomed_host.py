"""``python -m tests.host.doomed_host FOLDER``: a host with kernels that have children, for a test to kill.

It prints one line of JSON once everything runs, and then waits.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import uvloop
from tests.host.talk import LIMITS, talk_to
from tests.support.processes import until

from kernelway.host.host import Host, HostOptions
from kernelway.protocol.models import StartKernel

PYTHON = """
import os, subprocess
children = [
    subprocess.Popen(["setsid", "sleep", "600"]),
    subprocess.Popen(["env", "-i", "sleep", "600"]),
]
text = " ".join(str(pid) for pid in (os.getpid(), *(child.pid for child in children)))
"""

BASH = "(setsid sleep 600 & a=$!; env -i sleep 600 & echo $PPID $a $!)"

CODE = {"small": PYTHON + "show(text)", "python3": PYTHON + "print(text)", "bash": BASH}


async def main(folder: Path) -> None:
    environ = dict(os.environ)
    options = HostOptions(folder=folder, home=Path("/"), environ=environ, limits=LIMITS, fork=True, warm=1)
    async with Host(options) as host:
        # However little memory there is: one has to wait here.
        host._pool._rules = replace(host._pool._rules, has_memory=lambda: True)
        models = await asyncio.gather(*(host.start_kernel(StartKernel(name=name)) for name in CODE))
        pids: list[int] = []
        for model in models:
            talk = await talk_to(host, model.id)
            pids += map(int, (await talk.run(CODE[model.name])).text.split())
        await until(lambda: _one_waits(host, pids))
        assert host._forks is not None
        pids += [server.pid for server in host._forks._servers]
        report = {"pids": pids, "folder": str(folder), "guard": host._guard.pid}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


async def _one_waits(host: Host, pids: list[int]) -> bool:
    """Whether there is a kernel that nobody has asked for; then its process is one of those that are told."""
    for shelf in host._pool._shelves.values():
        pids += [process.pid for warm in shelf.kernels if (process := warm.run._local_process())]
    return host._pool.ready == 1


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
