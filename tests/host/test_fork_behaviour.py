"""What happens to a forked kernel, and to one that was started by command: each test is of both."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.host.both_starts import WAYS, assert_started, descriptors_of, environ_of, server_of, started
from tests.host.talk import until_gone

from kernelway.protocol.message import Channel

both_ways = pytest.mark.parametrize("way", WAYS)

WAITING = {
    "time.sleep": "import time; print('waits', flush=True); time.sleep(600)",
    "a lock": "import threading as t; a = t.Lock(); a.acquire(); print('waits', flush=True); a.acquire()",
    "reading": "import os; reader, _ = os.pipe(); print('waits', flush=True); os.read(reader, 1)",
    "a loop": "print('waits', flush=True)\nwhile True: pass",
    "a loop in C": "import itertools; print('waits', flush=True); sum(map(lambda x: x, itertools.repeat(1)))",
    "a child": "import subprocess; print('waits', flush=True); subprocess.run(['sleep', '600'])",
}


@both_ways
async def test_an_interrupt_ends_whatever_runs(way: str) -> None:
    async with started(way) as kernel:
        for name, code in WAITING.items():
            request = await kernel.talk.execute(code)
            assert await kernel.talk.hear_line() == "waits\n", name
            await kernel.host.interrupt_kernel(kernel.id)
            ran = await kernel.talk.result(request)
            assert ran.error == "KeyboardInterrupt", name
        assert await kernel.tell("1 + 1") == "2"


@both_ways
async def test_an_interrupt_ends_a_question(way: str) -> None:
    async with started(way) as kernel:
        request = await kernel.talk.execute("input('name? ')")
        assert (await kernel.talk.hear_type("input_request"))["prompt"] == "name? "
        await kernel.host.interrupt_kernel(kernel.id)
        assert (await kernel.talk.result(request)).error == "KeyboardInterrupt"


@both_ways
async def test_an_interrupt_of_an_idle_kernel_is_nothing(way: str) -> None:
    async with started(way) as kernel:
        await kernel.host.interrupt_kernel(kernel.id)
        assert await kernel.tell("1 + 1") == "2"


@both_ways
async def test_a_question_is_answered(way: str) -> None:
    async with started(way) as kernel:
        request = await kernel.talk.execute("print('Hello', input())")
        message = await kernel.talk.hear(lambda each: each.read_header().msg_type == "input_request")
        assert message.channel is Channel.STDIN
        await kernel.talk.ask("input_reply", {"value": "you"}, Channel.STDIN)
        assert (await kernel.talk.result(request)).text == "Hello you\n"


@both_ways
async def test_a_debugger_attaches(way: str) -> None:
    async with started(way) as kernel:

        async def ask(number: int, command: str, **arguments: object) -> dict[str, object]:
            request = {"type": "request", "seq": number, "command": command, "arguments": arguments}
            asked = await kernel.talk.ask("debug_request", request, Channel.CONTROL)
            reply = await kernel.talk.hear(
                lambda each: (
                    each.read_header().msg_type == "debug_reply" and each.read_parent_header().msg_id == asked
                )
            )
            return dict(reply.read_content())

        assert (await ask(1, "debugInfo"))["success"]
        adapter = {"clientID": "x", "adapterID": "", "pathFormat": "path", "linesStartAt1": True}
        initialized = await ask(2, "initialize", **adapter)
        assert initialized["success"], initialized
        assert (await ask(3, "attach"))["success"]
        dumped = await ask(4, "dumpCell", code="x = 1\n")
        assert dumped["success"]
        assert (await ask(5, "disconnect", restart=False, terminateDebuggee=False))["success"]
        assert await kernel.tell("1 + 1") == "2"


@both_ways
async def test_a_comm_carries_bytes(way: str) -> None:
    opened = "import comm; c = comm.create_comm('t', data={'a': 1}, buffers=[b'\\x00\\xff'])\n"
    async with started(way) as kernel:
        await kernel.talk.execute(opened)
        message = await kernel.talk.hear(lambda each: each.read_header().msg_type == "comm_open")
        assert [bytes(buffer) for buffer in message.buffers] == [b"\x00\xff"]
        await kernel.tell("heard = []\nc.on_msg(lambda each: heard.append(each['content']['data']))")
        sent = {"comm_id": message.read_content()["comm_id"], "data": {"b": 2}}
        await kernel.talk.ask("comm_msg", sent)
        assert await kernel.tell("heard") == "[{'b': 2}]"


ENDS = {
    "import os; os._exit(3)": "The kernel exited with status 3.",
    "import os; os.kill(os.getpid(), 9)": "The kernel was ended by SIGKILL.",
    "import os; os.abort()": "The kernel was ended by SIGABRT.",
    "import ctypes; ctypes.string_at(0)": "The kernel was ended by SIGSEGV.",
    "import sys, os; print('words', file=sys.__stderr__, flush=True); os._exit(1)": "output:\nwords",
}


@both_ways
async def test_how_it_ended_is_told(way: str) -> None:
    async with started(way) as kernel:
        for code, told in ENDS.items():
            await kernel.talk.execute(code)
            await kernel.talk.hear_status("restarting")
            assert told in str((await kernel.host.kernel(kernel.id)).reason)
            assert await kernel.tell("1 + 1") == "2"


@both_ways
async def test_what_runs_at_its_end_runs(way: str, tmp_path: Path) -> None:
    async with started(way) as kernel:
        file = tmp_path / "ended"
        await kernel.tell(
            "import atexit, pathlib, os\n"
            f"atexit.register(pathlib.Path({str(file)!r}).write_text, str(os.getpid()))"
        )
        pid = await kernel.tell("os.getpid()")
        await kernel.host.shutdown_kernel(kernel.id)
        assert file.read_text() == pid


@both_ways
async def test_what_it_started_ends_with_it(way: str) -> None:
    code = """
import os, subprocess
others = [subprocess.Popen(["sleep", "600"], start_new_session=True).pid]
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        os.setsid()
        import time
        time.sleep(600)
    others.append(pid)
others
"""
    async with started(way) as kernel:
        others = [psutil.Process(pid) for pid in json.loads(await kernel.tell(code))]
        await kernel.host.shutdown_kernel(kernel.id)
        await until_gone(*others)


@both_ways
async def test_the_system_shows_whose_it_is(way: str) -> None:
    async with started(way, {"MINE": "1"}) as kernel:
        pid = int(await kernel.tell("import os; os.getpid()"))
        shown = environ_of(pid)
        assert shown[b"KERNELWAY_KERNEL_ID"].decode() == kernel.id
        assert shown[b"KERNELWAY_HOST"].decode() == kernel.host._options.mark
        assert shown[b"JPY_PARENT_PID"].decode() == str(os.getpid())
        assert psutil.Process(pid).cmdline()[-4:-1] == ["-m", "ipykernel_launcher", "-f"]


@both_ways
async def test_the_environment_is_as_asked(way: str) -> None:
    async with started(way, {"MINE": "ü = 1\n2", "PATH": "/nowhere:/usr/bin"}, Path("/usr")) as kernel:
        assert await kernel.tell("import os; os.environ['MINE'], os.environ['PATH'], os.getcwd()") == (
            "('ü = 1\\n2', '/nowhere:/usr/bin', '/usr')"
        )


@both_ways
async def test_what_is_installed_later_can_be_imported(way: str, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    async with started(way, environ=environ) as kernel:
        (tmp_path / "installed_later.py").write_text("value = 1")
        (tmp_path / "package_of_later").mkdir()
        (tmp_path / "package_of_later" / "__init__.py").write_text("value = 2")
        code = "import installed_later, package_of_later; installed_later.value, package_of_later.value"
        assert await kernel.tell(code) == "(1, 2)"


@both_ways
async def test_the_time_zone_and_the_locale_are_those_of_its_variables(way: str) -> None:
    environ = {**os.environ, "TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8"}
    code = "import time, locale; time.tzname[0], time.localtime(0).tm_hour, locale.setlocale(locale.LC_TIME)"
    async with started(way, environ=environ) as kernel:
        assert await kernel.tell(code) == "('IST', 5, 'C')"


@both_ways
async def test_a_variable_that_python_adds_for_its_locale_is_there(way: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    async with started(way, environ=environ) as kernel:
        assert await kernel.tell("import os; os.environ['LC_CTYPE']") == "'C.UTF-8'"


DRAWN = """
import json, multiprocessing, os, random, secrets, ssl, tempfile, uuid
print(json.dumps([random.random(), random.getrandbits(64), secrets.token_hex(8), ssl.RAND_bytes(8).hex(),
    str(uuid.uuid4()), os.path.basename(tempfile.mktemp()), os.urandom(8).hex(),
    bytes(multiprocessing.current_process().authkey).hex(), get_ipython().kernel.ident]))
"""


async def test_two_forked_kernels_draw_different_numbers() -> None:
    async with started("forked") as one:
        other = await one.another()
        assert_started(one.host, "forked", kernels=2)
        drawn = [json.loads(await kernel.tell(DRAWN)) for kernel in (one, other)]
        assert all(mine != theirs for mine, theirs in zip(*drawn, strict=True)), drawn


async def test_a_forked_kernel_holds_nothing_of_its_servers() -> None:
    async with started("forked") as kernel:
        await kernel.another()
        pid = int(await kernel.tell("import os; os.getpid()"))
        # What stands for a kernel's own output, and what both found open when they were started, is shared.
        assert descriptors_of(pid) & descriptors_of(server_of(kernel.host)) <= {"/dev/null"}


async def test_forked_kernels_live_on_when_their_server_is_killed() -> None:
    async with started("forked") as kernel:
        os.kill(server_of(kernel.host), signal.SIGKILL)
        (server,) = kernel.host._forks._servers if kernel.host._forks is not None else ()
        await server.ended()
        assert await kernel.tell("1 + 1") == "2"
        other = await kernel.another()
        assert await other.tell("1 + 1") == "2"
        await kernel.talk.execute("import os; os._exit(3)")
        await kernel.talk.hear_status("restarting")
        assert "how is not known" in str((await kernel.host.kernel(kernel.id)).reason)
        await kernel.talk.hear_status("idle")
        assert_started(kernel.host, "forked", kernels=2)
