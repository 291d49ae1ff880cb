"""``kernelway kernelspecs`` and ``kernelway sessions``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Home, Served, bash_kernelspec
from tests.cli.console import console, kernelway
from tests.support.stock import kernel_gateway_in

from kernelway.cli.overview import shown_path
from kernelway.client.session import own_session_path
from kernelway.protocol.models import ExecutionState, KernelId, KernelModel, RestSessionId, SessionModel

DEAD = {"baseUrl": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (own_session_path(Path.home() / "project" / "a.py"), "~/project/a.py"),
        (own_session_path("/opt/a.py"), "/opt/a.py"),
        (own_session_path("/train"), ""),
        ("bob@desk/home/bob/a.py", "bob@desk/home/bob/a.py"),
        ("work/Untitled.ipynb", "work/Untitled.ipynb"),
    ],
)
def test_paths_are_short_where_they_are_ones_own(path: str, shown: str) -> None:
    kernel = KernelModel(KernelId("k"), "python3", "", ExecutionState.IDLE, 0)
    name = "train" if path.endswith("/train") else path.rpartition("/")[2]
    assert shown_path(SessionModel(RestSessionId("s"), path, name, "file", kernel)) == shown


def test_kernelspecs_side_by_side(home: Home, served: Served) -> None:
    bash_kernelspec(Path(home.environ["JUPYTER_DATA_DIR"]))
    home.save(gpu=served.options, dead=DEAD)
    done = kernelway("kernelspecs", environ=home.environ)
    assert (done.returncode, done.stderr) == (0, "")
    heading, *rows = [line.split() for line in done.stdout.splitlines()]
    assert heading == ["kernelspec", "language", "name", "gateway"]
    assert sorted((row[0], row[-1]) for row in rows[:-1]) == [
        ("bash", "local"),
        ("bash.gpu", "gpu"),
        ("python3", "local"),
        ("python3.gpu", "gpu"),
    ]
    assert rows[-1][:2] == ["dead", "✗"]


def test_kernelspecs_of_one_gateway_for_machines(home: Home, served: Served) -> None:
    home.save(gpu=served.options, dead=DEAD)
    done = kernelway("kernelspecs", "--on", "gpu", "--json", environ=home.environ)
    specs = {spec["name"]: spec for spec in json.loads(done.stdout)}
    assert specs["python3"] == {
        "gateway": "gpu",
        "name": "python3",
        "single_name": "python3.gpu",
        "language": "python",
        "display_name": "Python 3 (ipykernel)",
        "default": True,
    }
    (dead,) = json.loads(kernelway("kernelspecs", "--on", "dead", "--json", environ=home.environ).stdout)
    assert dead["gateway"] == "dead"
    assert dead["error"].startswith("Nobody listens")


def test_sessions_side_by_side(home: Home, served: Served) -> None:
    home.save(gpu=served.options, dead=DEAD)
    home.write("a.py", "1\n")
    started = kernelway("run", "a.py", "--on", "gpu", environ=home.environ, cwd=home.work)
    assert started.returncode == 0, started.stderr
    with console("sessions", environ=home.environ, columns=120) as shown:
        assert shown.wait() == 0
    heading, session, local, dead = shown.screen.lines[:4]
    assert heading.split() == ["gateway", "session", "kernel", "state", "clients", "active", "id", "path"]
    assert session.split()[:5] == ["gpu", "a.py", "python3", "idle", "0"]
    assert session[heading.index("path") :] == "~/work/a.py"
    assert local.split() == ["local", "not", "running"]
    assert dead.startswith("dead     ✗ Nobody listens at http://127.0.0.1:9")
    listed = json.loads(kernelway("sessions", "--on", "gpu", "--json", environ=home.environ).stdout)
    (told,) = [each for each in listed if each["state"] != "ended"]
    assert session[heading.index("id") :].split()[0] == told["session"][:8]
    assert told["path"] == own_session_path(home.work / "a.py")
    ended = kernelway("shutdown", told["session"][:8], environ=home.environ)
    assert ended.stdout == "Shut down a.py (python3) on gpu.\n"
    listed = json.loads(kernelway("sessions", "--on", "gpu", "--json", environ=home.environ).stdout)
    (over,) = [each for each in listed if each["session"] == told["session"]]
    assert (over["state"], over["name"], over["reason"]) == ("ended", "a.py", "It was shut down.")
    assert over["kernel"] == told["kernel"]
    assert over["size"] > 0
    with console("sessions", "--on", "gpu", environ=home.environ, columns=120) as shown:
        assert shown.wait() == 0
    heading = next(line for line in shown.screen.lines if line.split()[:2] == ["gateway", "ended"])
    assert heading.split() == ["gateway", "ended", "kernel", "when", "kept", "id", "why"]
    row = next(line for line in shown.screen.lines if told["session"][:8] in line)
    assert row[heading.index("why") :] == "It was shut down."


def test_looking_does_not_start_the_gateway_of_this_machine(home: Home) -> None:
    done = kernelway("sessions", environ=home.environ)
    assert done.stdout == "local  not running\n"
    assert not (Path(home.environ["XDG_RUNTIME_DIR"]) / "kernelway" / "local").exists()
    (local,) = json.loads(kernelway("sessions", "--json", environ=home.environ).stdout)
    assert local == {"gateway": "local", "error": "not running"}


def test_a_socket_that_nobody_listens_on_any_more(home: Home) -> None:
    socket = Path(home.environ["XDG_RUNTIME_DIR"]) / "kernelway" / "local"
    socket.parent.mkdir()
    socket.touch()
    try:
        assert kernelway("sessions", environ=home.environ).stdout == "local  not running\n"
    finally:
        socket.unlink()


def test_a_gateway_that_does_not_list(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "kernel_gateway"
    folder.mkdir()
    with kernel_gateway_in(folder) as stock:
        home.save(stock={"baseUrl": stock.base_url, "token": stock.token})
        listed = kernelway("sessions", "--on", "stock", environ=home.environ)
        assert "does not list what runs there" in listed.stdout
        home.write("a.py", "1\n")
        started = kernelway("run", "a.py", "--on", "stock", environ=home.environ, cwd=home.work)
        assert started.stdout == "1    [1]\n"
        command = next(line for line in started.stderr.splitlines() if "kernelway shutdown" in line)
        kernel = command.split()[2]
        again = kernelway("exec", "2", "--on", "stock", "--session", kernel, environ=home.environ)
        assert again.stdout == "2\n", again.stderr
        ended = kernelway("shutdown", kernel, "--on", "stock", environ=home.environ)
        assert ended.stdout == f"Shut down {kernel[:8]} (python3) on stock.\n"
        again = kernelway("shutdown", kernel, "--on", "stock", environ=home.environ)
        assert again.returncode == 1
