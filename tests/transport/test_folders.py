"""Folders of the user's own: private, with short paths, and nobody else's."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelway.protocol.errors import ConfigError
from kernelway.transport.folders import LONGEST_SOCKET_PATH, private_folder, runtime_folder, state_folder

NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")

SOMEBODY_ELSE = 12345

IN_TMP = Path("/tmp") / f"kernelway-{os.getuid()}"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_folder_and_an_old_one_are_private(tmp_path: Path, umask: int) -> None:
    old = tmp_path / "old"
    old.mkdir()
    old.chmod(0o755)
    before = os.umask(umask)
    try:
        assert mode_of(private_folder(old)) == 0o700
        assert mode_of(private_folder(tmp_path / "deep" / "new")) == 0o700
    finally:
        os.umask(before)


def test_a_link_of_ones_own_may_lead_to_the_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    private_folder(tmp_path / "link")
    assert mode_of(tmp_path / "folder") == 0o700


@NEEDS_ROOT
def test_a_folder_of_another_user_is_refused_and_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, SOMEBODY_ELSE, SOMEBODY_ELSE)
    with pytest.raises(ConfigError, match=rf"'{theirs}' belongs to another user \(uid {SOMEBODY_ELSE}\)"):
        private_folder(theirs)
    assert mode_of(theirs) == 0o755


@NEEDS_ROOT
def test_a_link_of_another_user_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    # It may lead to a folder of ours which others are meant to look into.
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o755)
    link = tmp_path / "link"
    link.symlink_to(ours)
    os.lchown(link, SOMEBODY_ELSE, SOMEBODY_ELSE)
    with pytest.raises(ConfigError, match="belongs to another user"):
        private_folder(link)
    assert mode_of(ours) == 0o755


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is in the way: it is no folder"):
        private_folder(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "x"


def test_sockets_go_into_the_folder_of_the_login_where_it_will_do(short: Path) -> None:
    folder = runtime_folder({"XDG_RUNTIME_DIR": str(short)})
    assert folder == short / "kernelway"
    assert mode_of(folder) == 0o700
    assert runtime_folder({"XDG_RUNTIME_DIR": str(short)}) == folder


@pytest.mark.parametrize("session", [None, "", "/proc/nonexistent", "/dev/null", "x" * 100], ids=str)
def test_sockets_go_below_tmp_where_it_will_not(session: str | None, tmp_path: Path) -> None:
    if session is not None and session.startswith("x"):
        session = str(tmp_path / session)
    folder = runtime_folder({} if session is None else {"XDG_RUNTIME_DIR": session})
    assert folder == IN_TMP
    assert mode_of(folder) == 0o700


@NEEDS_ROOT
def test_sockets_do_not_go_into_a_folder_of_another_user(short: Path) -> None:
    # As when a command is run through sudo, which may keep the environment of the one who called it.
    (short / "kernelway").mkdir()
    os.chown(short / "kernelway", SOMEBODY_ELSE, SOMEBODY_ELSE)
    assert runtime_folder({"XDG_RUNTIME_DIR": str(short)}) == IN_TMP


def test_the_folder_of_sockets_is_found_without_the_users_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # In many a container the user has a number, but no name and no entry among the users.
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert runtime_folder({}) == IN_TMP


@pytest.mark.parametrize("session", ["", "/run/user/1000", "/tmp/" + "x" * 45])
def test_the_path_of_a_kernels_socket_fits(session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernelway.transport.folders.private_folder", lambda path: path)
    longest = runtime_folder({"XDG_RUNTIME_DIR": session}) / "h-abcdefgh" / "01234567-1000" / "k-ipc-10"
    assert len(os.fsencode(longest)) <= LONGEST_SOCKET_PATH


def test_state_is_kept_apart_by_host_and_by_gateway() -> None:
    home = Path(os.environ["XDG_STATE_HOME"])
    assert state_folder("gpu", "8888") == home / "kernelway" / "gpu" / "8888"
