"""What ``run`` and ``exec`` have in common."""

from __future__ import annotations

import asyncio
import re
import signal

import pytest
from tests.cli.conftest import Home
from tests.cli.console import console, is_gone, pid_in
from tests.support.peers import raw_peer

SLOW = "import os, time\nos.getpid()\nprint('ready'); time.sleep(60)\n"


def test_without_colours_where_they_are_not_wanted(home: Home) -> None:
    environ = home.environ | {"NO_COLOR": "1"}
    with console("exec", "1 / 0", environ=environ) as shown:
        assert shown.wait() == 1
    assert "ZeroDivisionError: division by zero" in shown.screen.text
    assert not re.search(r"\x1b\[[\d;]*m", shown.raw)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_ends_the_private_kernel(home: Home, number: signal.Signals) -> None:
    home.write("slow.py", SLOW)
    with console("run", "slow.py", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ ready")
        pid = pid_in(shown.screen.text)
        shown.process.send_signal(number)
        assert shown.wait() == 143
        assert is_gone(pid)


async def test_waiting_for_a_gateway_is_told_and_can_be_left(home: Home) -> None:
    async with raw_peer(None) as silent:
        home.save(slow={"baseUrl": silent.base_url})

        def wait_and_leave() -> tuple[int, str]:
            with console("exec", "1", "--on", "slow", environ=home.environ) as shown:
                shown.until_text("Waiting for a kernel on slow …")
                shown.press("\x03")
                return shown.wait(), shown.screen.text.replace("^C", "").strip()

        assert await asyncio.to_thread(wait_and_leave) == (130, "")
