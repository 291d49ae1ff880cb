"""Bridges to kernels of a real gateway, used by Jupyter's own client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.bridge.talk import DEADLINE, bridged, client_at, subscriber, wanted
from tests.client.gateways import Place
from tests.support.relay import Direction, Relay
from yarl import URL

from kernelway.bridge.bridging import Bridge
from kernelway.bridge.connection import Connection, new_connection
from kernelway.bridge.orders import Target
from kernelway.bridge.sockets import bind
from kernelway.bridge.starting import start
from kernelway.protocol.models import OpenSession, SessionKernel


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kernel-1.json"


async def test_code_runs_and_its_outputs_come_in_order(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        done = await client.execute("print('one'); display('two'); 3")
    assert done.types == ["status", "execute_input", "stream", "display_data", "execute_result", "status"]
    assert done.status == "ok"


async def test_ten_thousand_outputs_all_arrive(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client(iopub=False) as client:
        with subscriber(bridge.ends.connection) as message:
            await asyncio.wait_for(message(), DEADLINE)
            client.kernel.execute("for n in range(10_000): display(n)")
            async with asyncio.timeout(DEADLINE):
                while b'"execute_input"' not in (await message()).header:
                    pass
                told = [await message()]
                while b'"idle"' not in told[-1].content:
                    told.append(await message())
    data = [each.read_content()["data"]["text/plain"] for each in told if b'"display_data"' in each.header]
    assert data == [str(n) for n in range(10_000)]


async def test_a_client_that_reads_slowly_holds_back_the_link_and_loses_nothing(
    own_gateway: Place, file: Path
) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client(iopub=False) as client:
        with subscriber(bridge.ends.connection, mark=1) as message:
            await asyncio.wait_for(message(), DEADLINE)
            client.kernel.execute("for n in range(3000): display({'text/plain': f'{n:020000}'}, raw=True)")
            publisher = bridge.bridge._clients._publisher
            async with asyncio.timeout(DEADLINE):
                while not publisher.waits:
                    await asyncio.sleep(0.01)
                shown = 0
                while shown < 3000:
                    came = await message()
                    if b'"display_data"' in came.header:
                        assert int(came.read_content()["data"]["text/plain"][-9:]) == shown
                        shown += 1


async def test_large_buffers_go_both_ways(own_gateway: Place, file: Path) -> None:
    echo = (
        "def opened(comm, _):\n"
        "    comm.on_msg(lambda m: comm.send({'n': len(m['buffers'])}, buffers=m['buffers']))\n"
        "get_ipython().kernel.comm_manager.register_target('echo', opened)"
    )
    buffers = [bytes(10 * 2**20), b"x" * (10 * 2**20), b""]
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        assert (await client.execute(echo)).status == "ok"
        session, channel = client.kernel.session, client.kernel.shell_channel
        opening = {"comm_id": "1", "target_name": "echo", "data": {}}
        session.send(channel.socket, "comm_open", opening)
        session.send(channel.socket, "comm_msg", {"comm_id": "1", "data": {}}, buffers=buffers)
        message = await client.until("comm_msg")
    assert message["content"]["data"] == {"n": 3}
    assert [bytes(each) for each in message["buffers"]] == buffers


async def test_who_asks_for_input_is_answered(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as other, bridge.client() as client:
        msg_id = client.kernel.execute("print(input('name? ') * 2)", allow_stdin=True)
        async with asyncio.timeout(DEADLINE):
            question = await client.kernel.get_stdin_msg()
        assert question["content"]["prompt"] == "name? "
        client.kernel.input("ada")
        assert (await client.answer(msg_id)).text == "adaada\n"
        assert not await other.kernel.stdin_channel.msg_ready()


async def test_an_interrupt_is_answered_once_the_kernel_has_it(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        msg_id = client.kernel.execute("import time\nprint('runs', flush=True)\ntime.sleep(100)")
        await client.until("stream", text="runs")
        reply = await client.control("interrupt_request", {})
        assert (reply["msg_type"], reply["content"]) == ("interrupt_reply", {"status": "ok"})
        done = await client.answer(msg_id)
        assert done.reply["content"]["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize("restart", [False, True])
async def test_a_shutdown_ends_the_kernel_and_the_bridge(
    own_gateway: Place, file: Path, restart: bool
) -> None:
    async with bridged(own_gateway, file) as bridge:
        async with bridge.client() as client:
            reply = await client.control("shutdown_request", {"restart": restart})
            assert reply["content"] == {"status": "ok", "restart": restart}
        assert await bridge.status() == 0
        assert bridge.kernel_id not in {each.id for each in await bridge.gateway.kernels()}


async def test_a_session_that_runs_is_started_anew_and_the_bridge_goes_on(
    own_gateway: Place, file: Path
) -> None:
    async with bridged(own_gateway, file, owns=False) as bridge, bridge.client() as client:
        assert (await client.execute("x = 1")).status == "ok"
        await client.control("shutdown_request", {"restart": True})
        done = await client.execute("x")
        assert done.reply["content"]["ename"] == "NameError"
        assert bridge.kernel_id in {each.id for each in await bridge.gateway.kernels()}


async def test_a_bridge_that_ends_leaves_the_kernel(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge:
        bridge.bridge.end(143)
        assert await bridge.status() == 143
        assert bridge.kernel_id in {each.id for each in await bridge.gateway.kernels()}


async def test_a_kernel_that_is_ended_elsewhere_ends_the_bridge(
    own_gateway: Place, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridged(own_gateway, file) as bridge:
        await bridge.gateway.rest.shutdown_kernel(bridge.kernel_id)
        assert await bridge.status() == 1
    assert "was shut down" in caplog.text


async def test_a_kernel_that_is_restarted_elsewhere_is_still_that_of_the_bridge(
    own_gateway: Place, file: Path
) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        assert (await client.execute("x = 1")).status == "ok"
        await bridge.gateway.rest.restart_kernel(bridge.kernel_id)
        assert (await client.execute("x")).reply["content"]["ename"] == "NameError"
        assert not bridge.ended.done()


async def test_a_kernel_that_dies_ends_the_bridge_and_what_it_ran_fails(
    own_gateway: Place, file: Path
) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        done = await client.execute("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        assert done.status == "error"
        assert done.reply["content"]["ename"] == "KernelRestarted"
        assert "error" in done.types
        assert await bridge.status() == 1


async def test_two_clients_hear_the_same_and_get_their_own_replies(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as one, bridge.client() as other:
        asked = [each.kernel.execute(f"print({n}); {n}") for n, each in enumerate((one, other, one, other))]
        done = [
            await each.answer(msg_id) for each, msg_id in zip((one, other, one, other), asked, strict=True)
        ]
        assert [each.text for each in done] == ["0\n", "1\n", "2\n", "3\n"]
        assert not await one.kernel.shell_channel.msg_ready()
        assert not await other.kernel.shell_channel.msg_ready()


async def test_requests_run_in_the_order_in_which_they_were_sent(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        await client.execute("seen = []")
        for n in range(300):
            client.kernel.execute(f"seen.append({n})", silent=True)
        assert (await client.execute("print(seen == list(range(300)))")).text == "True\n"


async def test_what_has_a_wrong_signature_is_dropped(
    own_gateway: Place, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        bridged(own_gateway, file) as bridge,
        bridge.client(waits=False, key="wrong") as wrong,
        bridge.client() as client,
    ):
        wrong.kernel.execute("x = 1")
        await until_logged(caplog, "signature")
        assert (await client.execute("x")).reply["content"]["ename"] == "NameError"


async def test_garbage_is_dropped(own_gateway: Place, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        connection = bridge.ends.connection
        with zmq.Context() as context:
            for port in (connection.shell_port, connection.control_port, connection.stdin_port):
                with context.socket(zmq.DEALER) as socket:
                    socket.connect(f"tcp://127.0.0.1:{port}")
                    for parts in (
                        [b""],
                        [b"<IDS|MSG>"],
                        [b"x"] * 40,
                        [b"<IDS|MSG>", b"", b"{", b"", b"", b""],
                    ):
                        socket.send_multipart(parts)
                    await until_logged(caplog, "dropped", times=4)
                    caplog.clear()
        assert (await client.execute("1")).status == "ok"


async def until_logged(caplog: pytest.LogCaptureFixture, text: str, *, times: int = 1) -> None:
    """Nothing tells of a message that was dropped but the log."""
    async with asyncio.timeout(DEADLINE):
        while caplog.text.count(text) < times:
            await asyncio.sleep(0.01)


async def test_everybody_who_subscribes_is_welcomed(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge:
        for _ in range(2):
            async with bridge.client(waits=False) as client:
                welcome = await client.until("iopub_welcome")
                assert welcome["content"] == {"subscription": ""}


async def test_what_is_asked_before_there_is_a_kernel_is_asked_then(own_gateway: Place, file: Path) -> None:
    ends = bind(new_connection())
    ends.close()
    early = ends.connection
    async with client_at(early, waits=False) as client:
        msg_id = client.kernel.execute("6 * 7")
        async with bridged(own_gateway, file, connection=early):
            async with asyncio.timeout(DEADLINE):
                reply: dict[str, Any] = await client.kernel.get_shell_msg()
    assert reply["parent_header"]["msg_id"] == msg_id
    assert reply["content"]["status"] == "ok"


async def test_what_is_asked_on_control_goes_past_a_cell_that_runs(own_gateway: Place, file: Path) -> None:
    async with bridged(own_gateway, file) as bridge, bridge.client() as client:
        msg_id = client.kernel.execute("input()")
        async with asyncio.timeout(DEADLINE):
            await client.kernel.get_stdin_msg()
        subshell = await client.control("create_subshell_request", {})
        assert subshell["content"]["status"] == "ok"
        asked = {"type": "request", "command": "debugInfo", "seq": 1, "arguments": {}}
        assert (await client.control("debug_request", asked))["content"]["command"] == "debugInfo"
        client.kernel.input("")
        assert (await client.answer(msg_id)).status == "ok"


async def test_who_leaves_before_there_is_a_kernel_ends_it(own_gateway: Place, file: Path) -> None:
    ends = bind(new_connection())
    bridge = Bridge(ends, owns=True)
    bridge.listen()
    try:
        async with own_gateway.gateway() as gateway, client_at(ends.connection, waits=False) as client:
            interrupted = await client.control("interrupt_request", {})
            assert interrupted["content"] == {"status": "ok"}
            shut_down = asyncio.create_task(client.control("shutdown_request", {"restart": False}))
            await client.until("status", text="busy")
            kernel_id, session_id = await start(gateway, wanted(file))
            target = Target(gateway=gateway, where="gpu", kernel_id=kernel_id, session_id=session_id)
            async with asyncio.timeout(DEADLINE):
                assert await bridge.run(bridge.serve(target, everything=True)) == 0
                assert (await shut_down)["content"]["status"] == "ok"
            assert kernel_id not in {each.id for each in await gateway.kernels()}
    finally:
        ends.close()


async def test_a_bridge_that_ends_while_its_kernel_starts_gives_that_up(own_gateway: Place) -> None:
    ends = bind(new_connection())
    bridge = Bridge(ends, owns=True)
    bridge.listen()

    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    try:
        asyncio.get_running_loop().call_soon(bridge.end, 143)
        assert await asyncio.wait_for(bridge.run(never()), DEADLINE) == 143
    finally:
        ends.close()


async def test_a_server_that_is_not_ours_will_do(stock_jupyter_server: Place, file: Path) -> None:
    async with bridged(stock_jupyter_server, file) as bridge:
        async with bridge.client() as client:
            assert (await client.execute("print(6 * 7)")).text == "42\n"
            reply = await client.control("shutdown_request", {"restart": False})
            assert reply["content"]["status"] == "ok"
        assert await bridge.status() == 0


async def test_a_server_that_is_not_ours_and_is_lost_ends_the_bridge(
    stock_jupyter_server: Place, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = URL(stock_jupyter_server.base_url)
    assert url.port is not None
    async with Relay(url.port) as relay:
        through = str(url.with_port(relay.port))
        async with bridged(stock_jupyter_server, file, url=through) as bridge:
            async with bridge.client() as client:
                assert (await client.execute("1")).status == "ok"
            relay.cut()
            assert await bridge.status() == 1
    assert "cannot be reached any more" in caplog.text


async def test_a_cut_connection_goes_on_in_the_middle_of_a_cell(
    own_gateway: Place, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "kernelway")
    port = URL(own_gateway.base_url).port
    assert port is not None
    async with Relay(port) as relay:
        through = f"http://127.0.0.1:{relay.port}/"
        async with bridged(own_gateway, file, url=through) as bridge, bridge.client() as client:
            msg_id = client.kernel.execute("for n in range(500): print(n, flush=True)\ninput()\n7")
            await client.until("stream")
            async with relay.refusing():
                relay.cut()
                await until_logged(caplog, "is lost")
                # What is asked meanwhile is asked later, once.
                later = client.kernel.execute("print('later')")
            async with asyncio.timeout(DEADLINE):
                await client.kernel.get_stdin_msg()
            client.kernel.input("")
            done = await client.answer(msg_id)
            assert done.types[-2:] == ["execute_result", "status"]
            assert done.text.split()[-1] == "499"
            assert (await client.answer(later)).text == "later\n"
            assert relay.cuts
    assert caplog.text.count("is lost") == caplog.text.count("is back") == 1


async def test_all_output_of_a_cell_comes_over_a_connection_that_is_cut_again_and_again(
    own_gateway: Place, file: Path
) -> None:
    port = URL(own_gateway.base_url).port
    assert port is not None
    async with Relay(port) as relay:
        through = f"http://127.0.0.1:{relay.port}/"
        async with bridged(own_gateway, file, url=through) as bridge, bridge.client() as client:
            msg_id = client.kernel.execute("for n in range(2000): print(n, flush=True)")
            for _ in range(4):
                await relay.cut_within(Direction.TO_CLIENT, 20_000)
            done = await client.answer(msg_id)
    assert done.text.split() == [str(n) for n in range(2000)]


async def test_unix_sockets_will_do(own_gateway: Place, file: Path) -> None:
    beside = Connection(transport="ipc", ip=str(file.parent / "k"), key="secret")
    async with bridged(own_gateway, file, connection=beside) as bridge, bridge.client() as client:
        assert (await client.execute("1")).status == "ok"


async def test_a_second_session_keeps_the_kernel_of_a_bridge_that_starts_another(
    own_gateway: Place, file: Path
) -> None:
    async with bridged(own_gateway, file) as first:
        kernel = SessionKernel(id=first.kernel_id)
        await first.gateway.rest.open_session(OpenSession(path="shared", kernel=kernel))
        async with bridged(own_gateway, file) as second:
            assert second.kernel_id != first.kernel_id
            assert first.kernel_id in {each.id for each in await first.gateway.kernels()}


async def test_a_bridge_of_the_same_file_ends_the_kernel_of_the_one_before(
    own_gateway: Place, file: Path
) -> None:
    async with bridged(own_gateway, file) as first, bridged(own_gateway, file) as second:
        assert first.kernel_id not in {each.id for each in await first.gateway.kernels()}
        assert await first.status() == 1
        async with second.client() as client:
            assert (await client.execute("1")).status == "ok"
