"""``kernelway run`` with real kernels, at a terminal: what a person sees, types and presses."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.conftest import Home, Served, bash_kernelspec
from tests.cli.console import console, is_gone, kernelway, pid_in

SPINNER = re.compile(r"\[[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏](?: \d+ s)?\]")

SLOW = """\
import os
os.getpid()
import time
for n in range(1000):
    print("step", n)
    time.sleep(30)
"after"
"""


def test_results_stand_beside_their_lines(home: Home) -> None:
    home.write("show.py", "x = 20\nx + 1\nfor n in range(2):\n    print(n)\n")
    with console("run", "show.py", environ=home.environ, cwd=home.work) as shown:
        assert shown.wait() == 0
    assert shown.screen.lines == [
        "x = 20          [✓]",
        "x + 1           [21]",
        "for n in range(2):",
        "    print(n)",
        "  │ 0",
        "  │ 1",
    ]
    assert "\x1b[32m[✓]" in shown.raw


def test_a_spinner_turns_and_text_comes_live(home: Home) -> None:
    home.write("slow.py", SLOW)
    with console("run", "slow.py", environ=home.environ, cwd=home.work) as shown:
        shown.until(lambda screen: SPINNER.search(screen.text) and "  │ step 0" in screen.text)
        assert shown.screen.lines[-1] == "  │ step 0"
        shown.press("\x03")
        assert shown.wait() == 130


def test_ctrl_c_interrupts_the_code(home: Home) -> None:
    home.write("slow.py", SLOW)
    with console("run", "slow.py", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("step 0")
        shown.press("\x03")
        assert shown.wait() == 130
    assert re.search(r"time\.sleep\(30\) +\[✗ KeyboardInterrupt\]", shown.screen.text)
    assert "slow.py:6" in shown.screen.text
    assert shown.screen.lines[-1] == "✗ Interrupted at line 4 of slow.py; 1 more statement was not run."
    assert "Ctrl-C again leaves" not in shown.screen.text, "it was shown only until the code had ended"


STUBBORN = """\
import os, time
os.getpid()
while True:
    try:
        print("busy")
        time.sleep(60)
    except KeyboardInterrupt:
        print("no")
"""


def test_ctrl_c_twice_leaves_and_the_private_kernel_ends(home: Home) -> None:
    home.write("stubborn.py", STUBBORN)
    with console("run", "stubborn.py", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ busy")
        shown.press("\x03")
        shown.until_text("  │ no")
        shown.until_text("Interrupting … Ctrl-C again leaves.")
        shown.press("\x03")
        assert shown.wait() == 130
        assert is_gone(pid_in(shown.screen.text))
    assert "Left." not in shown.screen.text


def test_ctrl_c_twice_leaves_a_kernel_that_is_not_the_commands_own(home: Home, served: Served) -> None:
    home.save(gpu=served.options)
    home.write("stubborn.py", STUBBORN)
    with console("run", "stubborn.py", "--on", "gpu", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ busy")
        shown.press("\x03")
        shown.until_text("  │ no")
        shown.press("\x03")
        assert shown.wait() == 130
    assert "Left. The kernel on gpu goes on: `kernelway attach stubborn.py --on gpu`" in shown.screen.text
    pid = pid_in(shown.screen.text)
    assert not is_gone(pid)
    sessions = json.loads(kernelway("sessions", "--on", "gpu", "--json", environ=home.environ).stdout)
    assert ("stubborn.py", "busy") in [(each["name"], each["state"]) for each in sessions]
    ended = kernelway("shutdown", "stubborn.py", environ=home.environ)
    assert ended.returncode == 0, ended.stderr
    assert is_gone(pid)


def test_more_than_a_screen(home: Home) -> None:
    home.write("long.py", "for n in range(300):\n    print('line', n)\n'end'\n")
    with console("run", "long.py", environ=home.environ, cwd=home.work, rows=10) as shown:
        assert shown.wait() == 0
    assert shown.screen.lines == [
        "for n in range(300):",
        "    print('line', n)",
        *(f"  │ line {n}" for n in range(300)),
        "'end'                   ['end']",
    ]


def test_a_window_that_changes(home: Home) -> None:
    home.write("slow.py", "import time\nprint('x' * 70)\nprint('y' * 70); input('on? ')\n")
    with console("run", "slow.py", environ=home.environ, cwd=home.work, columns=100) as shown:
        shown.until_text("on?")
        shown.resize(60, 24)
        shown.press("\n")
        assert shown.wait() == 0
    assert "y" * 56 in shown.screen.text


def test_an_interrupt_in_another_language(home: Home) -> None:
    bash_kernelspec(Path(home.environ["JUPYTER_DATA_DIR"]))
    home.write("slow.sh", "echo first\nsleep 60\necho never\n")
    with console("run", "slow.sh", environ=home.environ, cwd=home.work) as shown:
        shown.until(lambda screen: re.search(r"sleep 60 +\[[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", screen.text))
        shown.press("\x03")
        assert shown.wait() == 130
    assert re.search(r"sleep 60 +\[✗ interrupted\]", shown.screen.text)
    assert "echo never" not in shown.screen.text


def test_a_private_kernel_does_not_get_the_terminals_own_ctrl_c(home: Home) -> None:
    """The code decides what an interrupt does; a second one would hit its clean-up."""
    home.write(
        "count.py",
        "import time\nseen = 0\ntry:\n    print('ready')\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    seen += 1\nseen\n",
    )
    with console("run", "count.py", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ ready")
        shown.press("\x03")
        assert shown.wait() == 0
    assert re.search(r"seen +\[1\]", shown.screen.text)
