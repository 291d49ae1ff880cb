"""Kernelspecs whose command is the bridge: what stands in them, and that others' are left alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from kernelway.bridge.kernelspecs import Installation, Kernelspecs, installation, own_command
from kernelway.protocol.errors import ConfigError, Conflict, InvalidRequest, NotFound
from kernelway.protocol.models import KernelSpecModel, Spec

COMMAND = ["/opt/kernelway/bin/kernelway"]
LOGO = b"\x89PNG a picture"

PYTHON = KernelSpecModel(
    "python3",
    Spec(
        argv=["/there/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="Python 3 (ipykernel)",
        language="python",
        env={"SECRET": "of the gateway"},
        metadata={
            "debugger": True,
            "supported_encryption": "none",
            "kernel_provisioner": {"provisioner_name": "slurm"},
            "interpreter": {"path": "/there/python"},
            "vscode": {"id": "x"},
            "kernelway": {"transport": "ipc"},
        },
    ),
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder of Jupyter, where there is no other."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "shared"))
    return tmp_path / "data"


def ask(place: str = "gpu-box", model: KernelSpecModel = PYTHON, **more: Any) -> Installation:
    return installation(model, place, command=COMMAND, logos={"logo-64x64.png": LOGO}, **more)


def others(folder: Path, name: str, metadata: object = None) -> str:
    """Somebody else's kernelspec; what its file says."""
    text = json.dumps({"argv": ["x"], "display_name": name, "language": "l", "metadata": metadata or {}})
    (folder / name).mkdir(parents=True)
    (folder / name / "kernel.json").write_text(text)
    return text


def test_what_stands_in_one() -> None:
    wanted = ask()
    assert wanted.name == "python3.gpu-box"
    assert wanted.document == {
        "argv": [
            *("/opt/kernelway/bin/kernelway", "bridge", "--on", "gpu-box", "--kernel", "python3"),
            *("-f", "{connection_file}"),
        ],
        "display_name": "Python 3 (ipykernel) · gpu-box",
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {
            "debugger": True,
            "supported_encryption": ["curve"],
            "kernelway": {"place": "gpu-box", "kernel": "python3"},
        },
    }


def test_what_a_person_says_is_in_it() -> None:
    wanted = ask("Rémote box", name="mine", display_name="Mine", lease=90.0)
    assert (wanted.name, wanted.document["display_name"]) == ("mine", "Mine")
    argv = wanted.document["argv"]
    assert argv[1:7] == ["bridge", "--on", "Rémote box", "--kernel", "python3", "--lease"]
    assert argv[7:] == ["90", "-f", "{connection_file}"]
    assert ask("Rémote box").name == "python3.remote-box"


def test_a_kernelspec_that_is_called_nothing_has_its_own_name() -> None:
    assert ask(model=KernelSpecModel("ir", Spec())).document["display_name"] == "ir · gpu-box"


def test_the_command_is_the_script_beside_python_or_python_itself(tmp_path: Path) -> None:
    python = tmp_path / "python"
    assert own_command(str(python)) == [str(python), "-m", "kernelway"]
    script = tmp_path / "kernelway"
    script.touch(mode=0o755)
    assert own_command(str(python)) == [str(script)]
    assert Path(own_command()[0]).parent == Path(sys.executable).parent


def test_it_is_installed_for_the_user_and_found_and_removed(data: Path) -> None:
    kernelspecs = Kernelspecs()
    folder = kernelspecs.install(ask())
    assert folder == data / "kernels" / "python3.gpu-box"
    assert kernelspecs.is_found("python3.gpu-box", folder)
    assert (folder / "logo-64x64.png").read_bytes() == LOGO
    assert folder.stat().st_mode & 0o777 == 0o755
    spec = KernelSpecManager().get_kernel_spec("python3.gpu-box")
    assert (spec.display_name, spec.interrupt_mode) == ("Python 3 (ipykernel) · gpu-box", "message")
    [found] = kernelspecs.installed()
    assert (found.name, found.place, found.kernel, found.folder) == (
        *("python3.gpu-box", "gpu-box", "python3"),
        folder,
    )
    assert kernelspecs.find("Python3.gpu-box") == found
    kernelspecs.remove(found)
    assert not folder.exists()
    assert kernelspecs.installed() == []


def test_it_is_installed_below_a_prefix(data: Path, tmp_path: Path) -> None:
    kernelspecs = Kernelspecs()
    folder = kernelspecs.install(ask(), prefix=tmp_path / "opt")
    assert folder == tmp_path / "opt" / "share" / "jupyter" / "kernels" / "python3.gpu-box"
    assert (folder / "kernel.json").exists()
    assert not kernelspecs.is_found("python3.gpu-box", folder)


def test_a_name_in_capitals_is_the_same_in_small_letters(data: Path) -> None:
    kernelspecs = Kernelspecs()
    assert kernelspecs.install(ask(name="Mine")) == data / "kernels" / "mine"
    assert [each.name for each in kernelspecs.installed()] == ["mine"]


def test_one_of_ours_is_replaced_with_all_that_is_in_it(data: Path) -> None:
    kernelspecs = Kernelspecs()
    folder = kernelspecs.install(ask(lease=5))
    again = installation(PYTHON, "gpu-box", command=COMMAND, logos={"logo-svg.svg": LOGO})
    assert kernelspecs.install(again) == folder
    assert {file.name for file in folder.iterdir()} == {"kernel.json", "logo-svg.svg"}
    assert "--lease" not in (folder / "kernel.json").read_text()


@pytest.mark.parametrize("metadata", [None, {"kernelway": {"transport": "ipc"}}, {"kernelway": "x"}, [1]])
@pytest.mark.parametrize("where", ["data", "shared"])
def test_one_of_others_is_neither_replaced_nor_hidden_nor_removed(
    data: Path, where: str, metadata: object
) -> None:
    text = others(data.parent / where / "kernels", "python3.gpu-box", metadata)
    kernelspecs = Kernelspecs()
    assert kernelspecs.installed() == []
    with pytest.raises(Conflict, match="not one that Kernelway installed: --name gives"):
        kernelspecs.install(ask())
    with pytest.raises(Conflict, match=r"did not install the kernelspec 'python3\.gpu-box' in"):
        kernelspecs.find("python3.gpu-box")
    kept = data.parent / where / "kernels" / "python3.gpu-box" / "kernel.json"
    assert kept.read_text() == text


def test_the_python_of_this_environment_is_not_hidden(data: Path) -> None:
    with pytest.raises(Conflict, match="There is a kernelspec 'python3' in"):
        Kernelspecs().install(ask(name="python3"))


def test_a_folder_that_holds_anything_else_is_left_alone(data: Path) -> None:
    folder = data / "kernels" / "python3.gpu-box"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(Conflict):
        Kernelspecs().install(ask())
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_name_that_none_can_have(data: Path) -> None:
    with pytest.raises(InvalidRequest, match="'a name' cannot be a kernelspec's name: Invalid kernel name"):
        Kernelspecs().install(ask(name="a name"))
    with pytest.raises(InvalidRequest):
        Kernelspecs().install(ask(name="../up"))


def test_a_folder_that_cannot_be_made(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written: Not a directory"):
        Kernelspecs().install(ask(), prefix=tmp_path / "file")


def test_what_is_not_there_is_told_with_what_is(data: Path) -> None:
    kernelspecs = Kernelspecs()
    with pytest.raises(NotFound, match="Those that Kernelway installed: none"):
        kernelspecs.find("python3.gpu")
    kernelspecs.install(ask())
    with pytest.raises(NotFound, match=r"'python3.gpu'. Those that Kernelway installed: python3\.gpu-box\."):
        kernelspecs.find("python3.gpu")


def test_a_link_to_one_is_removed_and_not_what_it_leads_to(data: Path, tmp_path: Path) -> None:
    kernelspecs = Kernelspecs()
    elsewhere = kernelspecs.install(ask(), prefix=tmp_path / "opt")
    (data / "kernels").mkdir(parents=True)
    (data / "kernels" / "linked").symlink_to(elsewhere)
    kernelspecs.remove(kernelspecs.find("linked"))
    assert not (data / "kernels" / "linked").exists()
    assert (elsewhere / "kernel.json").exists()
