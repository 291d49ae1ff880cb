"""The promise over broken sockets: everything once, nothing fails meanwhile, and the state is truthful."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from functools import partial

import pytest
from aiohttp import web
from tests.client.link_host import LinkHost, linked, refusal
from tests.client.scripted import KERNEL_ID, collect

from kernelway.client import Gateway, InputRequest, LinkStatus, Lost, Output, Stream
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import (
    Forbidden,
    KernelDied,
    KernelRestarted,
    KernelwayError,
    LimitReached,
    LinkLost,
    TimedOut,
    WrongCredentials,
)
from kernelway.protocol.link_framing import LINK_SUBPROTOCOL, Hole
from kernelway.protocol.message import Channel, Message

DEADLINE = 20


async def until(kernel, status: LinkStatus) -> None:
    """Wait until the link has a state."""
    events = kernel.link_events()
    if kernel.link.status is status:
        events.close()
        return
    async with asyncio.timeout(DEADLINE):
        async for event in events:
            if event.status is status:
                return


async def outputs_of(execution) -> list[Output]:
    outputs: list[Output] = []
    async with asyncio.timeout(DEADLINE):
        await collect(execution, outputs)
    return outputs


async def test_every_request_runs_once_and_every_output_comes_once_over_many_cuts() -> None:
    host, chance = LinkHost(), random.Random(3)

    async def cuts() -> None:
        while True:
            enough = len(host.ran) + chance.randrange(1, 9)
            await host.until(partial(host.has_run, enough))
            host.cut()

    async with linked(host) as kernel:
        assert kernel.subprotocol == LINK_SUBPROTOCOL
        cutting = asyncio.create_task(cuts())
        for start in range(0, 200, 10):
            executions = [kernel.execute(str(number)) for number in range(start, start + 10)]
            for number, execution in enumerate(executions, start):
                assert await outputs_of(execution) == [Stream("stdout", str(number))]
                assert (await execution.reply).status == "ok"
        cutting.cancel()
        await asyncio.gather(cutting, return_exceptions=True)
        assert len(host.queries) > 10
    assert host.codes == [str(number) for number in range(200)]


async def test_a_request_that_was_lost_with_the_socket_runs_once_afterwards() -> None:
    host = LinkHost()
    async with linked(host) as kernel:
        host.takes = False
        execution = kernel.execute("1")
        with pytest.raises(TimedOut, match="has not taken"):
            await kernel.delivered(timeout=0.1)
        host.takes = True
        host.cut()
        await kernel.delivered(timeout=DEADLINE)
        assert await outputs_of(execution) == [Stream("stdout", "1")]
    assert host.codes == ["1"]


async def test_what_is_posted_while_reconnecting_is_sent_later_in_order() -> None:
    host = LinkHost()
    host.refuse = None
    async with linked(host) as kernel:
        host.refuse = refusal(503, "The gateway is stopping.")
        host.cut()
        await until(kernel, LinkStatus.RECONNECTING)
        executions = [kernel.execute(str(number)) for number in range(5)]
        completion = asyncio.create_task(kernel.complete("a"))
        with pytest.raises(TimedOut):
            await kernel.execute("late", timeout=0.05).reply
        assert not any(execution.finished for execution in executions)
        host.refuse = None
        for number, execution in enumerate(executions):
            assert await outputs_of(execution) == [Stream("stdout", str(number))]
        await completion
        assert kernel.link.status is LinkStatus.CONNECTED
    assert host.codes == ["0", "1", "2", "3", "4", "late"]


async def test_the_states_tell_what_is_and_since_when() -> None:
    host = LinkHost()
    async with linked(host) as kernel:
        first = kernel.link
        assert (first.status, first.reason, first.attempt) == (LinkStatus.CONNECTED, "", 0)
        events, seen = kernel.link_events(), []
        before = datetime.now(UTC)
        host.refuse = refusal(503, "The gateway is stopping.")
        host.cut()
        async with asyncio.timeout(DEADLINE):
            async for event in events:
                seen.append(event)
                if event.attempt == 3:
                    host.refuse = None
                if event.status is LinkStatus.CONNECTED:
                    break
    tries = [event for event in seen if event.status is LinkStatus.RECONNECTING]
    assert "broke" in tries[0].reason
    assert "The gateway is stopping." in tries[-1].reason
    assert {event.since for event in tries} == {tries[0].since}
    assert before <= tries[0].since <= seen[-1].since
    assert [event.attempt for event in tries] == sorted({event.attempt for event in tries})
    assert kernel.link.status is LinkStatus.GONE


async def test_a_server_that_is_away_for_a_while() -> None:
    host = LinkHost()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", host.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with Gateway(f"http://127.0.0.1:{port}", token="t") as gateway:
        kernel = await gateway.connect(KERNEL_ID)
        execution = kernel.execute("1")
        assert await outputs_of(execution) == [Stream("stdout", "1")]
        await site.stop()
        host.cut()
        await until(kernel, LinkStatus.RECONNECTING)
        execution = kernel.execute("2")
        events = kernel.link_events()
        async with asyncio.timeout(DEADLINE):
            async for event in events:
                if "Nobody listens" in event.reason:
                    break
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        assert await outputs_of(execution) == [Stream("stdout", "2")]
    await runner.cleanup()
    assert host.codes == ["1", "2"]


@pytest.mark.parametrize(
    ("status", "message", "kind", "told"),
    [
        (404, "Kernel x was shut down.", KernelDied, "Kernel x was shut down."),
        (401, "", WrongCredentials, "refuses the token"),
        (403, "This is not your kernel.", Forbidden, "not your kernel"),
    ],
)
async def test_a_refusal_for_good_ends_the_link(status, message, kind, told) -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        host.refuse = refusal(status, message)
        host.cut()
        with pytest.raises(kind, match=told):
            await outputs_of(execution)
        assert kernel.link.status is LinkStatus.GONE
        assert told in kernel.link.reason
        with pytest.raises(kind):
            kernel.execute("2")


async def test_what_a_proxy_says_in_the_place_of_the_server_is_no_refusal() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    pages = iter(
        [
            web.Response(status=404, text="404 page not found"),
            web.Response(status=502, text="bad gateway"),
            web.Response(status=200, text="<html>Welcome to our Wi-Fi</html>", content_type="text/html"),
        ]
    )

    def refuse() -> web.Response:
        page = next(pages, None)
        if page is None:
            host.refuse = None
            return web.Response(status=504)
        return page

    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        host.refuse = refuse
        host.cut()
        await until(kernel, LinkStatus.RECONNECTING)
        await until(kernel, LinkStatus.CONNECTED)
        assert len(host.queries) == 6
        host.finish(host.ran[0])
        assert await outputs_of(execution) == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CloseCode.KERNEL_GONE, KernelDied),
        (CloseCode.KERNEL_DEAD, KernelDied),
        (CloseCode.PROTOCOL_ERROR, LinkLost),
        (CloseCode.MESSAGE_TOO_BIG, LinkLost),
    ],
)
async def test_close_codes_after_which_another_socket_would_not_help(code, kind) -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        await host.close(code, "It is over.")
        with pytest.raises(kind, match="It is over") as caught:
            await outputs_of(execution)
        assert type(caught.value) is kind
    assert len(host.queries) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, CloseCode.REPLACED])
async def test_close_codes_after_which_the_link_goes_on(code) -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        await host.close(code, "Come again.")
        host.finish(host.ran[0])
        assert await outputs_of(execution) == []
    assert len(host.queries) == 2


async def test_a_link_that_is_tried_for_a_limited_time_says_since_when() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host, reconnect_for=0.3) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        host.refuse = refusal(503, "Not yet.")
        host.cut()
        with pytest.raises(LinkLost, match=r"broken since 20.* UTC, .* 0.3 seconds: .*Not yet") as caught:
            await outputs_of(execution)
        assert type(caught.value) is LinkLost


async def test_a_hole_is_an_output_and_executions_beyond_it_go_on() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        feed = kernel.messages()
        await kernel.delivered(timeout=DEADLINE)
        host.holes[len(host.journal) + 1] = Hole("The disk was full.", 7)
        host.answer = host.echo
        request = host.ran[0]
        host.publish("stream", {"name": "stdout", "text": "after"}, request)
        host.finish(request)
        assert await outputs_of(execution) == [Lost(7, "The disk was full."), Stream("stdout", "after")]
        with pytest.raises(LinkLost, match=r"no longer kept.*The disk was full"):
            async for _ in feed:
                pass


async def test_a_hole_at_the_handshake_is_told_and_what_ended_in_it_is_settled() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        completion = asyncio.create_task(kernel.complete("a"))
        await host.until(lambda: len(host.ran) == 2)
        host.refuse = refusal(503, "Not yet.")
        host.cut()
        await until(kernel, LinkStatus.RECONNECTING)
        for request in host.ran:
            host.echo(request)
        host.oldest = len(host.journal) + 1
        host.answer = host.echo
        host.refuse = None
        outputs: list[Output] = []
        with pytest.raises(LinkLost, match=r"The end of what was asked .* is no longer kept"):
            await collect(execution, outputs)
        assert outputs == [Lost(None, "It is no longer kept.")]
        with pytest.raises(LinkLost):
            await completion
        assert await outputs_of(kernel.execute("2")) == [Stream("stdout", "2")]


async def test_a_host_that_forgot_the_link_fails_what_waits_and_serves_what_comes() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        host.takes = False
        kernel.execute("of which nobody knows whether it ran")
        delivered = asyncio.create_task(kernel.delivered(timeout=DEADLINE))
        await asyncio.sleep(0)
        host.links.clear()
        host.answer = host.echo
        host.takes = True
        host.cut()
        for waits in (outputs_of(execution), delivered):
            with pytest.raises(LinkLost, match="forgotten"):
                await waits
        assert await outputs_of(kernel.execute("2")) == [Stream("stdout", "2")]
    assert host.codes == ["1", "2"]


async def test_an_input_request_survives_and_is_answered_once() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("input()")
        await kernel.delivered(timeout=DEADLINE)
        [request] = host.ran
        host.say(Channel.STDIN, "input_request", {"prompt": "name? ", "password": False}, request)
        async with asyncio.timeout(DEADLINE):
            async for output in execution:
                assert isinstance(output, InputRequest)
                break_at = len(host.queries)
                host.takes = False
                await execution.answer(output, "Ada")
                host.takes = True
                host.answer = lambda reply: host.finish(request)
                host.cut()
                await host.until(lambda: len(host.ran) == 2)
                host.cut()
    assert len(host.queries) > break_at
    replies = [message for message in host.ran if message.channel is Channel.STDIN]
    assert [reply.read_content()["value"] for reply in replies] == ["Ada"]


async def test_closing_while_reconnecting_does_not_wait() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        host.refuse = refusal(503, "Not yet.")
        host.cut()
        await until(kernel, LinkStatus.RECONNECTING)
        async with asyncio.timeout(4):
            await kernel.close()
        with pytest.raises(LinkLost, match="closed on this side"):
            await execution.reply
        assert kernel.link.status is LinkStatus.GONE
        assert [event async for event in kernel.link_events()] == []


async def test_what_waits_for_a_server_that_is_away_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernelway.client.resume.UNSENT_LIMIT", 10_000)
    host = LinkHost()
    async with linked(host) as kernel:
        host.takes = False
        execution = kernel.execute("x" * 10_000)
        with pytest.raises(LimitReached):
            kernel.execute("2")
        host.takes = True
        host.cut()
        await outputs_of(execution)
        await outputs_of(kernel.execute("2"))


# The kernel's end


def aborted(host: LinkHost, request: Message, ename: str, evalue: str) -> None:
    host.reply(request, status="aborted", ename=ename, evalue=evalue)
    idle = {"execution_state": "idle", "kernelway": {"aborted": evalue}}
    host.publish("status", idle, request)


@pytest.mark.parametrize(
    ("ename", "kind"), [("KernelRestarted", KernelRestarted), ("KernelDied", KernelDied)]
)
async def test_what_a_kernels_end_left_unanswered_fails_with_the_hosts_words(ename, kind) -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        completion = asyncio.create_task(kernel.complete("a"))
        await host.until(lambda: len(host.ran) == 2)
        for request in host.ran:
            aborted(host, request, ename, "It was killed by signal 9.")
        for waits in (outputs_of(execution), completion):
            with pytest.raises(kind, match=r"Kernel .*: It was killed by signal 9\.$"):
                await waits


async def test_a_request_that_the_next_run_takes_is_not_failed_by_the_end_of_the_last() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        first, second = kernel.execute("1"), kernel.execute("2")
        await host.until(lambda: len(host.ran) == 2)
        aborted(host, host.ran[0], "KernelRestarted", "It exited with status 7.")
        host.publish("status", {"execution_state": "restarting"})
        host.publish("status", {"execution_state": "starting"})
        with pytest.raises(KernelRestarted, match="status 7"):
            await outputs_of(first)
        host.publish("stream", {"name": "stdout", "text": "new"}, host.ran[1])
        host.answer = host.echo
        host.finish(host.ran[1])
        assert await outputs_of(second) == [Stream("stdout", "new")]


async def test_what_nobody_answered_is_given_up_when_the_next_run_answers() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await host.until(lambda: len(host.ran) == 1)
        host.answer = host.echo
        host.publish("status", {"execution_state": "restarting"})
        with pytest.raises(KernelRestarted):
            await outputs_of(execution)


async def test_a_kernels_own_abort_is_a_reply() -> None:
    host = LinkHost()
    host.answer = lambda request: host.reply(request, status="aborted")
    async with linked(host) as kernel:
        assert (await kernel.execute("1", timeout=DEADLINE).reply).status == "aborted"


async def test_a_dead_kernel_fails_what_waits_and_takes_nothing() -> None:
    host = LinkHost()
    host.answer = lambda request: None
    async with linked(host) as kernel:
        execution = kernel.execute("1")
        await kernel.delivered(timeout=DEADLINE)
        aborted(host, host.ran[0], "KernelDied", "It died five times.")
        host.publish("status", {"execution_state": "dead", "reason": "It died five times."})
        with pytest.raises(KernelDied, match="five times"):
            await outputs_of(execution)
        feed = kernel.messages()
        host.publish("stream", {"name": "stdout", "text": ""})
        async with asyncio.timeout(DEADLINE):
            async for _ in feed:
                break
        with pytest.raises(KernelwayError):
            kernel.execute("2")
