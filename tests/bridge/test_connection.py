from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from kernelway.bridge.connection import Connection, new_connection, read_connection, write_connection
from kernelway.protocol.errors import ConfigError


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert read_connection(tmp_path / "none.json") is None
    (tmp_path / "empty.json").touch()
    assert read_connection(tmp_path / "empty.json") is None


def test_what_is_written_can_be_read_by_its_user_alone(tmp_path: Path) -> None:
    file, connection = tmp_path / "runtime" / "kernel.json", Connection(key="k", shell_port=5, hb_port=6)
    write_connection(file, connection, kernel_name="python3")
    assert read_connection(file) == connection
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert "curve_publickey" not in json.loads(file.read_text())


def test_what_else_a_file_says_stays_in_it(tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    file.write_text(json.dumps({"kernel_name": "remote", "jupyter_session": "x.ipynb", "shell_port": 0}))
    write_connection(file, Connection(shell_port=5), kernel_name="python3")
    said = json.loads(file.read_text())
    assert (said["kernel_name"], said["jupyter_session"], said["shell_port"]) == ("remote", "x.ipynb", 5)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"shell_port": "x"}', '{"transport": "carrier-pigeon"}', "\xff"]
)
def test_what_is_no_connection_file_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kernel.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"kernel\.json"):
        read_connection(file)


def test_a_folder_is_no_connection_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_connection(tmp_path)


def test_a_new_connection_has_a_key_of_its_own() -> None:
    assert len(new_connection().key) == 64
    assert new_connection().key != new_connection().key
