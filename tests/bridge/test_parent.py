from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from kernelway.bridge.parent import _by_looking, parent_named, watching


@pytest.mark.parametrize(
    ("said", "pid"), [({}, None), ({"JPY_PARENT_PID": "x"}, None), ({"JPY_PARENT_PID": "1"}, None)]
)
def test_a_client_that_does_not_say_who_it_is_is_not_watched(said: dict[str, str], pid: int | None) -> None:
    assert parent_named(said) == pid


def test_a_client_says_who_it_is() -> None:
    assert parent_named({"JPY_PARENT_PID": "4711"}) == 4711


async def test_the_end_of_a_process_is_told_once() -> None:
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        ended: asyncio.Queue[None] = asyncio.Queue()
        async with watching(process.pid, lambda: ended.put_nowait(None)):
            await asyncio.sleep(0)
            assert ended.empty()
            process.kill()
            await asyncio.wait_for(ended.get(), 30)
            assert ended.empty()


async def test_a_process_that_cannot_be_seen_is_not_taken_for_one_that_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(30)
    ended = asyncio.Event()
    async with watching(process.pid, ended.set):
        assert not ended.is_set()


async def test_where_there_is_no_event_another_parent_tells() -> None:
    ended = asyncio.Event()
    await asyncio.wait_for(_by_looking(-1, ended.set), 30)
    assert ended.is_set()
