"""The supervisor, with gateways that are a few lines of Python: started, started again, replaced, ended."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.host.processes import wait_for_exit
from kernelway.host.supervisor import GatewayStart, Patience, Supervisor
from kernelway.protocol.errors import Conflict, Unreachable

DEADLINE = 30.0

GATEWAY = """
import json, os, signal, sys
orders = json.loads(sys.stdin.readline())
script = open(orders["script"]).read()
os.write(orders["told"], f"{os.getpid()} ".encode())
exec(script)
"""
"""Reads what the script says at that moment, tells the test that it was started, and does it."""

SERVE = """
print(json.dumps({"version": "7"}), flush=True)
sys.stdin.read()
"""

DEAF = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVE}"


@dataclass(frozen=True, slots=True)
class Gateways:
    """What the gateways of a test are told, and hear of."""

    script: Path
    reader: int
    writer: int

    def do(self, text: str) -> None:
        """What those do that are started from now on."""
        self.script.write_text(text)

    def start(self, **given: float) -> GatewayStart:
        orders = {"told": self.writer, "script": str(self.script), "token": "s3cret"}
        return GatewayStart(
            orders=json.dumps(orders).encode(),
            environ={**os.environ, "MARK": "of the host"},
            descriptors=(self.writer,),
            command=(sys.executable, "-S", "-c", GATEWAY),
            **given,
        )

    async def started(self) -> int:
        """The next one's process; it may not serve yet."""
        async with asyncio.timeout(DEADLINE):
            told = await asyncio.to_thread(self._read)
        return int(told)

    def _read(self) -> bytes:
        told = b""
        while not told.endswith(b" "):
            told += os.read(self.reader, 1)
        return told


@contextmanager
def _gateways(folder: Path) -> Iterator[Gateways]:
    reader, writer = os.pipe()
    try:
        gateways = Gateways(folder / "script", reader, writer)
        gateways.do(SERVE)
        yield gateways
    finally:
        os.close(reader)
        os.close(writer)


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Gateways]:
    with _gateways(tmp_path) as made:
        yield made


async def gone(pid: int) -> None:
    async with asyncio.timeout(DEADLINE):
        await wait_for_exit(pid)


async def served_by_another(supervisor: Supervisor, pid: int) -> None:
    """Wait until the supervisor has heard that another gateway serves."""
    async with asyncio.timeout(DEADLINE):
        while supervisor.pid in (None, pid):
            await asyncio.sleep(0.01)  # It tells nobody: the listening socket's clients just wait.


async def test_it_serves_within_the_block_and_is_told_in_private(gateways: Gateways) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        pid = await gateways.started()
        assert supervisor.pid == pid
        process = psutil.Process(pid)
        assert "s3cret" not in " ".join(process.cmdline())
        assert "s3cret" not in str(process.environ())
        assert process.environ()["MARK"] == "of the host"
        # A Ctrl-C of the host's terminal does not reach it.
        assert os.getsid(pid) == pid
    assert supervisor.pid is None
    assert not psutil.pid_exists(pid)


async def test_a_gateway_that_is_killed_is_started_again(
    gateways: Gateways, caplog: pytest.LogCaptureFixture
) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        first = await gateways.started()
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            os.kill(first, number)
            second = await gateways.started()
            assert second != first
            await served_by_another(supervisor, first)
            first = second
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [
        f"The gateway was ended by {name} and is started again." for name in ("SIGKILL", "SIGSEGV", "SIGTERM")
    ]


async def test_one_that_cannot_start_again_is_tried_until_it_can(
    gateways: Gateways, caplog: pytest.LogCaptureFixture
) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        first = await gateways.started()
        gateways.do("sys.exit(3)")
        os.kill(first, signal.SIGKILL)
        for _ in range(3):
            last = await gateways.started()
        gateways.do(SERVE)
        await gateways.started()
        await served_by_another(supervisor, last)
    assert "The gateway ended with the status 3 before it served; what it said is in the log." in caplog.text


async def test_one_that_is_killed_while_it_starts_is_started_again_soon(
    gateways: Gateways, caplog: pytest.LogCaptureFixture
) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        last = await gateways.started()
        gateways.do("sys.stdin.read()")
        os.kill(last, signal.SIGKILL)
        for _ in range(8):
            last = await gateways.started()
            os.kill(last, signal.SIGKILL)
        gateways.do(SERVE)
        await served_by_another(supervisor, last)
        await gateways.started()
    pauses = [float(pause) for pause in re.findall(r"The next try is in (\S+) s\.", caplog.text)]
    assert len(pauses) >= 8
    assert max(pauses) <= 0.5


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sys.exit(3)", "ended with the status 3 before it served"),
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL before it served"),
        ("print(json.dumps({'failed': 'There is no certificate.'}), flush=True)", "There is no certificate."),
        ("print('Welcome!', flush=True)", "does not say that it serves, but b'Welcome!"),
        (f"sys.stdout.close()\n{DEAF}", "does not serve within|ended with the status 1 before it served"),
        ("sys.stdin.read()", r"does not serve within 0\.5 s"),
    ],
)
async def test_why_it_does_not_come_to_serve_is_told_and_nothing_is_left(
    gateways: Gateways, script: str, said: str
) -> None:
    gateways.do(script)
    with pytest.raises(Unreachable, match=said):
        async with Supervisor(gateways.start(serves_within=0.5)):
            raise AssertionError("it came to serve")
    assert not psutil.pid_exists(await gateways.started())


async def test_a_command_that_is_not_there_is_told(gateways: Gateways) -> None:
    start = GatewayStart(orders=b"{}", environ={}, descriptors=(), command=("/nonexistent/python",))
    with pytest.raises(Unreachable, match=r"The gateway cannot be started: .*nonexistent"):
        async with Supervisor(start):
            raise AssertionError("it came to serve")


async def test_another_takes_the_place_of_the_one_that_serves(gateways: Gateways) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        first = await gateways.started()
        replacement = await supervisor.replace()
        second = await gateways.started()
        assert (replacement.pid, replacement.version) == (second, "7")
        assert supervisor.pid == second
        assert not psutil.pid_exists(first)
        # And the new one is watched like the old one was.
        os.kill(second, signal.SIGKILL)
        third = await gateways.started()
        await served_by_another(supervisor, second)
        assert supervisor.pid == third


async def test_what_serves_stays_where_the_new_one_does_not_come_to_serve(gateways: Gateways) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        first = await gateways.started()
        gateways.do("print(json.dumps({'failed': 'The new code is broken.'}), flush=True)")
        with pytest.raises(Unreachable, match="The new code is broken"):
            await supervisor.replace()
        assert supervisor.pid == first
        gateways.do(SERVE)
        await gateways.started()
        os.kill(first, signal.SIGKILL)
        await gateways.started()
        await served_by_another(supervisor, first)


async def test_a_gateway_that_cannot_start_can_be_replaced(gateways: Gateways) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        first = await gateways.started()
        gateways.do("sys.exit(3)")
        os.kill(first, signal.SIGKILL)
        await gateways.started()
        gateways.do(SERVE)
        assert (await supervisor.replace()).pid == supervisor.pid


async def test_only_one_is_replaced_at_a_time(gateways: Gateways) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        first = asyncio.create_task(supervisor.replace())
        await asyncio.sleep(0)
        with pytest.raises(Conflict, match="replacing its gateway already"):
            await supervisor.replace()
        assert (await first).pid == supervisor.pid
    with pytest.raises(Conflict, match="stopping"):
        await supervisor.replace()


async def test_a_replacement_that_is_under_way_ends_with_the_host(gateways: Gateways) -> None:
    async with Supervisor(gateways.start()) as supervisor:
        first = await gateways.started()
        gateways.do("sys.stdin.read()")
        replacing = asyncio.create_task(supervisor.replace())
        second = await gateways.started()
    with pytest.raises(Conflict, match="stopping"):
        await replacing
    assert not psutil.pid_exists(first)
    assert not psutil.pid_exists(second)


async def test_one_that_does_not_end_is_killed(gateways: Gateways, caplog: pytest.LogCaptureFixture) -> None:
    gateways.do(DEAF)
    async with Supervisor(gateways.start(ends_within=0.2)) as supervisor:
        pid = await gateways.started()
        # Its input ends only with the supervisor's process.
        assert supervisor.pid == pid
    assert not psutil.pid_exists(pid)
    assert f"The gateway, process {pid}, does not end within 0.2 s: it is killed." in caplog.text


# How long to wait


def test_one_that_served_is_started_again_at_once() -> None:
    patience = Patience()
    assert [patience.pause_after(served) for served in (100.0, 100.0, 3.0)] == [0.0, 0.0, 0.0]
    assert patience.pause_after(0.1) == 0.0


@given(deaths=st.lists(st.none() | st.floats(0, 2), min_size=1, max_size=2000))
def test_the_pause_grows_to_a_bound(deaths: list[float | None]) -> None:
    patience = Patience()
    pauses = [patience.pause_after(served_for) for served_for in deaths]
    assert pauses[0] == 0.0
    for served_for, pause in zip(deaths[1:], pauses[1:], strict=True):
        assert 0.1 <= pause <= (10.0 if served_for is None else 0.5)
    assert patience.pause_after(10.0) == 0.0
    assert patience.pause_after(None) == 0.0
