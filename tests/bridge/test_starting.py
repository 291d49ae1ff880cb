from __future__ import annotations

from pathlib import Path

from kernelway.bridge.starting import handed_on, name_for


def test_what_clients_set_for_their_kernels_is_handed_on_and_nothing_else() -> None:
    environ = {
        "JPY_SESSION_NAME": "paper.ipynb",
        "KERNEL_USERNAME": "ada",
        "JPY_PARENT_PID": "7",
        "JPY_API_TOKEN": "secret",
        "PATH": "/bin",
        "KERNELWAY_TOKEN": "secret",
    }
    assert handed_on(environ) == {"JPY_SESSION_NAME": "paper.ipynb", "KERNEL_USERNAME": "ada"}


def test_a_session_is_named_after_its_notebook_or_its_connection_file() -> None:
    file = Path("/run/kernel-7.json")
    assert name_for(file, {"JPY_SESSION_NAME": "/home/ada/paper.ipynb"}) == "paper.ipynb"
    assert name_for(file, {}) == "kernel-7"
