"""The command as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.cli.conftest import Home
from tests.cli.console import console, kernelway

from kernelway import __version__
from kernelway.cli.main import main

COMMANDS = (
    [],
    *(
        [name]
        for name in (
            *("run", "exec", "attach", "log", "gateways", "kernelspecs", "sessions"),
            *("interrupt", "restart", "shutdown"),
        )
    ),
    ["serve"],
    ["stop"],
    *(["gateways", name] for name in ("list", "add", "check", "remove")),
)
HEAVY = ("aiohttp", "rich", "jupyter_client", "jupyter_core", "zmq", "uvloop", "kernelway.client", "asyncio")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits_on_a_terminal(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        main([*command, "--help"])
    assert left.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(["usage: kernelway", *command]) in lines[0]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    program = (
        "import sys\nfrom kernelway.cli.main import main\n"
        f"try:\n    main({[*command, '--help']!r})\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([flag])
    assert capsys.readouterr().out == f"kernelway {__version__}\n"


def test_errors_are_sentences(home: Home) -> None:
    done = kernelway("run", "nowhere.py", environ=home.environ, cwd=home.work)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kernelway: There is no file nowhere.py.\n"


def test_errors_end_their_rows_between_words_on_a_terminal(home: Home) -> None:
    long = "a" * 30 + ".py"
    with console("run", long, environ=home.environ, cwd=home.work, columns=40) as shown:
        assert shown.wait() == 1
    assert shown.screen.lines == ["kernelway: There is no file", f"{long}."]


def test_whoever_has_read_enough(home: Home) -> None:
    source = home.write("long.py", "for n in range(100000):\n    print(n)\n")
    command = f'"$0" -m kernelway run {source} | head -n 3'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}", sys.executable],
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == ["for n in range(100000):", "    print(n)", "  │ 0"]
    assert done.stderr == ""
    assert done.returncode == 1
