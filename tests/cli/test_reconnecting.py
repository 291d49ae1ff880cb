"""What a person is told of a link: by a state machine's own steps, and with real breaks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from tests.cli.conftest import Home, Served, end
from tests.cli.console import Console, console
from tests.cli.screen import Screen
from tests.support.relay import Relay

from kernelway.cli.reconnecting import Reconnecting
from kernelway.client import Feed, LinkEvent, LinkStatus
from kernelway.client.link_status import LinkEvents

DEADLINE = 20.0


class Link:
    """A link whose state a test sets."""

    def __init__(self) -> None:
        self.events = LinkEvents()

    @property
    def link(self) -> LinkEvent:
        return self.events.now

    def link_events(self) -> Feed[LinkEvent]:
        return self.events.follow()


class Told:
    """What somebody was told, to be waited for."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, text: str) -> None:
        self.texts.append(text)
        self._changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.texts) < count:
                self._changed.clear()
                await self._changed.wait()


async def test_a_break_that_lasts_is_one_line_and_its_end_another() -> None:
    link, told = Link(), Told()
    async with Reconnecting(link, "gpu", stand=None, say=told):
        link.events.change(LinkStatus.RECONNECTING, "The connection to kernel 1-a broke: no answer.", 1)
        await told.until(1)
        link.events.change(LinkStatus.RECONNECTING, "Nobody listens at gpu.", 2)
        link.events.change(LinkStatus.CONNECTED)
        await told.until(2)
    assert re.fullmatch(r"⟳ Reconnecting to gpu since [\d:]{8} \(no answer\) …", told.texts[0])
    assert told.texts[1:] == ["Connected to gpu again."]


async def test_a_row_shows_the_latest_reason_and_goes_when_the_link_is_back() -> None:
    link, stood = Link(), Told()
    link.events.change(LinkStatus.RECONNECTING, "It broke.", 1)
    async with Reconnecting(link, "gpu", stand=stood, say=stood):
        await stood.until(1)
        link.events.change(LinkStatus.RECONNECTING, "Nobody listens.", 2)
        await stood.until(2)
        link.events.change(LinkStatus.CONNECTED)
        await stood.until(3)
    assert "(It broke) …" in stood.texts[0]
    assert "(Nobody listens) …" in stood.texts[1]
    assert stood.texts[2:] == [""]


@pytest.mark.parametrize("status", [LinkStatus.CONNECTED, LinkStatus.GONE])
async def test_a_short_break_is_no_news(status: LinkStatus) -> None:
    link, told = Link(), Told()
    async with Reconnecting(link, "gpu", stand=None, say=told):
        link.events.change(LinkStatus.RECONNECTING, "It broke.", 1)
        link.events.change(status)
    assert told.texts == []


async def test_leaving_takes_the_row_back() -> None:
    link, stood = Link(), Told()
    async with Reconnecting(link, "gpu", stand=stood, say=stood):
        link.events.change(LinkStatus.RECONNECTING, "It broke.", 1)
        await stood.until(1)
    assert stood.texts[1:] == [""]


COUNTING = """\
import pathlib, time
for n in range(3):
    while not pathlib.Path(f"go-{n}").exists():
        time.sleep(0.02)
    print("step", n)
"over"
"""


async def until(shown: Console, holds: Callable[[Screen], object]) -> None:
    await asyncio.to_thread(shown.until, holds)


async def test_a_run_goes_on_after_a_break(home: Home, served: Served) -> None:
    home.write("count.py", COUNTING)
    async with Relay(int(served.url.rpartition(":")[2])) as relay:
        home.save(gpu=served.options | {"baseUrl": f"http://127.0.0.1:{relay.port}"})
        run = ("run", "count.py", "--on", "gpu", "--cwd", str(home.work))
        with console(*run, environ=home.environ, cwd=home.work, columns=120) as shown:
            (home.work / "go-0").touch()
            await until(shown, lambda screen: "  │ step 0" in screen.text)
            async with relay.refusing():
                relay.cut()
                await until(shown, lambda screen: "⟳ Reconnecting to gpu since" in screen.text)
                (home.work / "go-1").touch()
            await until(shown, lambda screen: "  │ step 1" in screen.text and "⟳" not in screen.text)
            (home.work / "go-2").touch()
            assert await asyncio.to_thread(shown.wait) == 0
        assert [line for line in shown.screen.lines if "step" in line and "│" in line] == [
            f"  │ step {n}" for n in range(3)
        ]
        assert re.search(r'"over" +\[\'over\'\]', shown.screen.text)
        await asyncio.to_thread(end, "count.py", home)


async def test_what_cannot_be_reached_cannot_be_interrupted_but_left(home: Home, served: Served) -> None:
    home.write("count.py", COUNTING)
    async with Relay(int(served.url.rpartition(":")[2])) as relay:
        home.save(gpu=served.options | {"baseUrl": f"http://127.0.0.1:{relay.port}"})
        run = ("run", "count.py", "--on", "gpu", "--cwd", str(home.work))
        with console(*run, environ=home.environ, cwd=home.work, columns=120) as shown:
            (home.work / "go-0").touch()
            await until(shown, lambda screen: "  │ step 0" in screen.text)
            async with relay.refusing():
                relay.cut()
                await until(shown, lambda screen: "⟳ Reconnecting to gpu since" in screen.text)
                shown.press("\x03")
                await until(
                    shown,
                    lambda screen: (
                        "The code could not be interrupted: its kernel cannot be reached" in screen.text
                    ),
                )
                shown.press("\x03")
                assert await asyncio.to_thread(shown.wait) == 130
            assert "`kernelway attach count.py --on gpu` comes back to it." in shown.screen.text
        for n in (1, 2):
            (home.work / f"go-{n}").touch()
        attach = ("attach", "count.py")
        with console(*attach, environ=home.environ, cwd=home.work, columns=120) as shown:
            await until(shown, lambda screen: re.search(r'"over" +\[|  │ step 2', screen.text))
            async with relay.refusing():
                relay.cut()
                await until(shown, lambda screen: "⟳ Reconnecting to gpu since" in screen.text)
            await until(shown, lambda screen: "⟳" not in screen.text)
            shown.press("\x03")
            assert await asyncio.to_thread(shown.wait) == 130
        await asyncio.to_thread(end, "count.py", home)


async def test_a_kernel_of_the_commands_own_that_cannot_be_ended(home: Home, served: Served) -> None:
    async with Relay(int(served.url.rpartition(":")[2])) as relay:
        home.save(gpu=served.options | {"baseUrl": f"http://127.0.0.1:{relay.port}"})
        code = "import time\nprint('runs')\ntime.sleep(600)"
        with console("exec", code, "--on", "gpu", environ=home.environ, columns=160) as shown:
            await until(shown, lambda screen: "runs" in screen.text)
            async with relay.refusing():
                relay.cut()
                await until(shown, lambda screen: "⟳ Reconnecting to gpu since" in screen.text)
                shown.press("\x03")
                await until(shown, lambda screen: "cannot be reached" in screen.text)
                shown.press("\x03")
                assert await asyncio.to_thread(shown.wait) == 130
        assert "The kernel of this command could not be ended, and may go on: Nobody" in shown.screen.text
        found = re.search(r"`kernelway shutdown (\S+) --on gpu` ends it\.", shown.screen.text)
        assert found is not None
        await asyncio.to_thread(end, found[1], home)
