from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
from tests.cli.conftest import Home
from tests.cli.console import kernelway

from kernelway.cli.jupyter import needing_jupyter
from kernelway.protocol.errors import ConfigError


def status_of(environ: Mapping[str, str]) -> tuple[int, dict[str, object]]:
    done = kernelway("jupyter", "status", "--json", environ=environ)
    return done.returncode, json.loads(done.stdout)


def test_it_is_enabled_for_the_user_and_disabled_again(home: Home) -> None:
    assert status_of(home.environ)[0] == 1
    enabled = kernelway("jupyter", "enable", "--user", environ=home.environ)
    assert enabled.returncode == 0, enabled.stderr
    assert home.environ["JUPYTER_CONFIG_DIR"] in enabled.stdout
    status, told = status_of(home.environ)
    assert (status, told["enabled"], told["error"]) == (0, True, None)
    disabled = kernelway("jupyter", "disable", "--user", environ=home.environ)
    assert disabled.returncode == 0, disabled.stderr
    assert status_of(home.environ)[0] == 1


def test_both_commands_agree(home: Home) -> None:
    kernelway("jupyter", "enable", "--user", environ=home.environ)
    listed = python(home, "-m", "jupyter_server", "extension", "list")
    assert "kernelway.jupyter" in listed
    assert "enabled" in listed
    python(home, "-m", "jupyter_server", "extension", "disable", "--user", "kernelway.jupyter")
    assert status_of(home.environ)[1]["enabled"] is False


def python(home: Home, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=home.environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_status_tells_what_is_there_and_whether_gateways_answer(gpu: Home) -> None:
    entries = json.loads(gpu.gateways.read_text())
    gpu.gateways.write_text(
        json.dumps([*entries, {"name": "off", "options": {"baseUrl": "http://127.0.0.1:9"}}])
    )
    told = kernelway("jupyter", environ=gpu.environ)
    assert told.returncode == 1
    assert "not enabled" in told.stdout
    assert "jupyter_server can load it" in told.stdout
    assert "jupyterlab 4" in told.stdout
    lines = {line.split()[0]: line for line in told.stdout.splitlines() if line.strip()}
    assert "✓ kernelway" in lines["gpu"]
    assert "✗" in lines["off"]


def test_without_jupyter_server_it_says_what_to_install() -> None:
    with (
        pytest.raises(ConfigError, match=r"jupyter_server.*pip install 'kernelway\[jupyter\]'"),
        needing_jupyter(),
    ):
        raise ModuleNotFoundError(name="jupyter_server")


def test_a_module_of_our_own_that_is_missing_is_our_fault() -> None:
    with pytest.raises(ModuleNotFoundError), needing_jupyter():
        raise ModuleNotFoundError(name="kernelway.jupyter.gone")
