from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from kernelway.client.session import session_path
from kernelway.jupyter.session_paths import OwnPaths, foreign_path, is_foreign

HOME = OwnPaths(PurePosixPath("/home/ada"), user="ada", host="laptop.example.com")
WORK = OwnPaths(PurePosixPath("/home/ada/work"), user="ada", host="laptop")

PARTS = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1)
PATHS = st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1).map("/".join)


def test_the_root_folder_ends_at_the_two_slashes() -> None:
    assert WORK.to_gateway("sub/a.ipynb") == "ada@laptop/home/ada/work//sub/a.ipynb"
    assert WORK.to_local("ada@laptop/home/ada/work//sub/a.ipynb") == "sub/a.ipynb"


def test_a_leading_slash_of_a_local_path_means_nothing() -> None:
    assert WORK.to_gateway("/a.ipynb") == WORK.to_gateway("a.ipynb")


def test_the_sessions_of_another_root_are_somebody_elses() -> None:
    assert HOME.to_local(WORK.to_gateway("a.ipynb")) is None
    assert WORK.to_local(HOME.to_gateway("work/a.ipynb")) is None


def test_what_an_editor_opened_in_the_same_folder_is_somebody_elses() -> None:
    file = PurePosixPath("/home/ada/work/a.py")
    assert WORK.to_local(session_path(file, user="ada", host="laptop")) is None


def test_another_user_or_machine_is_somebody_else() -> None:
    for user, host in (("eve", "laptop"), ("ada", "desktop")):
        other = OwnPaths(PurePosixPath("/home/ada/work"), user=user, host=host)
        assert WORK.to_local(other.to_gateway("a.ipynb")) is None


def test_the_root_may_be_that_of_the_file_system() -> None:
    own = OwnPaths(PurePosixPath("/"), user="ada", host="laptop")
    assert own.to_gateway("srv/a.ipynb") == "ada@laptop//srv/a.ipynb"
    assert own.to_local("ada@laptop//srv/a.ipynb") == "srv/a.ipynb"
    assert own.to_local("ada@laptop/srv/a.ipynb") is None


@given(PATHS, PATHS)
def test_every_path_comes_back_as_it_was(root: str, path: str) -> None:
    own = OwnPaths(PurePosixPath("/", root), user="ada", host="laptop")
    assert own.to_local(own.to_gateway(path)) == path
    assert not is_foreign(path)


@given(PATHS)
def test_foreign_sessions_have_paths_that_no_file_has(path: str) -> None:
    shown = foreign_path("gpu-box", path)
    assert shown == f"gpu-box://{path}"
    assert is_foreign(shown)
