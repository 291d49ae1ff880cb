"""``jupyter.websocket``: a real notebook server between real clients and a real gateway."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSServerHandshakeError
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tests.client.link_host import LinkHost, served
from tests.client.scripted import KERNEL_ID
from tests.gateway.served import DEADLINE, TOKEN, Served, Socket, connected, own_kernel, served_in
from tests.jupyter.browsing import Notebook, notebook_server
from tests.jupyter.notebook_servers import gateway_of, notebook_server_of, person_in
from tests.jupyter.tabs import Place
from tests.support.relay import Relay
from yarl import URL

from kernelway.client import Gateway
from kernelway.jupyter.handler_socket import LARGEST
from kernelway.jupyter.notifying import SCHEMA_ID
from kernelway.jupyter.websocket import KernelwayWebsocketConnection
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.message import Channel, SessionId

RETURNS_BUFFERS = """
def target(comm, opened):
    comm.on_msg(lambda msg: comm.send({}, buffers=[bytes(msg["buffers"][0])[::-1]]))
get_ipython().kernel.comm_manager.register_target("t", target)
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_in(tmp_path_factory.mktemp("gateway")) as served:
        yield served


@asynccontextmanager
async def served_notebook(folder: Path, url: str) -> AsyncIterator[Notebook]:
    async with Gateway(url, token=TOKEN) as gateway, notebook_server(folder, Place(gateway)) as notebook:
        yield notebook


@pytest.fixture
async def notebook(tmp_path: Path, gateway: Served) -> AsyncIterator[Notebook]:
    async with served_notebook(tmp_path, gateway.url) as notebook:
        yield notebook


@pytest.fixture
async def http(notebook: Notebook) -> AsyncIterator[ClientSession]:
    async with notebook.client() as http:
        yield http


@pytest.fixture
async def kernel_id(gateway: Served) -> AsyncIterator[str]:
    async with gateway.client() as http, own_kernel(http) as kernel_id:
        yield kernel_id


def connections() -> list[ZMQChannelsWebsocketConnection]:
    return list(ZMQChannelsWebsocketConnection._open_sockets)


async def until_closed() -> None:
    """Wait until the server has let go of every connection."""
    for connection in connections():
        await asyncio.wait_for(asyncio.wrap_future(connection._close_future), DEADLINE)


async def send_all(browser: Socket, codes: list[str]) -> None:
    for code in codes:
        await browser.send("execute_request", {"code": code})


@pytest.mark.parametrize("v1", [True, False])
async def test_a_browser_executes_on_a_remote_kernel(http: ClientSession, kernel_id: str, v1: bool) -> None:
    async with connected(http, kernel_id, v1=v1) as browser:
        assert await browser.value("6 * 7") == "42"
        [connection] = connections()
        protocol = connection.websocket_handler.ws_connection
        assert protocol.stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await until_closed()


async def test_a_local_kernel_is_the_base_classs(notebook: Notebook, http: ClientSession) -> None:
    kernel_id = await notebook.app.kernel_manager.start_kernel(kernel_name="python3")
    async with connected(http, kernel_id) as browser:
        assert await browser.value("6 * 7") == "42"
        [connection] = connections()
        assert isinstance(connection, KernelwayWebsocketConnection)
        assert connection.remote is None
        assert set(connection.channels) == {"shell", "control", "stdin", "iopub"}
        params = connection.websocket_handler.ws_connection.params
        assert params.max_message_size < LARGEST
        assert not {"on_message", "on_pong"} & vars(connection.websocket_handler).keys()


async def test_every_output_arrives(http: ClientSession, kernel_id: str) -> None:
    async with connected(http, kernel_id) as browser:
        said = await browser.execute(
            "publish = get_ipython().display_pub.publish\n"
            "for i in range(10_000): publish({'text/plain': str(i)}, {})"
        )
    shown = [each for each in said if each.read_header().msg_type == "display_data"]
    assert [each.read_content()["data"]["text/plain"] for each in shown] == list(map(str, range(10_000)))


async def test_large_messages_pass_both_ways(http: ClientSession, kernel_id: str) -> None:
    async with connected(http, kernel_id) as browser:
        await browser.execute(RETURNS_BUFFERS)
        await browser.send("comm_open", {"comm_id": "c", "target_name": "t", "data": {}})
        await browser.send("comm_msg", {"comm_id": "c", "data": {}}, buffers=(b"x" * 20_000_000,))
        answer = await browser.until("comm_msg")
        assert memoryview(answer.buffers[0]).nbytes == 20_000_000
        said = await browser.execute("print('x' * 50_000_000)")
    text = "".join(each.read_content()["text"] for each in said if each.read_header().msg_type == "stream")
    assert len(text) == 50_000_001


async def test_binary_buffers_pass(http: ClientSession, kernel_id: str) -> None:
    async with connected(http, kernel_id) as browser:
        await browser.execute(RETURNS_BUFFERS)
        await browser.send("comm_open", {"comm_id": "c", "target_name": "t", "data": {}})
        await browser.send("comm_msg", {"comm_id": "c", "data": {}}, buffers=(bytes(range(256)),))
        answer = await browser.until("comm_msg")
    assert bytes(answer.buffers[0]) == bytes(range(256))[::-1]


async def test_a_kernel_can_ask_the_person(http: ClientSession, kernel_id: str) -> None:
    async with connected(http, kernel_id) as browser:
        await browser.send("execute_request", {"code": "input('name? ') * 2", "allow_stdin": True})
        await browser.until("input_request", prompt="name? ")
        await browser.send("input_reply", {"value": "ab"}, channel=Channel.STDIN)
        result = await browser.until("execute_result")
    assert result.read_content()["data"]["text/plain"] == "'abab'"


async def test_a_second_socket_of_a_session_takes_the_place_of_the_first(
    http: ClientSession, kernel_id: str
) -> None:
    async with connected(http, kernel_id, session="the-tab") as first:
        assert await first.value("1 + 1") == "2"
        closed = asyncio.create_task(first.closed())
        async with connected(http, kernel_id, session="the-tab") as second:
            await closed
            assert await second.value("2 + 2") == "4"
            assert len(connections()) == 1


async def test_of_sockets_of_one_session_that_come_at_once_one_stays(
    http: ClientSession, kernel_id: str
) -> None:
    path, query = f"api/kernels/{kernel_id}/channels", {"session_id": "the-tab"}
    came = await asyncio.gather(
        *(http.ws_connect(path, params=query) for _ in range(6)), return_exceptions=True
    )
    assert {each.status for each in came if isinstance(each, WSServerHandshakeError)} <= {503}
    sockets = [
        Socket(each, SessionId("the-tab")) for each in came if isinstance(each, ClientWebSocketResponse)
    ]
    ends = [asyncio.create_task(each.closed()) for each in sockets]
    for closed in islice(asyncio.as_completed(ends), len(ends) - 1):
        await closed
    assert len(connections()) == 1
    for end, each in zip(ends, sockets, strict=True):
        end.cancel()
        await asyncio.wait({end})
        await each.websocket.close()
    await until_closed()


async def test_a_session_that_comes_back_gets_what_it_missed_and_nothing_twice(
    http: ClientSession, kernel_id: str
) -> None:
    code = "import time\nfor i in range(40):\n    print(i, flush=True)\n    time.sleep(0.01)"
    async with connected(http, kernel_id, session="the-tab") as first:
        asked = await first.send("execute_request", {"code": code})
        await first.until("stream", text="3\n")
    async with connected(http, kernel_id, session="the-tab") as second:
        await second.until("status", parent=asked, execution_state="idle")
    numbers = [
        int(line)
        for browser in (first, second)
        for each in browser.seen
        if each.read_header().msg_type == "stream"
        for line in each.read_content()["text"].split()
    ]
    # What was under way when the first one left may be told again.
    assert sorted(set(numbers)) == list(range(40))
    assert numbers[: numbers.index(3) + 1] == [0, 1, 2, 3]


async def test_what_is_sent_over_a_broken_link_runs_once(
    tmp_path: Path, gateway: Served, kernel_id: str
) -> None:
    url = URL(gateway.url)
    assert url.port is not None
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Relay(url.port))
        notebook = await stack.enter_async_context(served_notebook(tmp_path, str(url.with_port(relay.port))))
        http = await stack.enter_async_context(notebook.client())
        browser = await stack.enter_async_context(connected(http, kernel_id))
        await browser.execute("ran = 0")
        async with relay.refusing():
            relay.cut()
            await browser.until("status", execution_state="busy")
            ids = [await browser.send("execute_request", {"code": "ran += 1"}) for _ in range(3)]
        for msg_id in ids:
            await browser.until("execute_reply", parent=msg_id, status="ok")
        assert await browser.value("ran") == "3"
        assert browser.websocket.close_code is None
        assert [event["state"] for event in notebook.events] == ["lost", "back"]
        assert notebook.events[0]["place"] == "gpu-box"


async def test_a_kernel_that_is_shut_down_is_dead_for_its_browsers(
    http: ClientSession, gateway: Served, kernel_id: str
) -> None:
    async with connected(http, kernel_id) as browser, gateway.client() as beside:
        await browser.execute("1")
        async with beside.delete(f"api/kernels/{kernel_id}") as answer:
            assert answer.status == 204
        await browser.until("status", execution_state="dead")
        code, _ = await browser.closed()
    assert code == CloseCode.KERNEL_GONE


async def test_what_is_no_message_closes_one_socket_alone(http: ClientSession, kernel_id: str) -> None:
    async with connected(http, kernel_id) as other:
        for frame in ("{}", b"\xff" * 40):
            async with connected(http, kernel_id) as browser:
                await browser.send_frame(frame)
                code, reason = await browser.closed()
                assert code == CloseCode.PROTOCOL_ERROR
                assert "frame" in reason
        assert await other.value("1 + 1") == "2"


async def test_a_handshake_that_cannot_be_fails_and_leaves_nothing(
    notebook: Notebook, http: ClientSession, gateway: Served, kernel_id: str
) -> None:
    async with http.get(f"api/kernels/{kernel_id}/channels") as answer:
        assert answer.status == 400
    await until_closed()
    with pytest.raises(WSServerHandshakeError) as refused:
        async with connected(http, "00000000-0000-4000-8000-000000000000"):
            pass
    assert refused.value.status == 404
    await until_closed()
    async with Gateway("http://127.0.0.1:9", token="t") as nowhere:
        notebook.place.gateway = nowhere
        with pytest.raises(WSServerHandshakeError) as refused:
            async with connected(http, kernel_id):
                pass
    assert refused.value.status == 503
    assert notebook.place.troubles
    await until_closed()
    assert not ZMQChannelsWebsocketConnection._open_sessions


async def test_a_browser_is_not_read_while_the_link_is_full_and_not_cut_off_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelway.jupyter.handler_socket._STALL", 0.01)
    host = LinkHost()
    host.takes, host.answer = False, host.finish
    size, many = 1 << 20, 40
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(served(host))
        notebook = await stack.enter_async_context(served_notebook(tmp_path, peer.base_url))
        http = await stack.enter_async_context(notebook.client())
        browser = await stack.enter_async_context(connected(http, KERNEL_ID))
        [connection] = connections()
        handler = connection.websocket_handler
        handler.last_pong = 0.0
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(send_all(browser, ["x" * size for _ in range(many)]))
            while not handler.last_pong:
                await asyncio.sleep(0.01)
            assert not sending.done()
            assert not host.has_run(1)
            host.takes = True
            host.cut()
        await host.until(lambda: host.has_run(many))
        assert {len(code) for code in host.codes} == {size}
        assert len(host.codes) == many


async def test_the_end_of_the_server_leaves_nothing(tmp_path: Path, gateway: Served, kernel_id: str) -> None:
    async with AsyncExitStack() as stack:
        async with served_notebook(tmp_path, gateway.url) as notebook:
            http = await stack.enter_async_context(notebook.client())
            browser = await stack.enter_async_context(connected(http, kernel_id))
            assert await browser.value("6 * 7") == "42"
        assert not connections()
    async with gateway.client() as beside, beside.get(f"api/kernels/{kernel_id}") as answer:
        assert answer.status == 200


async def test_pages_hear_that_a_gateway_is_lost_and_that_it_is_back(tmp_path: Path) -> None:
    with ExitStack() as processes:
        person = processes.enter_context(person_in(tmp_path))
        gateway = processes.enter_context(gateway_of(person, "gpu"))
        url = URL(gateway.api.url)
        assert url.port is not None
        async with Relay(url.port) as relay, AsyncExitStack() as stack:
            far = replace(gateway, api=replace(gateway.api, url=str(url.with_port(relay.port))))
            person.save(gpu_box=far)
            server = await asyncio.to_thread(processes.enter_context, notebook_server_of(person))
            kernel_id = await asyncio.to_thread(server.api.start, "python3.gpu-box")
            headers = {"Authorization": f"token {server.api.token}"}
            http = await stack.enter_async_context(ClientSession(server.api.url, headers=headers))
            events = await stack.enter_async_context(http.ws_connect("api/events/subscribe"))
            browsers = [await stack.enter_async_context(connected(http, kernel_id)) for _ in range(2)]
            assert await browsers[0].value("6 * 7") == "42"
            async with relay.refusing():
                relay.cut()
                lost = await events.receive_json(timeout=DEADLINE)
            back = await events.receive_json(timeout=DEADLINE)
            for browser in browsers:
                await browser.until("status", execution_state="idle", parent="")
            assert [(told["schema_id"], told["place"]) for told in (lost, back)] == [
                (SCHEMA_ID, "gpu-box")
            ] * 2
            assert (lost["state"], back["state"]) == ("lost", "back")
