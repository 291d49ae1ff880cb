"""Which session is a file's own."""

from __future__ import annotations

import socket
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.client.session import another_path, find, join, own_session_path, session_path
from kernelway.protocol.errors import Conflict, InvalidRequest, NotFound
from kernelway.protocol.models import ExecutionState, KernelId, KernelModel, RestSessionId, SessionModel


@pytest.mark.parametrize(
    ("file", "host", "expected"),
    [
        (PurePosixPath("/home/ada/analysis.py"), "laptop", "ada@laptop/home/ada/analysis.py"),
        (PurePosixPath("/a b/ü✓.py"), "laptop.example.com", "ada@laptop/a b/ü✓.py"),
        (PurePosixPath("//net/share/x.py"), "laptop", "ada@laptop/net/share/x.py"),
        (PureWindowsPath(r"C:\Users\ada\x.py"), "LAPTOP", "ada@LAPTOP/C:/Users/ada/x.py"),
        (PureWindowsPath(r"\\server\share\x.py"), "LAPTOP", "ada@LAPTOP/server/share/x.py"),
    ],
)
def test_an_identity_is_user_host_and_absolute_path(file, host: str, expected: str) -> None:
    assert session_path(file, user="ada", host=host) == expected


def test_a_relative_path_has_no_identity() -> None:
    with pytest.raises(InvalidRequest, match="absolute"):
        session_path(PurePosixPath("main.py"), user="ada", host="laptop")


names = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1).filter(
    lambda name: name not in (".", "..")
)
files = st.lists(names, min_size=1, max_size=4).map(lambda parts: PurePosixPath("/", *parts))


@given(files, files)
def test_files_share_an_identity_only_with_themselves(one: PurePosixPath, other: PurePosixPath) -> None:
    same = session_path(one, user="ada", host="h") == session_path(other, user="ada", host="h")
    assert same == (one == other)


def test_the_own_path_is_of_this_user_and_machine(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = own_session_path("sub/../analysis.py")
    user_and_host, _, rest = path.partition("/")
    assert user_and_host.endswith(f"@{socket.gethostname().partition('.')[0]}")
    assert f"/{rest}" == f"{tmp_path}/analysis.py"
    assert path == own_session_path(tmp_path / "analysis.py")


def session(number: int, path: str, *, name: str = "main.py", kernel: str = "python3") -> SessionModel:
    model = KernelModel(KernelId(f"k{number}"), kernel, "", ExecutionState.IDLE, 0)
    return SessionModel(RestSessionId(f"s{number}"), path, name, "file", model)


SESSIONS = [session(1, "a@h/one/main.py"), session(2, "a@h/two/main.py"), session(3, "a@h/x", name="x")]


def test_only_an_equal_path_is_joined() -> None:
    assert join(SESSIONS, "a@h/two/main.py", kernel=None) is SESSIONS[1]
    assert join(SESSIONS, "a@h/two/main.py", kernel="python3") is SESSIONS[1]
    assert join(SESSIONS, "b@h/two/main.py", kernel=None) is None
    assert join(SESSIONS, "main.py", kernel=None) is None
    assert join([], "a@h/two/main.py", kernel=None) is None


def test_of_several_with_an_equal_path_the_first_is_joined() -> None:
    twins = [session(1, "p"), session(2, "p")]
    assert join(twins, "p", kernel=None) is twins[0]


def test_another_kernel_than_the_one_asked_for_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="has a python3 kernel, not julia"):
        join(SESSIONS, "a@h/one/main.py", kernel="julia")


def test_another_path_is_joined_by_nobody() -> None:
    paths = {another_path("a@h/one/main.py") for _ in range(100)}
    assert len(paths) == 100
    assert all(path.startswith("a@h/one/main.py#") for path in paths)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [("s1", 1), ("a@h/two/main.py", 2), ("x", 3), ("k2", 2), ("s3", 3)],
)
def test_a_session_is_found_by_id_path_name_or_kernel(wanted: str, number: int) -> None:
    assert find(SESSIONS, wanted).id == f"s{number}"


def test_an_ambiguous_name_lists_the_choices() -> None:
    with pytest.raises(Conflict) as caught:
        find(SESSIONS, "main.py")
    for told in ("2 sessions", "s1", "a@h/one/main.py", "s2", "a@h/two/main.py", "by its id"):
        assert told in str(caught.value)
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize(("sessions", "told"), [([], "There are no sessions."), (SESSIONS, "a@h/x")])
def test_an_unknown_name_lists_what_there_is(sessions: list[SessionModel], told: str) -> None:
    with pytest.raises(NotFound, match="no session 'nothing'") as caught:
        find(sessions, "nothing")
    assert told in str(caught.value)
