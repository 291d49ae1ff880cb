"""@jupyterlab/services, the client inside JupyterLab, through a cut and through the end of its gateway."""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from tests.faults.conftest import Note
from tests.faults.serving import TOKEN, Running, Serving
from tests.interop.node_program import install
from tests.support.relay import Relay

SERVICES = Path(__file__).parents[1] / "interop" / "services"

LINES = 300

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH"),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("protocol", ["v1", "default"])
async def test_jupyterlab_reconnects_by_itself_and_its_futures_complete(
    serving: Serving, note: Note, protocol: str
) -> None:
    install(SERVICES)
    with serving.running() as running:
        async with Relay(running.port) as relay, asyncio.timeout(120):
            lines, log = await through(running, relay, protocol)
    scenarios = [line for line in lines if "scenario" in line]
    assert len(scenarios) == 2, log
    for scenario in scenarios:
        assert scenario["ok"], f"{scenario['detail']}\n{log}"
    detail = scenarios[0]["detail"]
    assert relay.cuts >= 1
    assert detail["states"].count("connected") >= 2, detail
    note(f"{protocol}: lines after a cut and a kill", f"{detail['lines']} of {LINES}")
    note(f"{protocol}: repeats", detail["repeats"])


async def through(running: Running, relay: Relay, protocol: str) -> tuple[list[dict[str, Any]], str]:
    """Run the program, cut its connections and later kill its gateway; its lines, and what it logged."""
    arguments = {
        "base-url": running.base_url.replace(str(running.port), str(relay.port)),
        "token": TOKEN,
        "protocol": protocol,
        "token-placement": "url",
        "lines": str(LINES),
    }
    process = await asyncio.create_subprocess_exec(
        *("node", "resume.mjs", *(f"--{name}={value}" for name, value in arguments.items())),
        cwd=SERVICES,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        logged = asyncio.create_task(process.stderr.read())
        lines = []
        broken = 0
        while text := await process.stdout.readline():
            lines.append(json.loads(text))
            progress = lines[-1].get("progress", 0)
            if progress >= 50 and broken == 0:
                broken = 1
                relay.cut()
            if progress >= 200 and broken == 1:
                broken = 2
                await running.kill_gateway()
        log = (await logged).decode()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert broken == 2, log
    return lines, log
