"""Gateways that do not answer, one that comes back, and those that are saved or removed meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from tests.jupyter.notebook_servers import (
    Person,
    Server,
    gateway_of,
    notebook_server_of,
    person_in,
    process_of,
    wait_until,
)
from tests.support.processes import Process

LAB = "python3.lab"


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person_in(tmp_path_factory.mktemp("lost")) as person:
        yield person


@pytest.fixture(scope="module")
def server(person: Person) -> Iterator[Server]:
    with notebook_server_of(person) as server:
        yield server


def shown(server: Server, name: str) -> str:
    """How a kernelspec is called in the picker; nothing where there is none of this name."""
    spec = server.api.kernelspecs().get(name)
    return "" if spec is None else str(spec["spec"]["display_name"])


def test_gateways_come_and_go_with_the_file_and_with_their_processes(person: Person, server: Server) -> None:
    assert set(server.api.kernelspecs()) == {"python3"}
    with ExitStack() as resources:
        gpu = resources.enter_context(gateway_of(person, "gpu"))
        first = gateway_of(person, "lab")
        lab = first.__enter__()
        person.save(gpu_box=gpu, lab=lab)
        wait_until(lambda: shown(server, LAB) == "Python 3 (ipykernel) · lab")
        kernel_id = server.api.start(LAB)
        session = server.api.open("lost.ipynb", id=kernel_id)

        lab.end()
        wait_until(lambda: "(unreachable: " in shown(server, LAB))
        assert shown(server, LAB).startswith("Python 3 (ipykernel) · lab (unreachable: ")
        assert shown(server, "python3.gpu-box") == "Python 3 (ipykernel) · gpu-box"
        refused = server.api.ask("POST", "api/kernels", {"name": LAB})
        assert refused.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert lab.api.url.rstrip("/") in refused.message
        # What was there stays in the list: who has it open is not to take it for dead.
        assert server.api.kernels()[kernel_id]["reason"]
        assert session["path"] in server.api.sessions()
        assert server.api.ask("GET", f"api/kernels/{kernel_id}").status == HTTPStatus.SERVICE_UNAVAILABLE
        first.__exit__(None, None, None)

        port = urlsplit(lab.api.url).port
        resources.enter_context(gateway_of(person, "lab", port=port, token=lab.api.token))
        wait_until(lambda: shown(server, LAB) == "Python 3 (ipykernel) · lab")
        wait_until(lambda: kernel_id not in server.api.kernels())
        assert "lost.ipynb" not in server.api.sessions()

        person.save(gpu_box=gpu)
        wait_until(lambda: set(server.api.kernelspecs()) == {"python3", "python3.gpu-box"})


def test_a_gateway_that_hangs_holds_up_no_list(person: Person, server: Server) -> None:
    with gateway_of(person, "hangs") as gateway:
        person.save(hangs=gateway)
        wait_until(lambda: bool(shown(server, "python3.hangs")))
        os.kill(gateway.process.pid, signal.SIGSTOP)
        try:
            assert shown(server, "python3.hangs") == "Python 3 (ipykernel) · hangs"
            local = server.api.start("python3")
            assert set(server.api.kernels()) == {local}
            assert server.api.end_kernel(local).status == HTTPStatus.NO_CONTENT
        finally:
            os.kill(gateway.process.pid, signal.SIGCONT)


def test_a_gateway_that_was_never_there_has_one_entry_that_says_why(person: Person, server: Server) -> None:
    with gateway_of(person, "nowhere") as gateway:
        gateway.end()
    person.save(nowhere=gateway)
    wait_until(lambda: "Nobody listens" in shown(server, "unreachable.nowhere"))
    anywhere = server.api.ask("GET", f"api/kernels/{uuid4()}")
    assert anywhere.status == HTTPStatus.SERVICE_UNAVAILABLE
    local = server.api.open("here.ipynb", name="python3")
    assert server.api.end_session(local).status == HTTPStatus.NO_CONTENT


def test_a_kernel_at_a_gateway_of_this_machine_works_in_the_notebooks_folder(
    person: Person, server: Server
) -> None:
    socket = Path(person.environ["XDG_RUNTIME_DIR"]) / "here"
    (person.files / "sub").mkdir()
    command = [
        *(sys.executable, "-m", "kernelway", "serve", "--socket", str(socket), "--no-auth"),
        *("--state-dir", str(person.files.parent / "here"), "--kernel-shutdown-wait", "2"),
    ]
    with Process(command, ready=" serves ", environ=person.environ, folder=person.files.parent):
        person.save_options(here={"baseUrl": f"unix:{socket}"})
        wait_until(lambda: shown(server, "python3.here") == "Python 3 (ipykernel) · here")
        session = server.api.open("sub/a.ipynb", name="python3.here")
        assert Path(process_of(session["kernel"]["id"]).cwd()) == person.files / "sub"
        kernel_id = server.api.start("python3.here", path="sub")
        assert Path(process_of(kernel_id).cwd()) == person.files / "sub"
        server.api.end_all()
