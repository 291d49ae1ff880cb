"""``jupyter console`` at a terminal, with a kernel of a gateway."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.console import Console, console
from tests.interop.bridged import DEADLINE, SCRIPTS, SHUT_DOWN, WHERE, Machine, machine  # noqa: F401
from tests.support.processes import Process
from tests.support.relay import Relay
from yarl import URL

_PATIENT = (
    f"--ZMQTerminalInteractiveShell.kernel_timeout={DEADLINE}",
    f"--ZMQTerminalInteractiveShell.kernel_is_complete_timeout={DEADLINE}",
)

_ATTEMPTS = 5
_SHOWN_WITHIN = 15.0

_FAR = 0.06
"""Seconds from here to the gateway: from there and back it is longer than the console waits for anything."""


@dataclass(slots=True)
class _JupyterConsole:
    """It, at its terminal."""

    terminal: Console
    _prompts: int = 0
    """Those at which something was typed."""

    def press(self, keys: str) -> None:
        """Type at the next prompt, once it is there."""
        self.terminal.until(lambda _: len(self._shown()) > self._prompts)
        self._prompts = len(self._shown())
        self.terminal.press(keys)

    def enter(self, code: str, *, shows: str = "") -> None:
        """Enter a line at the next prompt, and wait for this to be on the screen."""
        self.press(code + "\r")
        self.terminal.until_text(shows)

    def asks(self, question: str) -> bool:
        """Whether it shows the question within a while."""
        try:
            self.terminal.until(lambda screen: screen.lines[-1].startswith(question), deadline=_SHOWN_WITHIN)
        except AssertionError:
            return False
        return True

    def _shown(self) -> list[str]:
        return re.findall(r"^In \[\d+\]:", self.terminal.screen.text, re.MULTILINE)


@contextmanager
def _jupyter_console(machine: Machine, *arguments: str | Path) -> Iterator[_JupyterConsole]:  # noqa: F811
    # A terminal is asked where its cursor is otherwise, and ours gives no answer.
    environ = machine.environ | {"PROMPT_TOOLKIT_NO_CPR": "1"}
    program = (str(SCRIPTS / "jupyter"), "console", *_PATIENT)
    with console(*arguments, environ=environ, cwd=machine.work, program=program, columns=120) as terminal:
        yield _JupyterConsole(terminal)


def _answer(jupyter: _JupyterConsole) -> None:
    """Let a cell ask, and answer it.

    The console takes the end of an earlier request for the cell's own if it hears of that too late. Then it
    shows no question, and nothing tells of that: after a while the cell is interrupted, and entered again.
    """
    for attempt in range(_ATTEMPTS):
        question = f"who {attempt}?"
        jupyter.enter(f"answer = input('{question} ')")
        if jupyter.asks(question):
            jupyter.terminal.press("ada\r")
            return
        jupyter.terminal.press("\x03")
    raise AssertionError(jupyter.terminal.screen.text)


def _work(machine: Machine, kernel: str) -> None:  # noqa: F811
    with _jupyter_console(machine, "--kernel", kernel) as jupyter:
        jupyter.enter(f"import time; {WHERE}", shows="Out[1]: True")
        jupyter.enter("print('be' + 'gun'); time.sleep(1000)", shows="begun")
        jupyter.terminal.press("\x03")
        jupyter.terminal.until_text("KeyboardInterrupt")
        _answer(jupyter)
        jupyter.enter("'hello ' + answer", shows="'hello ada'")
        jupyter.enter("exit")
        assert jupyter.terminal.wait() == 0, jupyter.terminal.screen.text


async def test_a_line_an_interrupt_a_question_and_the_end(machine: Machine) -> None:  # noqa: F811
    url = URL(machine.server.url)
    assert url.port is not None
    machine.save("far", url)
    machine.install("--on", "far")
    async with Relay(url.port, delay=_FAR) as relay:
        machine.save("far", url.with_port(relay.port))
        await asyncio.to_thread(_work, machine, "python3.far")
        assert [each.reason for each in await machine.all_ended()] == [SHUT_DOWN]


def test_a_session_that_runs_is_joined_and_goes_on(machine: Machine) -> None:  # noqa: F811
    machine.run("kernelway", "run", "--on", "gpu-box", machine.write("train.py", "variable = 6 * 7"))
    file = machine.work / "kernel.json"
    command = [SCRIPTS / "kernelway", "bridge", "train.py", "--on", "gpu-box", "-f", file]
    ready = "jupyter console --existing"
    bridge = Process(command, ready=ready, environ=machine.environ, folder=machine.work)
    with bridge, _jupyter_console(machine, "--existing", file) as jupyter:
        jupyter.enter("'see', variable", shows="('see', 42)")
        jupyter.enter("variable = 'changed'")
        jupyter.press("\x04")
        jupyter.terminal.until_text("Do you really want to exit")
        jupyter.terminal.press("y\r")
        assert jupyter.terminal.wait() == 0, jupyter.terminal.screen.text
    done = machine.run("kernelway", "exec", "print(variable)", "--session", "train.py", "--on", "gpu-box")
    assert done.stdout == "changed\n"
    machine.run("kernelway", "shutdown", "train.py", "--on", "gpu-box")
