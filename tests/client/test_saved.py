from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from kernelway.client.options import GatewayOptions
from kernelway.client.saved import GatewaysFile
from kernelway.protocol.errors import ConfigError, NotFound

HYDROGEN = (
    '[{"name": "Remote notebook", '
    '"options": {"baseUrl": "http://example.com:8888", "token": "my_secret_token"}}]'
)


@pytest.fixture
def file(tmp_path: Path) -> GatewaysFile:
    return GatewaysFile(tmp_path / "config" / "gateways.json")


def write(file: GatewaysFile, text: str, mode: int = 0o600) -> None:
    file.path.parent.mkdir(exist_ok=True)
    file.path.write_text(text, "utf-8")
    file.path.chmod(mode)


def test_hydrogens_own_example_is_read_as_it_is(file: GatewaysFile) -> None:
    write(file, HYDROGEN)
    read = file.read()
    assert [gateway.name for gateway in read.gateways] == ["Remote notebook"]
    assert read.warning is None
    options = file.options("Remote notebook", environ={})
    assert options == GatewayOptions(base_url="http://example.com:8888", token="my_secret_token")


@pytest.mark.parametrize("text", [None, "", "[]", " \n", "\ufeff[]"])
def test_a_file_without_entries_is_read(file: GatewaysFile, text: str | None) -> None:
    if text is not None:
        write(file, text)
    assert file.read().gateways == ()
    with pytest.raises(NotFound, match="saved: none yet"):
        file.options("box", environ={})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HYDROGEN.replace("baseUrl", "baseURL"), "'Remote notebook' has the key 'baseURL'"),
        ("{}", "must hold a list"),
        ('[\n {"name": }]', "Line 2, column 11 is no JSON"),
        (json.dumps(json.loads(HYDROGEN) * 2), "Two gateways are both called"),
    ],
)
def test_a_mistake_is_named_with_its_file(file: GatewaysFile, text: str, words: str) -> None:
    write(file, text)
    with pytest.raises(ConfigError, match=words) as caught:
        file.read()
    assert str(file.path) in str(caught.value)


def test_a_missing_secret_hides_no_other_gateway(file: GatewaysFile) -> None:
    file.add("box", {"baseUrl": "http://h", "tokenEnv": "MY_SECRET"})
    assert len(file.read().gateways) == 1
    assert file.options("box", environ={"MY_SECRET": "s3"}).token == "s3"
    with pytest.raises(ConfigError, match="MY_SECRET, which is not set") as caught:
        file.options("box", environ={})
    assert str(file.path) in str(caught.value)


def test_a_file_that_is_no_text_is_refused(file: GatewaysFile) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(b"\xff\xfe[]")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        file.read()


def test_a_file_that_cannot_be_read_is_named(file: GatewaysFile) -> None:
    file.path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        file.read()


def test_entries_come_and_go_and_keep_their_order(file: GatewaysFile) -> None:
    for name in ("b", "a", "Büro"):
        file.add(name, {"baseUrl": f"http://{len(name)}"})
    file.remove("a")
    file.add("a", {"baseUrl": "http://h", "token": "t"})
    assert [gateway.name for gateway in file.read().gateways] == ["b", "Büro", "a"]
    assert "Büro" in file.path.read_text("utf-8")
    assert sorted(path.name for path in file.path.parent.iterdir()) == ["gateways.json", "gateways.json.lock"]


@pytest.mark.parametrize("indent", ["\t", "    "])
def test_a_change_keeps_the_indent(file: GatewaysFile, indent: str) -> None:
    text = json.dumps(json.loads(HYDROGEN), indent=indent) + "\n"
    write(file, text)
    file.add("box", {"baseUrl": "http://h"})
    file.remove("box")
    assert file.path.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("remote-notebook", {"baseUrl": "http://h"}, "are called 'remote-notebook'"),
        ("box", {"baseURL": "http://h"}, "'baseURL'"),
        ("box", {"baseUrl": "h"}, "must begin"),
        ("", {"baseUrl": "http://h"}, "cannot be a gateway's name"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    file: GatewaysFile, name: str, options: dict[str, Any], words: str
) -> None:
    write(file, HYDROGEN)
    with pytest.raises(ConfigError, match=words):
        file.add(name, options)
    assert file.path.read_text("utf-8") == HYDROGEN


def test_a_faulty_file_is_never_overwritten(file: GatewaysFile) -> None:
    write(file, HYDROGEN.replace("baseUrl", "baseURL"))
    with pytest.raises(ConfigError, match="baseURL"):
        file.add("box", {"baseUrl": "http://h"})
    assert "my_secret_token" in file.path.read_text("utf-8")


def test_removing_what_is_not_there_is_told(file: GatewaysFile) -> None:
    with pytest.raises(NotFound, match="No gateway 'box'"):
        file.remove("box")


@pytest.mark.skipif(os.name != "posix", reason="Only POSIX has modes.")
def test_a_file_that_others_can_read_is_told_and_repaired(file: GatewaysFile) -> None:
    write(file, HYDROGEN, mode=0o644)
    assert "mode 0644" in (file.read().warning or "")
    file.add("box", {"baseUrl": "http://h"})
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.read().warning is None


@pytest.mark.skipif(os.name != "posix", reason="Windows makes links for administrators only.")
def test_a_link_into_somebodys_dotfiles_stays_a_link(file: GatewaysFile, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "gateways.json"
    real.parent.mkdir()
    real.write_text(HYDROGEN)
    file.path.parent.mkdir()
    file.path.symlink_to(real)
    file.add("box", {"baseUrl": "http://h"})
    assert file.path.is_symlink()
    assert len(json.loads(real.read_text())) == 2


ADD = """
import sys
from pathlib import Path
from kernelway.client.saved import GatewaysFile

file = GatewaysFile(Path(sys.argv[1]))
for number in range(10):
    file.add(f"{sys.argv[2]}-{number}", {"baseUrl": "http://h"})
"""


async def test_processes_that_add_at_once_lose_nothing(file: GatewaysFile) -> None:
    adding = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", ADD, str(file.path), name)
        for name in ("left", "right", "third")
    ]
    async with asyncio.timeout(60):
        assert [await process.wait() for process in adding] == [0, 0, 0]
    names = {gateway.name for gateway in file.read().gateways}
    assert names == {f"{side}-{number}" for side in ("left", "right", "third") for number in range(10)}


def test_by_default_it_is_in_jupyters_configuration_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    assert GatewaysFile().path == tmp_path / "gateways.json"
