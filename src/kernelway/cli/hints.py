"""A sentence for errors that have more to do with where the code runs than with the code."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from kernelway.protocol.execution import Error

_QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"")
_FILE_ERRORS = ("FileNotFoundError", "NotADirectoryError")
_NO_INPUT = "StdinNotImplementedError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the code ran, seen from the person's side."""

    file: Path | None
    """The file that the code is from."""
    gateway: str | None
    """The gateway that the kernel is on; None where it has this machine's files."""


def hint(error: Error, around: Surroundings) -> str | None:
    """What the person should know beside the error, or None."""
    if error.name == _NO_INPUT:
        return "The code asks for input, and there is no terminal to ask at: run it in one, without a pipe."
    quoted = _QUOTED.search(error.value)
    if quoted is None:
        return None
    named = quoted[1] or quoted[2]
    if error.name in _FILE_ERRORS:
        return _missing_file(named, around)
    if error.name == "ModuleNotFoundError":
        return _missing_module(named, around)
    if error.name == "NameError" and named == "__file__":
        return "A kernel runs code and no file, so __file__ has no value; its working folder is set by --cwd."
    return None


def _missing_file(named: str, around: Surroundings) -> str | None:
    beside = around.file.parent / named if around.file is not None else None
    if around.gateway is not None and (Path(named).exists() or (beside is not None and beside.exists())):
        return (
            f"{named} is on this machine, and the kernel is elsewhere: on {around.gateway}. Copy it there, "
            "or run without --on."
        )
    if around.gateway is None and beside is not None and beside.exists():
        return f"{named} stands beside {around.file}, and the kernel works in another folder: {_cwd(around)}"
    return None


def _missing_module(named: str, around: Surroundings) -> str | None:
    top = named.partition(".")[0]
    folder = around.file.parent if around.file is not None else Path()
    beside = (folder / f"{top}.py").exists() or (folder / top).is_dir()
    if around.gateway is None:
        if beside and around.file is not None:
            return (
                f"{top} stands beside {around.file}, and the kernel works in another folder: {_cwd(around)}"
            )
        return None
    if beside:
        return f"{top} is on this machine, and the kernel is elsewhere: on {around.gateway}. Copy it there."
    if _is_installed(top):
        return f"{top} is installed here, and the kernel is elsewhere: install it on {around.gateway}."
    return None


def _cwd(around: Surroundings) -> str:
    assert around.file is not None
    return f"`--cwd {around.file.parent}` makes it that one."


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
