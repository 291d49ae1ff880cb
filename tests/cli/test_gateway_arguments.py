"""The arguments of ``gateways`` and of the commands that look at what runs."""

from __future__ import annotations

import pytest

from kernelway.cli.main import parser


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        (["gateways"], {"json": False}),
        (["gateways", "--json"], {"json": True}),
        (["gateways", "--json", "list"], {"json": True}),
        (["gateways", "list", "--json"], {"json": True}),
        (["gateways", "list"], {"json": False}),
        (
            ["gateways", "add", "gpu", "http://gpu", "--header", "A=1", "--header", "B=2"],
            {"name": "gpu", "url": "http://gpu", "header": ["A=1", "B=2"], "force": False},
        ),
        (["gateways", "check", "gpu"], {"name": "gpu"}),
        (["gateways", "remove", "gpu"], {"name": "gpu"}),
        (["kernelspecs", "--on", "gpu"], {"on": "gpu", "json": False}),
        (["sessions", "--json"], {"on": None, "json": True}),
        (["interrupt", "a.py"], {"action": "interrupt", "id": "a.py", "on": None}),
        (["restart", "a.py", "--on", "gpu"], {"action": "restart", "on": "gpu"}),
        (["shutdown", "0123"], {"action": "shutdown", "id": "0123"}),
    ],
)
def test_what_is_given(arguments: list[str], fields: dict[str, object]) -> None:
    given = vars(parser().parse_args(arguments))
    assert {name: given[name] for name in fields} == fields


@pytest.mark.parametrize(
    "arguments",
    [
        ["gateways", "ad"],
        ["gateways", "add", "gpu"],
        ["gateways", "add", "gpu", "http://gpu", "--token", "a", "--token-env", "B"],
        ["gateways", "remove"],
        ["interrupt"],
    ],
)
def test_what_cannot_be(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args(arguments)
    assert left.value.code == 2
