"""What the extension does to a notebook server's configuration, and what it leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.processes import environ_in

import kernelway.jupyter
from kernelway.jupyter.extension import LABEXTENSION

LINKS = """
import json, sys
from jupyter_server.serverapp import ServerApp

CLASSES = ("kernel_spec_manager_class", "kernel_manager_class", "session_manager_class",
           "kernel_websocket_connection_class")

def linked(argv, extensions):
    server = ServerApp()
    server.initialize(
        argv=["--ServerApp.jpserver_extensions=" + repr({name: True for name in extensions}), *argv],
        find_extensions=False, new_httpserver=False,
    )
    apps = [app for apps in server.extension_manager.extension_apps.values() for app in apps]
    told = {
        "classes": {name: getattr(server, name).__name__ for name in CLASSES},
        "folders": {app.name: list(app.extra_labextensions_path) for app in apps
                    if app.has_trait("extra_labextensions_path")},
        "default": server.kernel_manager.default_kernel_name,
    }
    return told

print(json.dumps([linked(*each) for each in json.load(sys.stdin)]))
"""

OURS = {
    "kernel_spec_manager_class": "KernelwayKernelSpecManager",
    "kernel_manager_class": "KernelwayKernelManager",
    "session_manager_class": "KernelwaySessionManager",
    "kernel_websocket_connection_class": "KernelwayWebsocketConnection",
}

THEIRS = {
    "kernel_spec_manager_class": "KernelSpecManager",
    "kernel_manager_class": "AsyncMappingKernelManager",
    "session_manager_class": "SessionManager",
    "kernel_websocket_connection_class": "ZMQChannelsWebsocketConnection",
}

EXTENSION = kernelway.jupyter.EXTENSION


def linked(
    tmp_path: Path, *cases: tuple[list[str], list[str]], config: str = ""
) -> tuple[list[dict[str, Any]], str]:
    """For each command line and its extensions, what became of a server, and what was logged."""
    environ = environ_in(tmp_path)
    (Path(environ["JUPYTER_CONFIG_DIR"]) / "jupyter_server_config.py").write_text(config)
    done = subprocess.run(
        [sys.executable, "-c", LINKS],
        input=json.dumps(cases),
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_its_classes_are_set_and_pages_load_its_script(tmp_path: Path) -> None:
    cases, log = linked(
        tmp_path,
        ([], [EXTENSION, "jupyterlab", "notebook"]),
        (
            ["--gateway-url=http://127.0.0.1:9", "--LabApp.extra_labextensions_path=/mine"],
            [EXTENSION, "jupyterlab"],
        ),
        (["--MultiKernelManager.default_kernel_name=ir"], [EXTENSION]),
        ([], []),
    )
    both, with_url, with_default, without = cases
    for case in (both, with_url, with_default):
        assert case["classes"] == OURS
    assert both["folders"] == {"lab": [str(LABEXTENSION)], "notebook": [str(LABEXTENSION)]}
    assert with_url["folders"] == {"lab": ["/mine", str(LABEXTENSION)]}
    assert with_default["default"] == "ir"
    assert both["default"] == "python3"
    assert without["classes"] == THEIRS
    assert "leaves" not in log


def test_classes_that_the_user_configured_are_left_alone_and_named(tmp_path: Path) -> None:
    manager = "jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager"
    connection = "jupyter_server.services.kernels.connection.channels.ZMQChannelsWebsocketConnection"
    specs = "jupyter_client.kernelspec.KernelSpecManager"
    cases, log = linked(
        tmp_path,
        ([], [EXTENSION]),
        ([f"--ServerApp.kernel_spec_manager_class={specs}"], [EXTENSION]),
        # Without one of these the others are of no use.
        ([f"--ServerApp.kernel_manager_class={manager}"], [EXTENSION, "jupyterlab"]),
        ([f"--ServerApp.kernel_websocket_connection_class={connection}"], [EXTENSION]),
        config="from jupyter_server.services.sessions.sessionmanager import SessionManager\n"
        "c.ServerApp.session_manager_class = SessionManager\n",
    )
    own_sessions = {"session_manager_class": "SessionManager"}
    assert cases[0]["classes"] == OURS | own_sessions
    assert cases[1]["classes"] == OURS | own_sessions | {"kernel_spec_manager_class": "KernelSpecManager"}
    assert cases[2]["classes"] == cases[3]["classes"] == THEIRS
    assert cases[2]["folders"] == {"lab": []}
    for name in OURS:
        assert f"kernelway leaves ServerApp.{name} as it is configured" in log
    assert "jupyter_server.services.sessions.sessionmanager.SessionManager" in log
