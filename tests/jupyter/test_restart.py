"""A notebook server that ends and is started again, as people do it, beside a gateway that goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from tests.jupyter.notebook_servers import (
    Gateway,
    Person,
    Server,
    end,
    ended,
    gateway_of,
    notebook_server_of,
    person_in,
    wait_until,
)


def asked_to_end(server: Server) -> None:
    assert server.api.ask("POST", "api/shutdown").status == HTTPStatus.OK
    ended(server.process)


ENDINGS: dict[str, Callable[[Server], None]] = {
    "SIGTERM": lambda server: end(server.process, signal.SIGTERM),
    "SIGINT": lambda server: end(server.process, signal.SIGINT),
    "SIGKILL": lambda server: end(server.process, signal.SIGKILL),
}


def test_remote_kernels_outlive_the_server_however_it_ends_and_are_found_again(tmp_path: Path) -> None:
    with person_in(tmp_path) as person, gateway_of(person, "gpu") as gateway:
        person.save(gpu_box=gateway)
        joined = gateway.api.start("python3")
        with notebook_server_of(person, "-y") as server:
            session = server.api.open("sub/a.ipynb", name="python3.gpu-box")
            server.api.open("joined.ipynb", id=joined)
            plain = server.api.start("python3.gpu-box")
            server.api.open("local.ipynb", name="python3")
            asked_to_end(server)
            check_that_it_ended_well(server)
        expected = {session["kernel"]["id"]: True, joined: False, plain: False}
        for ending in ENDINGS.values():
            assert set(gateway.api.kernels()) == set(expected)
            with notebook_server_of(person, "-y") as again:
                check_that_all_is_found(again, session["id"], expected)
                ending(again)
                check_that_it_ended_well(again)
        check_that_what_is_ended_on_purpose_ends(person, gateway)


def check_that_it_ended_well(server: Server) -> None:
    for complaint in ("[E ", "was destroyed", "Unclosed", "never awaited"):
        assert complaint not in server.log, server.log


def check_that_all_is_found(server: Server, session_id: str, ours: dict[str, bool]) -> None:
    """``ours`` tells of each kernel whether this server's earlier run started it for a file."""
    wait_until(lambda: set(server.api.sessions()) == {"sub/a.ipynb", "joined.ipynb"})
    assert server.api.sessions()["sub/a.ipynb"]["id"] == session_id
    kernels = server.api.kernels()
    assert {kernel_id: kernel["kernelway"]["ours"] for kernel_id, kernel in kernels.items()} == ours
    # A page that opens the notebook again gets its kernel.
    assert server.api.open("sub/a.ipynb", name="python3")["id"] == session_id


def check_that_what_is_ended_on_purpose_ends(person: Person, gateway: Gateway) -> None:
    with notebook_server_of(person, "-y") as server:
        wait_until(lambda: len(server.api.sessions()) == 2)
        for session in server.api.sessions().values():
            assert server.api.end_session(session).status == HTTPStatus.NO_CONTENT
        for kernel_id in server.api.kernels():
            assert server.api.end_kernel(kernel_id).status == HTTPStatus.NO_CONTENT
    assert not gateway.api.kernels()
