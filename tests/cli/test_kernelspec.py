"""``kernelway kernelspec``: installed from what a gateway says, listed, and removed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Home, end
from tests.cli.console import console, kernelway
from tests.support.stock import jupyter_server_in

from kernelway.bridge.kernelspecs import own_command


def folder_of(home: Home, name: str) -> Path:
    return Path(home.environ["JUPYTER_DATA_DIR"]) / "kernels" / name


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "kernel.json").read_text())
    return found


def test_one_is_installed_listed_and_removed(gpu: Home) -> None:
    done = kernelway("kernelspec", "install", "--on", "gpu", environ=gpu.environ)
    assert (done.returncode, done.stderr) == (0, "")
    folder = folder_of(gpu, "python3.gpu")
    assert done.stdout == (
        f"Installed 'Python 3 (ipykernel) · gpu' as python3.gpu in {folder}.\n"
        "As in `jupyter console --kernel python3.gpu`.\n"
    )
    spec = document(folder)
    assert spec["argv"] == [
        *own_command(),
        *("bridge", "--on", "gpu", "--kernel", "python3", "-f", "{connection_file}"),
    ]
    assert spec["interrupt_mode"] == "message"
    assert spec["metadata"]["debugger"] is True
    assert (folder / "logo-64x64.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "logo-svg.svg").exists()

    listed = kernelway("kernelspec", environ=gpu.environ)
    heading, row = listed.stdout.splitlines()
    assert re.split(r" {2,}", heading) == ["name", "display name", "gateway", "kernel", "where"]
    shown = ["python3.gpu", "Python 3 (ipykernel) · gpu", "gpu", "python3", str(folder)]
    assert re.split(r" {2,}", row) == shown
    assert json.loads(kernelway("kernelspec", "list", "--json", environ=gpu.environ).stdout) == [
        {
            "name": "python3.gpu",
            "display_name": "Python 3 (ipykernel) · gpu",
            "gateway": "gpu",
            "kernel": "python3",
            "folder": str(folder),
        }
    ]

    removed = kernelway("kernelspec", "remove", "python3.gpu", environ=gpu.environ)
    assert removed.stdout == f"Removed python3.gpu from {folder.parent}. What runs on gpu goes on.\n"
    assert not folder.exists()
    assert "None are installed." in kernelway("kernelspec", environ=gpu.environ).stdout
    assert kernelway("kernelspec", "list", "--json", environ=gpu.environ).stdout == "[]\n"


def test_all_of_a_gateway(gpu: Home) -> None:
    done = kernelway("kernelspec", "install", "--on", "gpu", "--all", environ=gpu.environ)
    assert done.returncode == 0, done.stderr
    listed = json.loads(kernelway("kernelspec", "--json", environ=gpu.environ).stdout)
    assert [(each["name"], each["kernel"]) for each in listed] == [
        ("bash.gpu", "bash"),
        ("python3.gpu", "python3"),
    ]
    assert document(folder_of(gpu, "bash.gpu"))["language"] == "bash"


def test_of_all_those_are_installed_whose_names_are_free(gpu: Home) -> None:
    taken = folder_of(gpu, "bash.gpu")
    taken.mkdir(parents=True)
    (taken / "kernel.json").write_text('{"argv": [], "display_name": "b", "language": "b"}')
    done = kernelway("kernelspec", "install", "--on", "gpu", "--all", environ=gpu.environ)
    assert done.returncode == 1
    assert "✗ bash.gpu: There is a kernelspec 'bash.gpu' in" in done.stderr
    assert "as python3.gpu in" in done.stdout


def test_names_are_as_a_person_says(gpu: Home) -> None:
    done = kernelway(
        *("kernelspec", "install", "--on", "gpu", "--kernel", "bash.gpu", "--name", "shell"),
        *("--display-name", "A shell", "--lease", "90", "--user"),
        environ=gpu.environ,
    )
    assert done.returncode == 0, done.stderr
    spec = document(folder_of(gpu, "shell"))
    assert spec["display_name"] == "A shell"
    assert spec["argv"][-7:] == ["gpu", "--kernel", "bash", "--lease", "90", "-f", "{connection_file}"]


def test_a_place_where_jupyter_does_not_look_is_said(gpu: Home, tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    done = kernelway("kernelspec", "install", "--on", "gpu", "--prefix", prefix, environ=gpu.environ)
    assert done.returncode == 0, done.stderr
    folder = prefix / "share" / "jupyter" / "kernels" / "python3.gpu"
    assert f"as python3.gpu in {folder}." in done.stdout
    assert "Jupyter does not find it there from here" in done.stdout
    there = gpu.environ | {"JUPYTER_PATH": str(prefix / "share" / "jupyter")}
    [listed] = json.loads(kernelway("kernelspec", "--json", environ=there).stdout)
    assert listed["folder"] == str(folder)
    again = kernelway("kernelspec", "install", "--on", "gpu", "--prefix", prefix, environ=there)
    assert "As in `jupyter console --kernel python3.gpu`." in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--on", "gpo"), "There is no gateway 'gpo'. Did you mean 'gpu'?"),
        (("--on", "gpu", "--kernel", "pyton3"), "no kernelspec 'pyton3' on gpu. Did you mean 'python3'?"),
        (("--on", "gpu", "--name", "python3"), "There is a kernelspec 'python3' in "),
        (("--on", "gpu", "--name", "a b"), "'a b' cannot be a kernelspec's name"),
        (("--on", "gpu", "--all", "--name", "x"), "cannot all have one name"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_installed(
    gpu: Home, arguments: tuple[str, ...], said: str
) -> None:
    done = kernelway("kernelspec", "install", *arguments, environ=gpu.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert not folder_of(gpu, "").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("install",),
        ("install", "--on", "gpu", "--all", "--kernel", "python3"),
        ("install", "--on", "gpu", "--user", "--sys-prefix"),
        *(("install", "--on", "gpu", "--lease", lease) for lease in ("-1", "nan", "inf", "soon")),
        ("remove",),
    ],
)
def test_a_wrong_command_line(home: Home, arguments: tuple[str, ...]) -> None:
    assert kernelway("kernelspec", *arguments, environ=home.environ).returncode == 2


def test_a_gateway_that_does_not_answer(home: Home) -> None:
    home.save(dead={"baseUrl": "http://127.0.0.1:9"})
    done = kernelway("kernelspec", "install", "--on", "dead", environ=home.environ)
    assert done.returncode == 1
    assert "Nobody listens at http://127.0.0.1:9" in done.stderr


def test_those_of_others_are_neither_listed_nor_removed(gpu: Home) -> None:
    kernelway("kernelspec", "install", "--on", "gpu", environ=gpu.environ)
    done = kernelway("kernelspec", "remove", "python3.gpu", "python3", environ=gpu.environ)
    assert done.returncode == 1
    assert "Kernelway did not install the kernelspec 'python3'" in done.stderr
    assert folder_of(gpu, "python3.gpu").exists()
    missing = kernelway("kernelspec", "remove", "python3.gpo", environ=gpu.environ)
    assert (
        "There is no kernelspec 'python3.gpo'. Those that Kernelway installed: python3.gpu." in missing.stderr
    )


def test_one_of_a_gateway_that_is_not_saved_any_more_says_so(gpu: Home) -> None:
    kernelway("kernelspec", "install", "--on", "gpu", environ=gpu.environ)
    gpu.save()
    assert "✗ gpu is not saved" in kernelway("kernelspec", environ=gpu.environ).stdout


def test_the_list_fits_on_a_terminal(gpu: Home) -> None:
    kernelway("kernelspec", "install", "--on", "gpu", "--all", environ=gpu.environ)
    with console("kernelspec", environ=gpu.environ, columns=80) as shown:
        assert shown.wait() == 0
    assert max(map(len, shown.screen.lines)) <= 80
    assert "kernels/python3.gpu" in shown.screen.text


def test_a_stock_server_gives_its_kernelspecs_and_logos_too(home: Home, tmp_path: Path) -> None:
    with jupyter_server_in(tmp_path / "stock", base_path="/deep/base") as server:
        home.save(stock={"baseUrl": server.base_url, "token": server.token})
        done = kernelway("kernelspec", "install", "--on", "stock", environ=home.environ)
        assert (done.returncode, done.stderr) == (0, "")
    folder = folder_of(home, "python3.stock")
    assert document(folder)["display_name"] == "Python 3 (ipykernel) · stock"
    assert (folder / "logo-64x64.png").read_bytes().startswith(b"\x89PNG")


def test_the_gateway_of_this_machine_has_kernelspecs_as_well(home: Home) -> None:
    done = kernelway("kernelspec", "install", "--on", "local", environ=home.environ)
    assert done.returncode == 0, done.stderr
    assert document(folder_of(home, "python3.local"))["argv"][-6:-2] == [
        "--on",
        "local",
        "--kernel",
        "python3",
    ]


def test_help_has_examples(home: Home) -> None:
    top = kernelway("kernelspec", "--help", environ=home.environ).stdout
    assert "papermill, nbconvert, jupyter console, qtconsole, Spyder, VS Code" in top
    install = kernelway("kernelspec", "install", "--help", environ=home.environ).stdout
    assert "kernelway kernelspec install --on gpu-box --all" in install
    assert "--lease S" in install


def test_other_commands_go_to_the_gateway_itself_and_show_one_of_a_name_once(gpu: Home) -> None:
    before = kernelway("kernelspecs", "--json", environ=gpu.environ).stdout
    kernelway("kernelspec", "install", "--on", "gpu", environ=gpu.environ)
    assert kernelway("kernelspecs", "--json", environ=gpu.environ).stdout == before
    gpu.write("two.py", "1 + 1\n")
    ran = kernelway("run", "two.py", "--kernel", "python3.gpu", environ=gpu.environ, cwd=gpu.work)
    assert "Started two.py (python3) on gpu" in ran.stderr
    end("two.py", gpu)
    # By a name that no gateway's kernelspec has it is one like any other of this machine.
    kernelway("kernelspec", "install", "--on", "gpu", "--name", "mine", environ=gpu.environ)
    listed = json.loads(kernelway("kernelspecs", "--json", environ=gpu.environ).stdout)
    assert [each["gateway"] for each in listed if each["name"] == "mine"] == ["local"]
