from __future__ import annotations

import getpass
import socket
from pathlib import Path

import pytest

from kernelway.jupyter.assembly import assemble, named_gateways, own_paths

KG = {"KG_URL": "http://kg:1", "KG_AUTH_TOKEN": "of kg"}
JUPYTER = {"JUPYTER_GATEWAY_URL": "http://jupyter:2", "JUPYTER_GATEWAY_AUTH_TOKEN": "of jupyter"}


def urls(gateway_client: dict[str, object], environ: dict[str, str]) -> dict[str, str | None]:
    found = named_gateways(gateway_client, environ)
    return {gateway.options.base_url: gateway.options.token for gateway in found}


def test_gateways_that_the_environment_names_are_all_taken() -> None:
    assert urls({}, {}) == {}
    assert urls({}, KG | JUPYTER) == {"http://kg:1": "of kg", "http://jupyter:2": "of jupyter"}


def test_the_command_line_wins_over_its_own_variable_and_over_no_other() -> None:
    found = urls({"url": "http://line:3"}, KG | JUPYTER)
    assert found == {"http://line:3": "of jupyter", "http://kg:1": "of kg"}


def test_a_setting_that_does_not_fit_is_told_and_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"KG_URL": "ftp://x", "KERNELWAY_ONLY_REMOTE": "perhaps"}
    assembly = assemble(root=tmp_path, base_url="/", gateway_client={}, environ=environ)
    assert not assembly.only_remote
    assert assembly.places.all() == ()
    assert "KG_URL" in caplog.text
    assert "KERNELWAY_ONLY_REMOTE" in caplog.text


def test_sessions_are_this_users_on_this_machine() -> None:
    own = own_paths(Path("/srv/notebooks"))
    host = socket.gethostname().partition(".")[0]
    path = own.to_gateway("sub/a.ipynb")
    assert path == f"{getpass.getuser()}@{host}/srv/notebooks//sub/a.ipynb"
    assert own.to_local(path) == "sub/a.ipynb"
