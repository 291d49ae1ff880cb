"""Programs that execute notebooks and files, unchanged, on a kernel of a gateway."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.interop.bridged import KERNEL, SHUT_DOWN, WHERE, Machine, machine, notebook  # noqa: F401

_NBCLIENT = Path(__file__).with_name("nbclient_program.py")


@pytest.fixture(autouse=True)
def one_kernel_that_was_shut_down(machine: Machine) -> Iterator[None]:  # noqa: F811
    """Every program starts one kernel, and ends it."""
    before = {each.id for each in machine.ended()}
    yield
    assert [each.reason for each in machine.ended() if each.id not in before] == [SHUT_DOWN]


def _outputs(path: Path) -> list[list[dict[str, Any]]]:
    """The outputs of each cell of a notebook."""
    return [cell["outputs"] for cell in json.loads(path.read_text())["cells"]]


def _text(outputs: list[dict[str, Any]]) -> str:
    """What was printed, and the result."""
    texts = (each.get("text") or each.get("data", {}).get("text/plain", "") for each in outputs)
    return "".join(line for text in texts for line in text)


def test_papermill(machine: Machine) -> None:  # noqa: F811
    given = machine.write("given.ipynb", notebook("n = 1", "print(*range(n))", WHERE, tags=["parameters"]))
    made = machine.work / "made.ipynb"
    machine.run("papermill", given, made, "-k", KERNEL, "-p", "n", "4", "--no-progress-bar")
    assert [_text(each) for each in _outputs(made)] == ["", "", "0 1 2 3\n", "True"]


def test_nbclient(machine: Machine) -> None:  # noqa: F811
    given = notebook(
        "shown = display('before', display_id=True)\nprint('one')\n'two'",
        "1 / 0",
        "shown.update('after')\nimport ipywidgets\nipywidgets.Image(value=bytes(range(256)))",
        WHERE,
    )
    path = machine.write("nbclient.ipynb", given)
    machine.run(sys.executable, _NBCLIENT, path, KERNEL)
    first, error, widget, where = _outputs(path)
    assert [each["output_type"] for each in first] == ["display_data", "stream", "execute_result"]
    assert _text(first) == "'after'one\n'two'"
    assert [each["ename"] for each in error] == ["ZeroDivisionError"]
    [view] = [each["data"]["application/vnd.jupyter.widget-view+json"] for each in widget]
    states = json.loads(path.read_text())["metadata"]["widgets"]
    [buffer] = states["application/vnd.jupyter.widget-state+json"]["state"][view["model_id"]]["buffers"]
    assert base64.b64decode(buffer["data"]) == bytes(range(256))
    assert _text(where) == "True"


def test_nbconvert(machine: Machine) -> None:  # noqa: F811
    given = machine.write("report.ipynb", notebook("print('six by seven')\n6 * 7", WHERE))
    options = (f"--ExecutePreprocessor.kernel_name={KERNEL}", "--ExecutePreprocessor.iopub_timeout=60")
    done = machine.run("jupyter", "nbconvert", "--execute", "--to", "markdown", "--stdout", *options, given)
    assert [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")] == [
        "six by seven",
        "42",
        "True",
    ]


def test_jupyter_execute(machine: Machine) -> None:  # noqa: F811
    path = machine.write("execute.ipynb", notebook("6 * 7", WHERE))
    machine.run("jupyter", "execute", "--inplace", f"--kernel_name={KERNEL}", path)
    assert [_text(each) for each in _outputs(path)] == ["42", "True"]


def test_jupyter_run(machine: Machine) -> None:  # noqa: F811
    first, second = machine.write("first.py", "print(6 * 7)"), machine.write("second.py", WHERE)
    assert machine.run("jupyter", "run", f"--kernel={KERNEL}", first, second).stdout.split() == ["42", "True"]
