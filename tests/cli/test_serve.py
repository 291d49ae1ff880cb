"""``kernelway serve`` as a process: its address, its state, and its end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.cli.conftest import Home
from tests.cli.console import console, kernelway
from tests.cli.serving import ENDS_WITHIN, Gateway, child_of, serving

from kernelway.cli.main import main
from kernelway.host.processes import ProcessIdentity
from kernelway.host.state import Serving, StateFolder

DEADLINE = 30.0


def runtime(home: Home) -> list[Path]:
    """What gateways keep while they run: folders of sockets."""
    return list((Path(home.environ["XDG_RUNTIME_DIR"]) / "kernelway").glob("*"))


def processes_of(gateway: Gateway) -> list[psutil.Process]:
    return psutil.Process(gateway.process.pid).children(recursive=True)


# The address


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_next_free_port_is_taken_and_told(home: Home, taken: int) -> None:
    with serving(home, "--port", str(taken)) as gateway:
        port = int(re.findall(r":(\d+)/", gateway.url)[0])
        assert taken < port <= taken + 50
        assert gateway.call("api")["kernelway"]


def test_without_retries_a_taken_port_is_refused(home: Home, taken: int) -> None:
    done = kernelway(
        "serve", "--port", str(taken), "--port-retries", "0", environ=home.environ, cwd=home.work
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {taken} is taken" in done.stderr
    assert "--port 0 any free one" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_unix_socket_is_the_users_own_and_goes_with_the_gateway(home: Home) -> None:
    path = Path(home.environ["XDG_RUNTIME_DIR"]) / "s"
    with serving(home, "--socket", str(path)) as gateway:
        assert gateway.url.partition("?")[0] == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /api HTTP/1.0\r\n\r\n")
            assert b" 200 " in client.recv(1000)
        gateway.end()
        assert not path.exists()


# The state folder


def test_the_token_is_kept_and_the_folder_has_one_holder(home: Home) -> None:
    state = home.work / "state"
    with serving(home, "--port", "0") as first:
        token = first.url.partition("?token=")[2]
        assert len(token) >= 32
        assert (state / "token").read_text().strip() == token
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in state.iterdir()}
        assert modes == {"lock": 0o600, "token": 0o600, "journals": 0o700}
        assert token not in (state / "lock").read_text()

        second = kernelway(
            "serve", "--port", "0", "--state-dir", "state", environ=home.environ, cwd=home.work
        )
        told = " ".join(second.stderr.split())
        assert second.returncode == 1
        assert f"is in use by process {first.process.pid}, which serves {first.url.partition('?')[0]}" in told
        assert "kernelway stop --state-dir" in told
        assert token not in told

        with pytest.raises(urllib.error.HTTPError, match="401"):
            Gateway(first.process, first.url + "x").call("api/kernels")
        assert first.end(signal.SIGHUP) < ENDS_WITHIN
    with serving(home, "--port", "0") as again:
        assert again.url.partition("?token=")[2] == token
        assert again.call("api/kernels") == []
    assert runtime(home) == []


def test_a_token_that_is_given_is_used_and_not_kept(home: Home) -> None:
    with serving(home, "--port", "0", "--stop-when-idle", "0.2", KERNELWAY_TOKEN="given") as gateway:
        assert gateway.url.endswith("?token=given")
        assert not (home.work / "state" / "token").exists()
        # And nobody uses it, so that it ends by itself.
        assert psutil.Process(gateway.process.pid).wait(ENDS_WITHIN) == 0


def test_a_state_folder_in_use_leaves_no_socket_behind(
    home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = Path(home.environ["XDG_RUNTIME_DIR"]) / "s"
    with StateFolder(tmp_path / "state") as state:
        state.announce(Serving(ProcessIdentity.of(os.getpid()), "http://here/", "1"))
        assert main(["serve", "--socket", str(path), "--state-dir", str(tmp_path / "state")]) == 1
    assert f"process {os.getpid()}, which serves http://here/" in " ".join(capsys.readouterr().err.split())
    assert not path.exists()


# What it is told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--no-auth", "--ip", "0.0.0.0"],
            "--no-auth would let everybody run code as you who can reach 0.0.0.0.",
        ),
        (["--token", ""], "An empty token lets everybody in"),
        (["--keyfile", "k.pem"], "--keyfile needs --certfile beside it."),
        (["--ip", "300.1.1.1"], "--ip 300.1.1.1: this address is not known"),
        (["--port", "x"], "--port: the value 'x' does not fit: Expected `int`"),
        (["--socket", "pyproject.toml"], "--socket pyproject.toml: something else is there"),
        (["--config", "nowhere.toml"], "The configuration file 'nowhere.toml' cannot be read"),
        (["--state-dir", "pyproject.toml", "--port", "0"], "pyproject.toml"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "pyproject.toml").write_text("important")
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--state-dir", "state", *arguments]) == 1
    told = capsys.readouterr()
    assert said in " ".join(told.err.split())
    assert told.err.startswith("kernelway: ")
    assert (tmp_path / "pyproject.toml").read_text() == "important"


def test_a_certificate_that_cannot_be_used_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    arguments = ["--port", "0", "--state-dir", str(tmp_path / "s"), "--certfile", str(tmp_path / "c.pem")]
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert main(["serve", *arguments]) == 1
    assert "holds no certificate in PEM form" in " ".join(capsys.readouterr().err.split())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_unknown_key_of_the_file_is_told_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text("max_kernel = 3\n")
    assert main(["serve", "--config", str(tmp_path / "c.toml")]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "there is no setting 'max_kernel'. Did you mean 'max_kernels'?" in told


def test_the_settings_are_shown_with_their_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.toml").write_text('base-url = "/x"\nport = 1\n')
    monkeypatch.setenv("KERNELWAY_TOKEN", "s3cret")
    monkeypatch.setenv("KERNELWAY_CULL_BUSY", "true")
    assert main(["serve", "--show-config", "--config", str(tmp_path / "c.toml"), "--port", "2"]) == 0
    shown = {line.split(" ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert re.fullmatch(r"port = 2 +# --port", shown["port"])
    assert re.fullmatch(rf'base_url = "/x" +# {tmp_path}/c\.toml', shown["base_url"])
    assert re.fullmatch(r"cull_busy = true +# KERNELWAY_CULL_BUSY", shown["cull_busy"])
    assert re.fullmatch(r'token = "\[hidden\]" +# KERNELWAY_TOKEN', shown["token"])
    assert re.fullmatch(r"cull_interval = 300.0 +# default", shown["cull_interval"])


@pytest.mark.parametrize("command", [["jupyter-kernelway"], ["jupyter", "kernelway"]], ids=" ".join)
def test_it_is_a_command_of_jupyter_too(command: list[str]) -> None:
    scripts = sysconfig.get_path("scripts")
    environ = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    program = [str(Path(scripts) / command[0]), *command[1:], "--show-config", "--port", "7"]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert re.search(r"^port = 7 +# --port$", done.stdout, re.MULTILINE)
    assert done.stderr == ""


# The gateway, which is a process of its own


def test_a_gateway_that_is_killed_comes_back_and_its_kernels_never_went(home: Home) -> None:
    with serving(home, "--port", "0") as gateway:
        kernel_id = gateway.start_kernel()
        for _ in range(3):
            first = child_of(gateway)
            first.kill()
            # Who comes meanwhile waits at the same port, and shows the same token.
            assert [kernel["id"] for kernel in gateway.call("api/kernels")] == [kernel_id]
            assert child_of(gateway) != first
            assert not first.is_running()
    assert gateway.process.text.count("The gateway was ended by SIGKILL and is started again.") == 3
    assert runtime(home) == []


# Kernels, and the end


def test_sigterm_ends_the_kernels_and_then_the_gateway(home: Home) -> None:
    secrets = {"KERNELWAY_TOKEN": "s3cret-token", "KERNELWAY_CULL_INTERVAL": "7"}
    with serving(home, "--port", "0", "--log-level", "debug", "--log-format", "json", **secrets) as gateway:
        gateway.start_kernel()
        started = processes_of(gateway)
        kernels = [each for each in started if "ipykernel" in " ".join(each.cmdline())]
        assert len(kernels) == 1
        # Nothing of the gateway's own settings is in any of them; what is, tells whose they are.
        for each in started:
            own = {name for name in each.environ() if name.startswith("KERNELWAY_")}
            assert own <= {"KERNELWAY_HOST", "KERNELWAY_KERNEL_ID"}
            assert "s3cret-token" not in each.environ().values()
        assert len(runtime(home)) == 1

        assert gateway.end() < ENDS_WITHIN
        gone, alive = psutil.wait_procs(started, timeout=ENDS_WITHIN)
        assert (len(gone), alive) == (len(started), [])
    assert runtime(home) == []
    logged = [line for line in gateway.process.lines if line.startswith("{")]
    assert logged
    assert not [line for line in logged if "s3cret-token" in line]
    assert "Traceback" not in gateway.process.text
    assert (home.work / "state" / "lock").read_text() == ""


IGNORING = """
import os, signal, sys
signal.signal(signal.{name}, signal.SIG_IGN)
os.close(0)
os.execv(sys.executable, [sys.executable, "-m", "kernelway", *sys.argv[1:]])
"""


def ignoring(name: str) -> tuple[str, ...]:
    """Kernelway as it is started where a signal is ignored."""
    return sys.executable, "-c", IGNORING.format(name=name)


def test_nohup_is_respected_and_without_a_terminal_ctrl_c_asks_nobody(home: Home) -> None:
    with serving(home, "--port", "0", program=ignoring("SIGHUP")) as gateway:
        os.kill(gateway.process.pid, signal.SIGHUP)
        gateway.start_kernel()
        started = processes_of(gateway)
        assert len(gateway.call("api/kernels")) == 1
        assert gateway.end(signal.SIGINT) < ENDS_WITHIN
        _, alive = psutil.wait_procs(started, timeout=ENDS_WITHIN)
        assert alive == []
    assert "Traceback" not in gateway.process.text


def test_kernels_can_be_interrupted_where_a_script_started_the_gateway(home: Home) -> None:
    folder = Path(home.environ["JUPYTER_DATA_DIR"]) / "kernels" / "telling"
    folder.mkdir(parents=True)
    tells = ["sh", "-c", f"grep SigIgn /proc/self/status > {home.work}/ignored"]
    (folder / "kernel.json").write_text(json.dumps({"argv": tells, "display_name": "", "language": ""}))
    with serving(home, "--port", "0", program=ignoring("SIGINT")) as gateway:
        os.kill(gateway.process.pid, signal.SIGINT)
        with pytest.raises(urllib.error.HTTPError):
            gateway.call("api/kernels", {"name": "telling"})
        gateway.end()
    mask = int((home.work / "ignored").read_text().split()[1], 16)
    assert not mask & 1 << signal.SIGINT - 1


def test_a_gateway_that_is_killed_leaves_no_kernel(home: Home) -> None:
    with serving(home, "--port", "0") as gateway:
        gateway.start_kernel()
        started = processes_of(gateway)
        gateway.end(signal.SIGKILL)
        _, alive = psutil.wait_procs(started, timeout=ENDS_WITHIN)
        assert alive == []
    assert runtime(home) == []


def test_a_gateway_that_hangs_goes_with_a_host_that_is_killed(home: Home) -> None:
    with serving(home, "--port", "0") as gateway:
        child = child_of(gateway)
        assert "KERNELWAY_HOST" in child.environ()
        child.suspend()
        gateway.end(signal.SIGKILL)
        # It cannot hear that its input has ended; the guard finds it by its mark.
        _, alive = psutil.wait_procs([child], timeout=ENDS_WITHIN)
        assert alive == []
    assert runtime(home) == []


def test_ctrl_c_asks_before_it_ends_kernels(home: Home) -> None:
    command = ("serve", "--port", "0", "--state-dir", "state", "--kernel-shutdown-wait", "2")
    with console(*command, environ=home.environ, cwd=home.work, columns=200) as terminal:
        terminal.until_text("Ctrl-C stops it and ends its kernels.")
        gateway = Gateway(terminal.process, re.findall(r" serves (\S+)", terminal.screen.text)[0])  # type: ignore[arg-type]
        kernel_id = gateway.start_kernel()
        started = processes_of(gateway)

        terminal.press("\x03")
        terminal.until_text("End them and stop? [y/N, or Ctrl-C again]")
        assert re.search(rf"Running: python3 {kernel_id[:8]} \((idle|busy)\)", terminal.screen.text)
        terminal.press("n\n")
        terminal.until_text("It serves on.")
        assert gateway.call("api/kernels")[0]["id"] == kernel_id

        terminal.press("\x03")
        terminal.until(lambda screen: screen.text.count("End them and stop?") == 2)
        terminal.press("\x03")
        assert terminal.wait() == 0
        _, alive = psutil.wait_procs(started, timeout=ENDS_WITHIN)
        assert alive == []
    assert "Traceback" not in terminal.screen.text


def test_ctrl_c_without_kernels_ends_at_once_and_with_a_yes_as_well(home: Home) -> None:
    command = ("serve", "--port", "0", "--state-dir", "state", "--kernel-shutdown-wait", "2")
    with console(*command, environ=home.environ, cwd=home.work) as terminal:
        terminal.until_text("Ctrl-C stops it and ends its kernels.")
        terminal.press("\x03")
        assert terminal.wait() == 0
        assert "End them and stop?" not in terminal.screen.text
    with console(*command, environ=home.environ, cwd=home.work, columns=200) as terminal:
        terminal.until_text("Ctrl-C stops it and ends its kernels.")
        gateway = Gateway(terminal.process, re.findall(r" serves (\S+)", terminal.screen.text)[0])  # type: ignore[arg-type]
        gateway.start_kernel()
        terminal.press("\x03")
        terminal.until_text("End them and stop?")
        terminal.press("Yes\n")
        assert terminal.wait() == 0
    assert runtime(home) == []
