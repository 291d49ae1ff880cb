"""A link that delays and loses packets, carries nothing for a while, and is there again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.faults import bad_link
from tests.faults.conftest import Note
from tests.faults.serving import TOKEN, Serving

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("ip") is None or not Path("/dev/net/tun").exists(),
        reason="Only root can join network namespaces, with iproute2 and /dev/net/tun.",
    )
]

_ROOT = Path(__file__).parents[2]

SEED = 11


@pytest.fixture
def namespaces() -> Iterator[list[str]]:
    """Two network namespaces in which nothing is but a loopback."""
    names = [f"kernelway-{os.getpid()}-{side}" for side in ("near", "far")]
    made: list[str] = []
    try:
        for name in names:
            done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"No network namespace can be made here: {done.stderr}")
            made.append(name)
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield names
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=True)


@asynccontextmanager
async def program(*command: str | Path, stdin: int = DEVNULL) -> AsyncIterator[Process]:
    """A process of the test's, which ends with the block."""
    process = await asyncio.create_subprocess_exec(*map(str, command), stdin=stdin, stdout=PIPE, cwd=_ROOT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def joined(namespaces: list[str]) -> AsyncIterator[Process]:
    """The bad link between the namespaces."""
    command = (sys.executable, bad_link.__file__, *namespaces, str(SEED))
    async with program(*command, stdin=PIPE) as link:
        assert link.stdout is not None
        assert await link.stdout.readline() == b"carries\n"
        yield link


async def test_a_bad_link_costs_nothing_and_the_client_tells_the_truth_about_it(
    serving: Serving, namespaces: list[str], long: bool, note: Note
) -> None:
    executions, lines, seconds, pings = (100, 50, 20, 5.0) if long else (20, 25, 5, 1.0)
    near, far = (("ip", "netns", "exec", name, sys.executable) for name in namespaces)
    async with asyncio.timeout(400 if long else 100), joined(namespaces) as link:
        with serving.running(ip=bad_link.ADDRESSES[1], program=(*far, "-m", "kernelway")) as running:
            arguments = (running.base_url, TOKEN, str(executions), str(lines), str(pings))
            async with program(*near, "-m", "tests.faults.far_client", *arguments) as client:
                facts = await silenced(client, link, executions * lines // 2, seconds)
    assert facts[-1].get("done") == executions * lines, facts[-5:]
    silence, again = (moment(facts, line) for line in ("silence", "carry"))
    links = [(fact["at"], fact["link"]) for fact in facts if "link" in fact]
    after = [(at, state) for at, state in links if at > again]
    # What was on its way when the silence began still arrived within the next second.
    assert {state for at, state in links if silence + 1 < at < again} == {"reconnecting"}, links
    assert after[-1][1] == "connected", links
    told_after = next(at for at, state in links if at > silence and state == "reconnecting") - silence
    note("seconds of nothing", seconds)
    note("seconds until the client said that it reconnects", f"{told_after:.1f}")
    note("seconds until it was connected once the link carried", f"{after[-1][0] - again:.1f}")
    note("numbered outputs, each once and in order", executions * lines)


def moment(facts: list[dict[str, Any]], line: str) -> float:
    """When the line became like that."""
    at: float = next(fact["at"] for fact in facts if fact.get("line") == line)
    return at


async def silenced(client: Process, link: Process, middle: int, seconds: float) -> list[dict[str, Any]]:
    """What the client says up to its end; in the middle, the link carries nothing for so many seconds."""
    loop = asyncio.get_running_loop()
    assert link.stdin is not None
    facts: list[dict[str, Any]] = []

    def rule(order: bytes) -> None:
        assert link.stdin is not None
        link.stdin.write(order + b"\n")
        facts.append({"at": loop.time(), "line": order.decode()})

    waking: asyncio.TimerHandle | None = None
    assert client.stdout is not None
    while line := await client.stdout.readline():
        facts.append(json.loads(line))
        if facts[-1].get("number", 0) >= middle and waking is None:
            rule(b"silence")
            waking = loop.call_later(seconds, rule, b"carry")
    return facts
