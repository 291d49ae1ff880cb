"""State folders and their lock, with other processes that hold it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kernelway.host.processes import ProcessIdentity
from kernelway.host.state import Serving, StateFolder, serving_from
from kernelway.protocol.errors import ConfigError, Conflict

HOLDER = """
import sys
from pathlib import Path
from kernelway.host.processes import ProcessIdentity
from kernelway.host.state import Serving, StateFolder
import os
with StateFolder(Path(sys.argv[1])) as state:
    if sys.argv[2] == "announce":
        state.announce(Serving(ProcessIdentity.of(os.getpid()), "http://127.0.0.1:8888/", "1.0"))
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "8888"


@pytest.fixture(params=["announce", "silent"])
def holder(request: pytest.FixtureRequest, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(folder), request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def here() -> Serving:
    return Serving(ProcessIdentity.of(os.getpid()), "http://127.0.0.1:1/", "1.0")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_look_into_it(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with StateFolder(folder) as state:
            state.token()
            state.announce(here())
            assert mode(folder) == 0o700
            assert {path.name: mode(path) for path in folder.iterdir()} == {"lock": 0o600, "token": 0o600}
    finally:
        os.umask(before)


def test_a_folder_that_was_open_to_others_is_closed_to_them(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    (folder / "token").write_text("secret\n")
    (folder / "token").chmod(0o644)
    with StateFolder(folder) as state:
        assert state.token() == "secret"
    assert mode(folder) == 0o700
    assert mode(folder / "token") == 0o600


def test_the_token_is_made_once_and_kept(folder: Path) -> None:
    with StateFolder(folder) as state:
        token = state.token()
        assert state.token() == token
    assert len(token) >= 32
    with StateFolder(folder) as state:
        assert state.token() == token
    with StateFolder(folder.with_name("other")) as state:
        assert state.token() != token


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_an_empty_token_is_replaced(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "token").write_text(content)
    with StateFolder(folder) as state:
        assert len(state.token()) >= 32


@pytest.mark.parametrize("holder", ["announce"], indirect=True)
def test_a_second_one_is_told_who_holds_it(folder: Path, holder: subprocess.Popen[str]) -> None:
    expected = f"process {holder.pid}, which serves http://127.0.0.1:8888/; .* --state-dir {folder}"
    for _ in range(2):
        with pytest.raises(Conflict, match=expected), StateFolder(folder):
            pass
    serving = serving_from(folder)
    assert serving is not None
    assert serving.process.pid == holder.pid


@pytest.mark.parametrize("holder", ["silent"], indirect=True)
def test_a_second_one_is_told_that_the_first_is_just_starting(
    folder: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(Conflict, match="just starting or stopping"), StateFolder(folder):
        pass
    assert serving_from(folder) is None


def test_a_killed_holder_leaves_it_free(folder: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert serving_from(folder) is None
    with StateFolder(folder) as state:
        state.announce(here())
        serving = serving_from(folder)
        assert serving is not None
        assert serving.process.pid == os.getpid()


def test_once_left_nobody_serves_from_it(folder: Path) -> None:
    with StateFolder(folder) as state:
        state.announce(here())
    assert serving_from(folder) is None
    assert (folder / "lock").read_bytes() == b""
    with StateFolder(folder):
        pass


def test_a_pid_that_is_another_process_by_now_serves_nothing(folder: Path) -> None:
    serving = here()
    stale = msgspec.structs.replace(serving, process=msgspec.structs.replace(serving.process, started="1"))
    with StateFolder(folder) as state:
        state.announce(serving)
        state.announce(stale)
        assert serving_from(folder) is None


def test_the_latest_announcement_counts_even_if_it_is_shorter(folder: Path) -> None:
    with StateFolder(folder) as state:
        state.announce(msgspec.structs.replace(here(), url="http://127.0.0.1/" + "long/" * 50))
        state.announce(here())
        assert serving_from(folder) == here()


def test_it_holds_no_secret(folder: Path) -> None:
    with StateFolder(folder) as state:
        token = state.token()
        state.announce(here())
        assert token not in (folder / "lock").read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"process": 1}', b"\xff"])
def test_a_lock_file_of_something_else_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    assert serving_from(tmp_path) is None
    assert serving_from(tmp_path / "gone") is None


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=str(tmp_path / "file" / "state")),
        StateFolder(tmp_path / "file" / "state"),
    ):
        pass


def test_the_lock_is_not_inherited(folder: Path) -> None:
    with subprocess.Popen(["sleep", "600"], close_fds=False) as inheriting:
        with StateFolder(folder), subprocess.Popen(["sleep", "600"], close_fds=False) as child:
            pass_on = [entry.readlink() for entry in Path(f"/proc/{child.pid}/fd").iterdir()]
            assert folder / "lock" not in pass_on
            child.kill()
        inheriting.kill()
