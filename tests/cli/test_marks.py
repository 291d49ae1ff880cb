"""What a request tells of the place that its code is from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from kernelway.cli.marks import Mark, mark_in, marking, shown_file
from kernelway.cli.show.view import Beginning
from kernelway.client.session import own_session_path

PIECE = Beginning(3, "x = 1\nx", 9, 10)


def test_what_is_marked_can_be_read() -> None:
    metadata = marking(PIECE, "ada@laptop/a.py")
    assert metadata["kernelway"]["sha256"] == hashlib.sha256(b"x = 1\nx").hexdigest()
    assert mark_in(metadata) == Mark("ada@laptop/a.py", 10, 11)


def test_code_without_a_file_has_no_path() -> None:
    metadata = marking(PIECE, None)
    assert set(metadata["kernelway"]) == {"range", "sha256"}
    assert mark_in(metadata) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"path": "a"},
        {"path": 1, "range": [1, 2]},
        {"path": "a", "range": [0, 1]},
        {"path": "a", "range": [3, 1]},
        {"path": "a", "range": ["1", "2"]},
    ],
)
def test_what_others_put_there_does_no_harm(told: Any) -> None:
    assert mark_in({"kernelway": told}) is None
    assert mark_in({}) is None


def test_files_are_shown_as_their_user_calls_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert shown_file(own_session_path("sub/a.py")) == "sub/a.py"
    assert shown_file(own_session_path(tmp_path.parent / "b.py")) == "~/b.py"
    assert shown_file(own_session_path("/opt/c.py")) == "/opt/c.py"
    assert shown_file("bob@desk/home/bob/a.py") == "bob@desk/home/bob/a.py"
