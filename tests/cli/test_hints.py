"""A sentence for errors that have to do with where the code runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelway.cli.hints import Surroundings, hint
from kernelway.protocol.execution import Error

NO_FILE = "[Errno 2] No such file or directory: '{}'"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A script with a data file and a module beside it."""
    (tmp_path / "data.csv").touch()
    (tmp_path / "helper.py").touch()
    (tmp_path / "package").mkdir()
    return tmp_path / "main.py"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "FileNotFoundError",
            NO_FILE.format("data.csv"),
            "data.csv is on this machine, and the kernel is elsewhere: on gpu.",
        ),
        (
            "ModuleNotFoundError",
            "No module named 'helper'",
            "helper is on this machine, and the kernel is elsewhere",
        ),
        ("ModuleNotFoundError", "No module named 'package.part'", "package is on this machine"),
        (
            "ModuleNotFoundError",
            "No module named 'msgspec'",
            "msgspec is installed here, and the kernel is elsewhere",
        ),
        ("StdinNotImplementedError", "raw_input was called", "there is no terminal to ask at"),
        ("NameError", "name '__file__' is not defined", "__file__ has no value"),
    ],
)
def test_elsewhere(file: Path, name: str, value: str, sentence: str) -> None:
    said = hint(Error(name, value), Surroundings(file=file, gateway="gpu"))
    assert said is not None
    assert sentence in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("FileNotFoundError", NO_FILE.format("data.csv")), ("ModuleNotFoundError", "No module named 'helper'")],
)
def test_here_but_in_another_folder(file: Path, name: str, value: str) -> None:
    said = hint(Error(name, value), Surroundings(file=file, gateway=None))
    assert said is not None
    assert f"`--cwd {file.parent}`" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FileNotFoundError", NO_FILE.format("nowhere.csv")),
        ("FileNotFoundError", "no name in it"),
        ("ModuleNotFoundError", "No module named 'no_such_module_anywhere'"),
        ("ModuleNotFoundError", "No module named ''"),
        ("NameError", "name 'x' is not defined"),
        ("ValueError", "'data.csv'"),
    ],
)
@pytest.mark.parametrize("gateway", ["gpu", None])
def test_most_errors_say_it_themselves(file: Path, name: str, value: str, gateway: str | None) -> None:
    assert hint(Error(name, value), Surroundings(file=file, gateway=gateway)) is None


def test_code_of_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.csv").touch()
    error = Error("FileNotFoundError", NO_FILE.format("here.csv"))
    assert hint(error, Surroundings(file=None, gateway="gpu")) is not None
    assert hint(error, Surroundings(file=None, gateway=None)) is None
