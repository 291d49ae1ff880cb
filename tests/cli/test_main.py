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
            *("run", "exec", "attach", "log", "gateways", "kernelspecs", "kernelspec", "sessions"),
            *("interrupt", "restart", "shutdown"),
        )
    ),
    ["serve"],
    ["stop"],
    *(["gateways", name] for name in ("list", "add", "check", "remove")),
    *(["kernelspec", name] for name in ("install", "list", "remove")),
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


def test_a_command_that_is_none_is_told_of_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["rum", "a.py"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "rum" in said
    assert all(name in said for name in ("run", "exec", "sessions", "shutdown", "serve", "stop"))


UNUSED = (
    *("aiohttp.web", "zmq", "jupyter_client", "ipykernel", "IPython", "tornado", "traitlets"),
    *("rich", "difflib", "html.parser", "tomllib", "keyring"),
    *("kernelway.gateway", "kernelway.host", "kernelway.cli.show.live", "kernelway.cli.tables"),
)


def test_a_run_on_a_gateway_loads_only_what_it_uses(gpu: Home) -> None:
    gpu.write("one.py", "print(6 * 7)")
    command = ["run", "one.py", "--on", "gpu"]
    program = (
        f"import sys\nfrom kernelway.cli.main import main\nstatus = main({command!r})\n"
        f"print('loaded:', status, [name for name in {UNUSED!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=gpu.environ,
        cwd=gpu.work,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    ended = kernelway("shutdown", "one.py", "--on", "gpu", environ=gpu.environ)
    assert ended.returncode == 0, ended.stderr
    assert "42" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: 0 []", done.stderr


OF_ITS_GATEWAY = ("kernelway.gateway.application", "kernelway.gateway.openapi", "kernelway.client", "rich")


def test_a_host_loads_nothing_that_is_its_gateways_alone() -> None:
    loaded = f"[name for name in {OF_ITS_GATEWAY!r} if name in sys.modules]"
    program = f"import sys, kernelway.cli.serve\nprint({loaded})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


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
