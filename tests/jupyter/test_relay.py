"""``jupyter.relay``, with a scripted host at one end and a scripted browser at the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.client.link_host import LinkHost, refusal, served
from tests.client.scripted import KERNEL_ID
from tests.jupyter.tabs import DEADLINE, Place, Side, Tab, request
from tests.support.peers import http_peer

from kernelway.client import Gateway
from kernelway.jupyter.delivery import IN_FLIGHT
from kernelway.jupyter.notices import Notice, PlaceState
from kernelway.jupyter.relay import RestartsTold
from kernelway.jupyter.rules import Rules
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import Unreachable
from kernelway.protocol.link_framing import Hole, Position
from kernelway.protocol.message import Channel, SessionId
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import DEFAULT, V1, V1_SUBPROTOCOL, Framing

FAR = 1 << 20
"""Seconds; a grace that no test outlives."""


@pytest.fixture
def host() -> LinkHost:
    return LinkHost()


@asynccontextmanager
async def side_of(host: LinkHost, rules: Rules | None = None) -> AsyncIterator[Side]:
    async with served(host) as peer, Gateway(peer.base_url, token="t") as gateway:
        yield Side(Place(gateway), KERNEL_ID, rules or Rules())


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A break is told at once."""
    monkeypatch.setattr("kernelway.jupyter.outage.GRACE", 0.0)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """A break is never told."""
    monkeypatch.setattr("kernelway.jupyter.outage.GRACE", FAR)


# Messages


@pytest.mark.parametrize("framing", [V1, DEFAULT])
async def test_messages_go_both_ways(host: LinkHost, framing: Framing) -> None:
    tab = Tab(framing)
    async with side_of(host) as side, side.relay(tab) as relay:
        relay.take(framing.encode(request("6 * 7")))
        await tab.until_told("status", "idle")
    assert tab.told == [("stream", "6 * 7"), ("execute_reply", "ok"), ("status", "idle")]
    assert [each.channel for each in tab.seen] == [Channel.IOPUB, Channel.SHELL, Channel.IOPUB]


async def test_what_is_no_message_closes_the_socket_and_no_other(host: LinkHost) -> None:
    frames = {
        "garbage": b"\xff" * 40,
        "text": DEFAULT.encode(request()),
        "iopub": V1.encode(request(channel=Channel.IOPUB)),
    }
    other = Tab()
    async with side_of(host) as side, side.relay(other, "another") as others:
        for name, frame in frames.items():
            tab = Tab()
            async with side.relay(tab) as relay:
                relay.take(frame)
                assert tab.ending is not None, name
                assert tab.ending[0] == CloseCode.PROTOCOL_ERROR
        others.take(V1.encode(request("goes on")))
        await other.until_told("stream", "goes on")
        assert host.codes == ["goes on"]
        assert other.ending is None


async def test_a_type_that_is_not_allowed_goes_no_further(host: LinkHost) -> None:
    tab = Tab()
    rules = Rules(allowed=frozenset({"execute_request"}))
    async with side_of(host, rules) as side, side.relay(tab) as relay:
        relay.take(V1.encode(request(msg_type="comm_msg")))
        relay.take(V1.encode(request("allowed")))
        await tab.until_told("stream", "allowed")
        assert [each.read_header().msg_type for each in host.ran] == ["execute_request"]


async def test_tracebacks_are_hidden_where_they_are_to_be(host: LinkHost) -> None:
    tab = Tab()
    async with side_of(host, Rules(instead_of_tracebacks="Ask the administrator.")) as side, side.relay(tab):
        secret = {"ename": "E", "evalue": "secret", "traceback": ["secret"]}
        host.publish("error", secret)
        host.publish("execute_reply", {"status": "error", **secret})
        host.publish("stream", {"name": "stdout", "text": 'the word "traceback"'})
        await tab.until(lambda: len(tab.seen) == 3)
    error, reply, stream = (each.read_content() for each in tab.seen)
    assert error == {
        "ename": "ExecutionError",
        "evalue": "Execution error",
        "traceback": ["Ask the administrator."],
    }
    assert "secret" not in str(reply)
    assert stream["text"] == 'the word "traceback"'


# Both sides push back


async def test_the_link_is_not_read_while_the_browser_takes_nothing(host: LinkHost) -> None:
    tab = Tab()
    tab.holds = True
    size = 100_000
    async with side_of(host) as side, side.relay(tab):
        for _ in range(300):
            host.publish("stream", {"name": "stdout", "text": "x" * size})
        await tab.until(lambda: len(tab.held) * size > IN_FLIGHT)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(tab.seen) * size <= IN_FLIGHT + size
        tab.holds = False
        tab.release()
        await tab.until(lambda: len(tab.seen) == 300)
    assert len(tab.text) == 300 * size


async def test_the_browser_waits_while_the_host_takes_nothing(host: LinkHost) -> None:
    host.takes = False
    tab = Tab()
    async with side_of(host) as side, side.relay(tab) as relay:
        relay.take(V1.encode(request("x" * (2 << 20))))
        waiting = asyncio.create_task(relay.ready())
        await asyncio.wait({waiting}, timeout=0.05)
        assert not waiting.done()
        host.takes = True
        host.cut()
        await asyncio.wait_for(waiting, DEADLINE)
        await host.until(lambda: host.has_run(1))


# Who has what


async def test_a_session_that_comes_back_gets_what_it_has_not_got(host: LinkHost) -> None:
    async with side_of(host) as side:
        first, second = Tab(), Tab()
        async with side.relay(first):
            host.publish("stream", {"name": "stdout", "text": "seen"})
            await first.until_told("stream", "seen")
            await host.until(lambda: host.received.get("of-the-tab") == 1)
        host.publish("stream", {"name": "stdout", "text": "missed"})
        async with side.relay(second):
            await second.until_told("stream", "missed")
        assert second.text == "missed"


async def test_what_a_browser_has_not_acknowledged_is_sent_again(host: LinkHost) -> None:
    async with side_of(host) as side:
        first, second = Tab(), Tab()
        async with side.relay(first):
            host.publish("stream", {"name": "stdout", "text": "seen"})
            await host.until(lambda: host.received.get("of-the-tab") == 1)
            first.answers = False
            host.publish("stream", {"name": "stdout", "text": "on its way"})
            await first.until_told("stream", "on its way")
        async with side.relay(second):
            await second.until_told("stream", "on its way")
        assert second.text == "on its way"


async def test_of_a_browser_that_never_answers_what_left_counts_when_it_leaves(host: LinkHost) -> None:
    tab = Tab(answers=False)
    async with side_of(host) as side, side.relay(tab):
        host.publish("stream", {"name": "stdout", "text": "left"})
        await tab.until_told("stream", "left")
    assert host.received == {"of-the-tab": 1}


async def test_a_restart_is_told_once_to_a_session(host: LinkHost) -> None:
    async with side_of(host) as side:
        host.publish("stream", {"name": "stdout", "text": "before"})
        host.received["of-the-tab"] = 1
        first, second, other = (Tab(answers=False) for _ in range(3))
        for tab, session, leaves in ((first, "of-the-tab", False), (second, "of-the-tab", False)):
            async with side.relay(tab, session, left_by_itself=leaves):
                if tab is first:
                    host.publish("status", {"execution_state": "restarting"})
                    await tab.until_told("status", "restarting")
                host.publish("stream", {"name": "stdout", "text": "x"})
                await tab.until_told("stream", "x")
        host.received["another"] = 1
        async with side.relay(other, "another"):
            await other.until_told("status", "restarting")
    assert "restarting" not in second.states


def test_only_so_many_sessions_are_remembered() -> None:
    told = RestartsTold()
    assert not told.was_told(KernelId("k"), SessionId("first"), Position(3))
    assert told.was_told(KernelId("k"), SessionId("first"), Position(3))
    assert not told.was_told(KernelId("k"), SessionId("first"), Position(4))
    for number in range(2000):
        told.was_told(KernelId("k"), SessionId(str(number)), Position(1))
    assert not told.was_told(KernelId("k"), SessionId("first"), Position(4))


# Breaks


async def test_a_break_is_told_as_busy_and_then_as_what_is_true(host: LinkHost, soon: None) -> None:
    tab = Tab()
    async with side_of(host) as side, side.relay(tab) as relay:
        host.publish("stream", {"name": "stdout", "text": "before"})
        await tab.until_told("stream", "before")
        host.refuse = refusal(503, "It is being started again.")
        host.cut()
        await tab.until_told("status", "busy")
        busy = tab.seen[-1]
        assert busy.read_header().session == "kernel"
        assert busy.parent_header == b"{}"
        assert side.place.troubles
        relay.take(V1.encode(request("meanwhile")))
        host.publish("stream", {"name": "stdout", "text": "missed"})
        host.refuse = None
        await tab.until(lambda: tab.states[-1:] == ["idle"] and "meanwhile" in tab.text)
        await tab.until(lambda: "missed" in tab.text)
        assert host.codes == ["meanwhile"]
        assert tab.ending is None
    assert [notice.state for notice in side.told] == [PlaceState.LOST, PlaceState.BACK]
    assert side.told[0].place == "gpu-box"
    assert side.told[0].reason


async def test_a_kernel_that_is_busy_stays_so_after_a_break(host: LinkHost, soon: None) -> None:
    tab = Tab()
    async with side_of(host) as side, side.relay(tab):
        host.state = "starting"
        host.refuse = refusal(503, "It is being started again.")
        host.cut()
        await tab.until_told("status", "busy")
        host.refuse = None
        await tab.until_told("status", "starting")
        assert tab.states == ["busy", "starting"]


async def test_a_short_break_is_not_told(host: LinkHost, never: None) -> None:
    tab = Tab()
    async with side_of(host) as side, side.relay(tab) as relay:
        host.cut()
        relay.take(V1.encode(request("once")))
        await tab.until_told("status", "idle")
        assert tab.states == ["idle"]
        assert host.codes == ["once"]
    assert side.told == []


async def test_several_links_of_a_place_make_one_notice(host: LinkHost, soon: None) -> None:
    one, two = Tab(), Tab()
    async with side_of(host) as side, side.relay(one, "one"), side.relay(two, "two"):
        host.refuse = refusal(503, "It is being started again.")
        host.cut()
        await one.until_told("status", "busy")
        await two.until_told("status", "busy")
        host.refuse = None
        await one.until_told("status", "idle")
        await two.until_told("status", "idle")
    assert [notice.state for notice in side.told] == [PlaceState.LOST, PlaceState.BACK]


async def test_a_browser_may_leave_while_the_link_is_broken(host: LinkHost, soon: None) -> None:
    tab, later = Tab(), Tab()
    async with side_of(host) as side:
        async with side.relay(tab):
            host.refuse = refusal(503, "It is being started again.")
            host.cut()
            await tab.until_told("status", "busy")
        assert [notice.state for notice in side.told] == [PlaceState.LOST]
        host.refuse = None
        async with side.relay(later):
            pass
        assert side.told[-1] == Notice("gpu-box", PlaceState.BACK)


async def test_what_is_missing_is_told_in_the_output_of_what_follows(host: LinkHost) -> None:
    tab = Tab()
    async with side_of(host) as side, side.relay(tab) as relay:
        host.holes[2] = Hole("The disk was full.", 3)
        relay.take(V1.encode(request("cell")))
        await tab.until_told("status", "idle")
    gap, stream = tab.seen[:2]
    assert gap.read_content()["text"] == "[kernelway: 3 messages are no longer kept. The disk was full.]\n"
    assert gap.parent_header == stream.parent_header
    assert gap.read_header().session == stream.read_header().session


async def test_what_the_host_has_forgotten_is_told(host: LinkHost, never: None) -> None:
    tab = Tab()
    async with side_of(host) as side, side.relay(tab) as relay:
        relay.take(V1.encode(request("first")))
        await tab.until_told("status", "idle")
        host.links.clear()
        host.cut()
        await host.until(lambda: len(host.queries) == 2)
        relay.take(V1.encode(request("second")))
        await tab.until(lambda: "has forgotten" in tab.text)


# Ends


async def test_a_kernel_that_ended_is_dead(host: LinkHost) -> None:
    tab = Tab()
    async with side_of(host) as side, side.relay(tab):
        await host.close(CloseCode.KERNEL_GONE, "It was shut down.")
        await tab.until(lambda: tab.ending is not None)
    assert tab.states == ["dead"]
    assert tab.ending is not None
    assert tab.ending[0] == CloseCode.KERNEL_GONE
    assert side.told == []


async def test_a_gateway_that_refuses_does_not_make_a_kernel_dead(host: LinkHost) -> None:
    tab = Tab()
    async with side_of(host) as side, side.relay(tab):
        host.refuse = refusal(403, "Not with this token.")
        host.cut()
        await tab.until(lambda: tab.ending is not None)
        assert "dead" not in tab.states
        assert tab.ending is not None
        assert tab.ending[0] == CloseCode.SERVICE_RESTART
        assert len(side.place.troubles) == 2
    assert [notice.state for notice in side.told] == [PlaceState.LOST]


async def test_a_link_that_ends_before_it_is_attached_is_told_then(host: LinkHost) -> None:
    tab = Tab()
    async with side_of(host) as side:
        relay = side.new("of-the-tab")
        await relay.open(timeout=DEADLINE)
        await host.close(CloseCode.KERNEL_GONE, "It was shut down.")
        await host.until(lambda: not host.sockets)
        relay.attach(tab)
        await tab.until(lambda: tab.ending is not None)
        await relay.close(left_by_itself=False)
    assert tab.states == ["dead"]


async def test_a_server_without_links_is_served_for_one_socket() -> None:
    async def stock(wire: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(protocols=(V1_SUBPROTOCOL,))
        await websocket.prepare(wire)
        asked = V1.decode((await websocket.receive()).data)
        await websocket.send_bytes(V1.encode(asked))
        await websocket.close(code=CloseCode.SERVICE_RESTART)
        return websocket

    tab = Tab()
    async with http_peer(stock) as peer, Gateway(peer.base_url, token="t") as gateway:
        side = Side(Place(gateway), KERNEL_ID)
        async with side.relay(tab) as relay:
            relay.take(V1.encode(request("6 * 7")))
            await tab.until(lambda: tab.ending is not None)
            assert [each.read_content() for each in tab.seen] == [{"code": "6 * 7"}]
            assert tab.states == []
            assert tab.ending is not None
            assert tab.ending[0] == CloseCode.SERVICE_RESTART
        async with side.relay(Tab()):
            assert [notice.state for notice in side.told] == [PlaceState.LOST, PlaceState.BACK]


async def test_a_gateway_that_is_not_there_is_an_error() -> None:
    async def nothing(request: web.Request) -> web.StreamResponse:
        raise AssertionError

    async with http_peer(nothing) as peer:
        url = peer.base_url
    async with Gateway(url, token="t") as gateway:
        side = Side(Place(gateway), KERNEL_ID)
        with pytest.raises(Unreachable):
            async with side.relay(Tab()):
                pass


async def test_a_browser_that_leaves_at_once_has_its_last_request_run(host: LinkHost) -> None:
    tab = Tab()
    async with side_of(host) as side:
        async with side.relay(tab) as relay:
            relay.take(V1.encode(request("last words")))
        assert host.codes == ["last words"]
