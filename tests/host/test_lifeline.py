"""The host's own connection to a run: when a kernel counts as ready, and what is heard of it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

import pytest
from tests.host.runs import DEADLINE, Runs
from tests.host.specs import IPC, SMALL, Specs

from kernelway.host.lifeline import Lifeline
from kernelway.protocol.errors import KernelStartFailed
from kernelway.protocol.message import Channel, Message, SessionId


def add_variant(specs: Specs, script: str) -> None:
    """A kernelspec ``variant``: the small kernel, with what the script changes of ``Variant``."""
    begin = f"import json, sys\nsys.path.insert(0, {str(SMALL.parent)!r})\nfrom small_kernel import *\n"
    end = "\nVariant(json.loads(Path(sys.argv[1]).read_text())).run()"
    specs.add("variant", ["python", "-c", begin + script + end, "{connection_file}"], metadata=IPC)


def states(messages: list[Message]) -> Counter[str]:
    contents = (each.read_content() for each in messages if each.read_header().msg_type == "status")
    return Counter(content["execution_state"] for content in contents)


def texts(messages: list[Message]) -> list[str]:
    return [each.read_content()["text"] for each in messages if each.read_header().msg_type == "stream"]


async def test_a_run_is_ready_when_its_answer_and_its_idle_were_seen(runs: Runs) -> None:
    await runs.ready()
    assert states(runs.published)["idle"] >= 1
    assert {message.channel for message in runs.published} == {Channel.IOPUB}


async def test_the_question_is_repeated_until_outputs_arrive(runs: Runs, specs: Specs) -> None:
    # As if the kernel's PUB socket learned late of the subscription: the first outputs go to nobody.
    add_variant(
        specs,
        """
class Variant(SmallKernel):
    unheard = 8

    def publish(self, kind, content):
        self.unheard -= 1
        if self.unheard < 0:
            super().publish(kind, content)
""",
    )
    await runs.ready("variant")
    assert states(runs.published)["idle"] >= 1


async def test_a_kernel_that_exits_before_it_is_ready_failed_to_start(runs: Runs, specs: Specs) -> None:
    specs.add_script("ending", "import sys; sys.exit('no licence')")
    with pytest.raises(KernelStartFailed, match=r"exited with status 1\..*\nno licence"):
        await runs.ready("ending")


async def test_an_answer_that_is_signed_with_another_key_is_none(runs: Runs, specs: Specs) -> None:
    add_variant(
        specs,
        """
class Variant(SmallKernel):
    def send(self, channel, *rest):
        right, self.key = self.key, b"wrong" if channel == "shell" else self.key
        super().send(channel, *rest)
        self.key = right
""",
    )
    with pytest.raises(KernelStartFailed, match=r"answer is wrong: .* signature"):
        await runs.ready("variant")


async def test_what_cannot_be_understood_is_logged_and_the_rest_is_heard(
    runs: Runs, specs: Specs, caplog: pytest.LogCaptureFixture
) -> None:
    add_variant(
        specs,
        """
class Variant(SmallKernel):
    def publish(self, kind, content):
        iopub = self.sockets["iopub"]
        iopub.send_multipart([b"garbage"])
        iopub.send_multipart([DELIMITER, b"signature", b"{}"])
        iopub.send_multipart([DELIMITER, b"wrong", b"{}", b"{}", b"{}", b"{}"])
        parts = [b'"status"', b"not JSON", b"{}", b"{}"]
        iopub.send_multipart([DELIMITER, self.sign(parts), *parts])
        super().publish(kind, content)
""",
    )
    await runs.ready("variant")
    understood = [message for message in runs.published if message.header != b'"status"']
    assert states(understood)["idle"] >= 1
    warnings = Counter(record.levelno for record in caplog.records)
    assert warnings[logging.WARNING] >= 4
    assert warnings[logging.ERROR] == 0


async def test_in_an_ipykernel_the_send_mark_is_lifted_and_nothing_else_is_changed(runs: Runs) -> None:
    _, lifeline = await runs.ready("python3")
    code = (
        "from ipykernel.kernelapp import IPKernelApp as App\n"
        "mark = App.instance().iopub_thread.socket.sndhwm\n"
        "print(mark, len(In), dir() == ['App', 'In', 'Out'], end='')"
    )
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def publish(message: Message) -> None:
        if texts([message]) and not heard.done():
            heard.set_result(texts([message])[0])

    lifeline._publish = publish
    lifeline._send(Channel.SHELL, "execute_request", {"code": code, "silent": False})
    async with asyncio.timeout(DEADLINE):
        assert (await heard).split()[:2] == ["0", "2"]


async def test_a_shutdown_that_is_asked_for_ends_the_kernel(runs: Runs) -> None:
    run, lifeline = await runs.ready()
    lifeline.request_shutdown()
    async with asyncio.timeout(DEADLINE):
        assert await run.exited() == "The kernel exited with status 0."


async def test_all_that_was_published_before_the_end_is_heard(runs: Runs) -> None:
    run, lifeline = await runs.ready()
    code = "for n in range(20_000): show(n)\nraise SystemExit"
    lifeline._send(Channel.SHELL, "execute_request", {"code": code})
    async with asyncio.timeout(DEADLINE):
        await run.exited()
    await run.end(shutdown=None, patience=1)
    await lifeline.finish()
    assert texts(runs.published) == [str(n) for n in range(20_000)]
    lifeline.close()


async def test_what_is_asked_of_a_closed_lifeline_changes_nothing(runs: Runs) -> None:
    run = await runs.started()
    lifeline = Lifeline(run, SessionId("host"), runs.published.append)
    lifeline.request_shutdown()
    await lifeline.finish()
    lifeline.close()


async def test_waiting_can_be_given_up(runs: Runs, specs: Specs) -> None:
    specs.add_script("silent", "import time\ntime.sleep(600)")
    run = await runs.started("silent")
    lifeline = Lifeline(run, SessionId("host"), runs.published.append)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await lifeline.until_ready()
    lifeline.close()


# Silent questions


async def test_what_a_kernel_publishes_in_answer_to_a_silent_question_is_nobodys(runs: Runs) -> None:
    _, lifeline = await runs.ready("python3")
    content = {"code": "print('hush')", "user_expressions": {"sum": "1 + 1"}}
    reply = await lifeline.ask_silently("execute_request", content)
    assert reply["user_expressions"]["sum"]["data"]["text/plain"] == "2"
    assert lifeline.speaker is not None
    assert "execute_input" not in {each.read_header().msg_type for each in runs.published}
    assert "hush" not in "".join(texts(runs.published))


async def test_somebody_else_can_be_told_from_now_on(runs: Runs) -> None:
    _, lifeline = await runs.ready("python3")
    before = len(runs.published)
    heard: asyncio.Queue[Message] = asyncio.Queue()
    lifeline.redirect(heard.put_nowait)
    lifeline.request_shutdown()
    async with asyncio.timeout(DEADLINE):
        await heard.get()
    assert len(runs.published) == before


async def test_a_kernel_that_exits_instead_of_an_answer_is_told(runs: Runs) -> None:
    _, lifeline = await runs.ready("python3")
    with pytest.raises(KernelStartFailed, match="exited with status 3"):
        await lifeline.ask_silently("execute_request", {"code": "import os; os._exit(3)"})
