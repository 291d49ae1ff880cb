"""The arguments of ``run`` and ``exec``."""

from __future__ import annotations

import pytest

from kernelway.cli.main import parser
from kernelway.cli.opening import environment_from
from kernelway.protocol.errors import InvalidRequest


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        (["run", "a.py:3"], {"file": "a.py:3", "cell": None, "new": False, "session": None, "json": False}),
        (["run", "a.py", "--cell", "2", "--on", "gpu"], {"cell": 2, "on": "gpu"}),
        (["run", "a.py", "--env", "A=1", "--env", "B"], {"env": ["A=1", "B"]}),
        (["run", "a.py", "--new", "--kernel", "ir.gpu", "--cwd", "/tmp"], {"new": True, "cwd": "/tmp"}),
        (["exec", "1 + 1", "--session", "train"], {"code": "1 + 1", "session": "train", "new": False}),
        (["exec", "-", "--json"], {"code": "-", "json": True}),
    ],
)
def test_what_is_given(arguments: list[str], fields: dict[str, object]) -> None:
    # All of the command line, and as much of it as one command needs, mean the same.
    for whole_or_part in (parser(), parser(arguments[0])):
        given = vars(whole_or_part.parse_args(arguments))
        assert {name: given[name] for name in fields} == fields


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["exec"],
        ["run", "a.py", "--cell", "two"],
        ["run", "a.py", "--new", "--session", "x"],
        ["exec", "1", "--new"],
    ],
)
def test_what_cannot_be(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args(arguments)
    assert left.value.code == 2


def test_variables_with_and_without_a_value() -> None:
    given = ["A=1", "B=x=y", "C=", "HERE"]
    assert environment_from(given, {"HERE": "there"}) == {"A": "1", "B": "x=y", "C": "", "HERE": "there"}
    with pytest.raises(InvalidRequest, match="--env GONE"):
        environment_from(["GONE"], {})
