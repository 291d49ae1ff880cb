"""Kernels on every kind of server."""

from __future__ import annotations

import asyncio

import pytest
from tests.client.gateways import Place
from tests.client.scripted import collect
from tests.support.processes import until

from kernelway.client import (
    Clear,
    Display,
    Error,
    Execution,
    Gateway,
    InputRequest,
    Kernel,
    Output,
    Result,
    Stream,
    Update,
)
from kernelway.protocol.errors import KernelDied, KernelRestarted, KernelwayError, TimedOut

DEADLINE = 60.0


async def outputs_of(kernel: Kernel, code: str) -> list[Output]:
    return [output async for output in kernel.execute(code, timeout=DEADLINE)]


async def until_running(execution: Execution) -> None:
    """Wait for the line that the code prints when it runs."""
    async for output in execution:
        assert output == Stream("stdout", "runs\n")
        return


def say(text: str) -> str:
    """Code that publishes a text as one message: what print writes can come as two."""
    return f"import sys\n_ = sys.stdout.write({text!r})\nsys.stdout.flush()\n"


SLEEPS = say("runs\n") + "import time\ntime.sleep(100)"

STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + say("runs\n") + "time.sleep(100)"
)
"""Code that only the kernel's end ends: servers interrupt a kernel before they end it, and code that the
interrupt ends has an answer of its own, if that is quicker than the end."""


async def test_outputs_are_typed(kernel: Kernel) -> None:
    code = """
import sys
from IPython.display import clear_output, display
_ = sys.stdout.write("out\\n")
sys.stdout.flush()
_ = sys.stderr.write("err\\n")
sys.stderr.flush()
handle = display({"text/plain": "shown"}, raw=True, display_id="one", metadata={"a": 1})
handle.update({"text/plain": "updated"}, raw=True)
clear_output(wait=True)
6 * 7
"""
    outputs = await outputs_of(kernel, code)
    assert outputs == [
        Stream("stdout", "out\n"),
        Stream("stderr", "err\n"),
        Display({"text/plain": "shown"}, {"a": 1}, display_id="one"),
        Update("one", {"text/plain": "updated"}, {}),
        Clear(wait=True),
        Result({"text/plain": "42"}, {}, execution_count=1),
    ]


async def test_an_error_is_an_output_and_a_reply_and_no_exception(lasting_kernel: Kernel) -> None:
    execution = lasting_kernel.execute("1/0", timeout=DEADLINE)
    outputs = [output async for output in execution]
    assert len(outputs) == 1
    assert isinstance(outputs[0], Error)
    assert (outputs[0].name, outputs[0].value) == ("ZeroDivisionError", "division by zero")
    reply = await execution.reply
    assert reply.status == "error"
    assert reply.content["ename"] == "ZeroDivisionError"
    assert execution.finished


async def test_expressions_and_metadata_travel(kernel: Kernel) -> None:
    execution = kernel.execute(
        "x = 5", silent=True, store_history=False, user_expressions={"double": "x * 2"}, timeout=DEADLINE
    )
    reply = await execution.reply
    assert reply.content["user_expressions"]["double"]["data"] == {"text/plain": "10"}
    assert reply.execution_count == 0


async def test_several_executions_at_once_have_their_own_outputs(lasting_kernel: Kernel) -> None:
    codes = [say(f"{number}\n") + f"{number} * 10" for number in range(20)]
    executions = [lasting_kernel.execute(code, timeout=DEADLINE) for code in codes]
    # They are read last to first, and all at once.
    got = await asyncio.gather(*(anext(aiter(each)) for each in reversed(executions)))
    assert got == [Stream("stdout", f"{number}\n") for number in reversed(range(20))]
    rest = [[output async for output in each] for each in (lasting_kernel.execute(code) for code in codes)]
    results = [[output for output in outputs if isinstance(output, Result)] for outputs in rest]
    assert [result.data["text/plain"] for [result] in results] == [str(n * 10) for n in range(20)]


async def test_input_and_passwords_are_asked_for_and_answered(lasting_kernel: Kernel) -> None:
    code = "import getpass\nname = input('name? ')\nsecret = getpass.getpass('secret? ')\n(name, len(secret))"
    execution = lasting_kernel.execute(code, timeout=DEADLINE)
    asked = []
    result = None
    async for output in execution:
        if isinstance(output, InputRequest):
            asked.append((output.prompt, output.password))
            await execution.answer(output, "secret ✓" if output.password else "Ada")
        elif isinstance(output, Result):
            result = output.data["text/plain"]
    assert asked == [("name? ", False), ("secret? ", True)]
    assert result == "('Ada', 8)"


async def test_code_that_may_not_ask_fails_at_once(lasting_kernel: Kernel) -> None:
    execution = lasting_kernel.execute("input()", allow_stdin=False, timeout=DEADLINE)
    assert (await execution.reply).content["ename"] == "StdinNotImplementedError"


async def test_leaving_an_execution_interrupts_nothing_and_interrupting_does(kernel: Kernel) -> None:
    first = kernel.execute(SLEEPS)
    await until_running(first)
    second = kernel.execute("'second'", timeout=DEADLINE)

    async def busy() -> bool:
        return (await kernel.model()).execution_state == "busy"

    # Stock servers hear it by another socket than the output comes by.
    await until(busy)
    await kernel.interrupt()
    # The kernel drops what was sent after code that fails: an interrupt ends the first with an error.
    assert (await second.reply).status == "aborted"
    [result] = await outputs_of(kernel, "'third'")
    assert isinstance(result, Result)


async def test_an_interrupt_is_an_error_of_the_code(kernel: Kernel) -> None:
    execution = kernel.execute(SLEEPS, timeout=DEADLINE)
    iteration = aiter(execution)
    assert await anext(iteration) == Stream("stdout", "runs\n")
    await kernel.interrupt()
    error = await anext(iteration)
    assert isinstance(error, Error)
    assert error.name == "KeyboardInterrupt"
    assert (await execution.reply).status == "error"


async def test_a_kernel_that_kills_itself_fails_what_waits(kernel: Kernel) -> None:
    # ZeroMQ sends in a thread of its own, which needs a moment before the end.
    code = "import os, time\ntime.sleep(0.5)\nos._exit(7)"
    execution = kernel.execute(say("last words\n") + code, timeout=DEADLINE)
    waiting = asyncio.create_task(kernel.complete("impor"))
    outputs: list[Output] = []
    with pytest.raises((KernelDied, KernelRestarted)) as caught:
        await collect(execution, outputs)
    assert outputs == [Stream("stdout", "last words\n")]
    assert kernel.id in str(caught.value)
    with pytest.raises((KernelDied, KernelRestarted)):
        await waiting
    # Every server starts it again by itself, and the same connection serves the new one. Stock ones hand it
    # out before they hear it: its first outputs can be lost there.
    async with asyncio.timeout(DEADLINE):
        while not (outputs := await outputs_of(kernel, "1 + 1")):
            pass
    [result] = outputs
    assert isinstance(result, Result)
    assert result.data == {"text/plain": "2"}


async def test_our_own_server_tells_why_a_kernel_died(own_kernel: Kernel) -> None:
    with pytest.raises(KernelRestarted, match="status 7"):
        await own_kernel.execute("import os\nos._exit(7)", timeout=DEADLINE).reply


async def test_a_restart_fails_what_waits_and_leaves_a_fresh_kernel(kernel: Kernel) -> None:
    await outputs_of(kernel, "x = 1")
    execution = kernel.execute(STUBBORN, timeout=DEADLINE)
    await until_running(execution)
    waiting = kernel.execute("1", timeout=DEADLINE)
    await kernel.restart()
    with pytest.raises(KernelRestarted):
        await waiting.reply
    [error] = await outputs_of(kernel, "x")
    assert isinstance(error, Error)
    assert error.name == "NameError"


async def test_a_restart_by_somebody_else_fails_what_waits(place: Place, kernel: Kernel) -> None:
    execution = kernel.execute("1", timeout=DEADLINE)
    await execution.reply
    execution = kernel.execute(STUBBORN, timeout=DEADLINE)
    async with place.gateway() as gateway:
        other = await gateway.connect(kernel.id)
        running = anext(aiter(execution))
        assert await running == Stream("stdout", "runs\n")
        waiting = kernel.execute("1", timeout=DEADLINE)
        await other.restart()
    with pytest.raises(KernelRestarted):
        await waiting.reply


async def test_a_shutdown_by_somebody_else_fails_what_waits(place: Place) -> None:
    async with place.gateway() as gateway:
        kernel = await gateway.start_kernel("python3")
        execution = kernel.execute(STUBBORN, timeout=DEADLINE)
        await until_running(execution)
        waiting = kernel.execute("1", timeout=DEADLINE)
        async with place.gateway() as other:
            await (await other.connect(kernel.id)).shutdown()
        with pytest.raises(KernelDied, match="shut down"):
            await waiting.reply


async def test_a_shutdown_fails_what_waits_and_ends_the_kernel(place: Place) -> None:
    async with place.gateway() as gateway:
        kernel = await gateway.start_kernel("python3")
        execution = kernel.execute(STUBBORN, timeout=DEADLINE)
        running = aiter(execution)
        await anext(running)
        await kernel.shutdown()
        with pytest.raises(KernelDied, match="shut down"):
            await anext(running)
        with pytest.raises(KernelwayError):
            kernel.execute("1")


async def test_leaving_the_gateway_leaves_the_kernel_running(place: Place) -> None:
    async with place.gateway() as gateway:
        kernel = await gateway.start_kernel("python3")
        await outputs_of(kernel, "x = 'kept'")
    async with place.gateway() as gateway:
        again = await gateway.connect(kernel.id)
        assert await outputs_of(again, "x") == [Result({"text/plain": "'kept'"}, {}, execution_count=2)]
        await again.shutdown()


async def test_completion_inspection_and_history(kernel: Kernel) -> None:
    await outputs_of(kernel, "%config IPCompleter.use_jedi = False")
    await outputs_of(kernel, "measurement = 1")
    await outputs_of(kernel, "'🐍'; measurement + 1")
    completed = await kernel.complete("'🐍'; measurem", timeout=DEADLINE)
    assert "measurement" in completed.matches
    # Positions are code points: the snake counts as one.
    assert (completed.cursor_start, completed.cursor_end) == (5, 13)
    assert "measurement" in (await kernel.complete("measurem + 1", 8, timeout=DEADLINE)).matches
    inspected = await kernel.inspect("'🐍'; measurement", 8, timeout=DEADLINE)
    assert inspected.found
    assert "int" in inspected.data["text/plain"]
    assert not (await kernel.inspect("nothing_here", timeout=DEADLINE)).found
    assert (await kernel.is_complete("for x in y:", timeout=DEADLINE)).status == "incomplete"
    assert (await kernel.is_complete("for x in y:", timeout=DEADLINE)).indent == "    "
    assert (await kernel.is_complete("1", timeout=DEADLINE)).status == "complete"
    assert (await kernel.is_complete("1 +* 2", timeout=DEADLINE)).status == "invalid"
    history = await kernel.history(2, timeout=DEADLINE)
    assert [entry[2] for entry in history.history] == ["measurement = 1", "'🐍'; measurement + 1"]
    with_output = await kernel.history(1, output=True, timeout=DEADLINE)
    # IPython does not keep outputs unless it is told to.
    assert with_output.history[0][2] == ("'🐍'; measurement + 1", None)
    searched = await kernel.history(5, pattern="measure*= 1", timeout=DEADLINE)
    assert [entry[2] for entry in searched.history] == ["measurement = 1"]


async def test_what_the_kernel_is(lasting_kernel: Kernel) -> None:
    info = await lasting_kernel.kernel_info(timeout=DEADLINE)
    assert info.language_info.name == "python"
    assert info.language_info.file_extension == ".py"
    model = await lasting_kernel.model()
    assert (model.id, model.name) == (lasting_kernel.id, "python3")


async def test_a_busy_kernel_answers_a_request_when_it_is_free_or_too_late(kernel: Kernel) -> None:
    await until_running(kernel.execute(SLEEPS))
    with pytest.raises(TimedOut, match="it may be busy"):
        await kernel.complete("a", timeout=0.1)
    await kernel.interrupt()


ECHO = """
from ipykernel.comm import Comm
def opened(comm, message):
    comm.send({"got": message["content"]["data"]}, buffers=[bytes(each)[::-1] for each in message["buffers"]])
    @comm.on_msg
    def _(message):
        data = message["content"]["data"]
        comm.send({"echo": data}, metadata={"m": 1}, buffers=[bytes(each) * 2 for each in message["buffers"]])
        if data == {"close": True}:
            comm.close({"bye": 1})
get_ipython().kernel.comm_manager.register_target("echo", opened)
"""


async def test_comms_opened_here_carry_binary_buffers_both_ways(lasting_kernel: Kernel) -> None:
    await outputs_of(lasting_kernel, ECHO)
    comm = await lasting_kernel.open_comm("echo", {"hello": 1}, buffers=[b"abc", memoryview(b"\x00\xff")])
    messages = aiter(comm)
    first = await asyncio.wait_for(anext(messages), DEADLINE)
    assert first.data == {"got": {"hello": 1}}
    assert [bytes(each) for each in first.buffers] == [b"cba", b"\xff\x00"]
    assert (await lasting_kernel.comm_info("echo"))[comm.id].target_name == "echo"
    await comm.send({"n": 1}, buffers=[bytes(range(256)) * 100])
    second = await asyncio.wait_for(anext(messages), DEADLINE)
    assert (second.data, second.metadata) == ({"echo": {"n": 1}}, {"m": 1})
    assert [bytes(each) for each in second.buffers] == [bytes(range(256)) * 200]
    await comm.send({"close": True})
    rest = [message.data async for message in messages]
    assert rest == [{"echo": {"close": True}}]
    assert comm.closed


async def test_comms_opened_by_the_kernel_are_delivered(kernel: Kernel) -> None:
    opened = kernel.comms("from-kernel")
    code = """
from ipykernel.comm import Comm
comm = Comm(target_name="from-kernel", data={"a": 1}, buffers=[b"xyz"])
got = []
comm.on_msg(lambda message: got.append(bytes(message["buffers"][0])))
comm.send({"b": 2})
"""
    await outputs_of(kernel, code)
    comm = await asyncio.wait_for(anext(aiter(opened)), DEADLINE)
    assert (comm.target, comm.opened.data) == ("from-kernel", {"a": 1})
    assert [bytes(each) for each in comm.opened.buffers] == [b"xyz"]
    assert (await asyncio.wait_for(anext(aiter(comm)), DEADLINE)).data == {"b": 2}
    await comm.send({}, buffers=[b"from here"])
    assert await outputs_of(kernel, "got") == [Result({"text/plain": "[b'from here']"}, {}, 2)]
    await comm.close()
    assert await kernel.comm_info("from-kernel") == {}


async def test_a_comm_for_a_target_that_nobody_knows_is_closed_at_once(kernel: Kernel) -> None:
    comm = await kernel.open_comm("no-such-target")
    async with asyncio.timeout(DEADLINE):
        assert [message async for message in comm] == []


async def test_every_iopub_message_for_who_needs_all(place: Place, kernel: Kernel) -> None:
    feed = kernel.messages()
    async with place.gateway() as gateway:
        other = await gateway.connect(kernel.id)
        await outputs_of(other, say("theirs\n"))
    async with asyncio.timeout(DEADLINE):
        async for message in feed:
            if message.read_header().msg_type == "stream":
                assert message.read_content()["text"] == "theirs\n"
                break
    # What the event loop closes after a break is closed before the answer to a later request.
    await kernel.kernel_info()
    assert kernel._conversation._feeds == []


async def test_ten_thousand_outputs_all_arrive_in_order(own_kernel: Kernel) -> None:
    code = "for i in range(10_000):\n    display({'text/plain': str(i)}, raw=True)"
    outputs = await outputs_of(own_kernel, code)
    assert [output.data["text/plain"] for output in outputs] == [str(i) for i in range(10_000)]


async def test_twenty_megabytes_in_and_out(own_kernel: Kernel) -> None:
    await outputs_of(own_kernel, ECHO)
    big = bytes(range(250)) * 80_000
    comm = await own_kernel.open_comm("echo", {"text": "x" * 1_000_000}, buffers=[big])
    echoed = await asyncio.wait_for(anext(aiter(comm)), DEADLINE)
    assert [bytes(each) for each in echoed.buffers] == [big[::-1]]
    [shown] = await outputs_of(own_kernel, "display({'text/plain': 'y' * 20_000_000}, raw=True)")
    assert shown.data["text/plain"] == "y" * 20_000_000


async def test_the_promised_example(place: Place, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = []
    async with Gateway(place.base_url, token=place.token) as gateway:
        session = await gateway.open_session("analysis.py", kernel="python3")
        async for output in session.kernel.execute("1 + 1"):
            seen.append(output)  # noqa: PERF401 - it is the example as it stands in the documentation.
        await session.shutdown()
    assert seen == [Result({"text/plain": "2"}, {}, execution_count=1)]
