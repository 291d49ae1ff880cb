from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernelway.jupyter import EXTENSION, enabling
from kernelway.protocol.errors import ConfigError


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration folder of somebody who has configured nothing."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "")
    return tmp_path / "user"


def own(said: list[enabling.Said], *folders: Path) -> list[enabling.Said]:
    return [each for each in said if each.folder in folders]


def test_what_is_enabled_is_written_as_jupyter_server_writes_it(user: Path) -> None:
    file = enabling.turn(enabling.folder_of(enabling.Level.USER), on=True)
    assert file == user / "jupyter_server_config.d" / "kernelway.jupyter.json"
    assert json.loads(file.read_text()) == {"ServerApp": {"jpserver_extensions": {EXTENSION: True}}}
    assert own(enabling.said(), user) == [enabling.Said(user, on=True)]


def test_what_is_disabled_says_so(user: Path) -> None:
    enabling.turn(user, on=True)
    enabling.turn(user, on=False)
    assert own(enabling.said(), user) == [enabling.Said(user, on=False)]


def test_other_extensions_in_the_folder_stay(user: Path) -> None:
    folder = user / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    other = folder / "other.json"
    other.write_text('{"ServerApp": {"jpserver_extensions": {"other": true}}}')
    before = other.read_text()
    enabling.turn(user, on=True)
    assert other.read_text() == before
    assert {path.name for path in folder.iterdir()} == {"other.json", "kernelway.jupyter.json"}


def test_nothing_is_said_where_nothing_was_written(user: Path) -> None:
    assert own(enabling.said(), user) == []


def test_the_folder_that_counts_comes_first(
    user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(first))
    enabling.turn(user, on=True)
    enabling.turn(first, on=False)
    assert own(enabling.said(), user, first)[0] == enabling.Said(first, on=False)


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(user: Path) -> None:
    user.write_text("a file, where the folder should be")
    with pytest.raises(ConfigError, match=r"kernelway\.jupyter\.json cannot be written"):
        enabling.turn(user, on=True)


def test_jupyter_server_can_load_the_extension() -> None:
    assert enabling.fault() is None


def test_the_versions_of_what_it_is_for_are_found() -> None:
    versions = enabling.versions()
    assert set(versions) == {"jupyter_server", "jupyterlab", "notebook", "nbclassic"}
    assert (versions["jupyter_server"] or "").startswith("2.")
