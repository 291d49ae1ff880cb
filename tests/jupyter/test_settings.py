"""Gateways that settings name: those of nb2kg, of jupyter_server, and the hiding of local kernels."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest
from tests.jupyter.notebook_servers import (
    Api,
    Gateway,
    Person,
    Server,
    gateway_of,
    notebook_server_of,
    person_in,
    wait_until,
)
from tests.support.stock import jupyter_server_in, kernel_gateway_in


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person_in(tmp_path_factory.mktemp("settings")) as person:
        yield person


@pytest.fixture(scope="module")
def gateway(person: Person) -> Iterator[Gateway]:
    with gateway_of(person, "named") as gateway:
        yield gateway


def label_of(url: str) -> str:
    """What a gateway without a name is called in a kernelspec's name."""
    return url.rpartition("//")[2].rstrip("/").replace(".", "-").replace(":", "-")


def test_gateways_of_the_command_line_and_of_nb2kg_join_the_list(
    person: Person, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        kernel_gateway_in(tmp_path_factory.mktemp("kernel_gateway")) as stock,
        notebook_server_of(
            person,
            f"--gateway-url={gateway.api.url}",
            f"--GatewayClient.auth_token={gateway.api.token}",
            KG_URL=stock.base_url,
            KG_AUTH_TOKEN=stock.token,
        ) as server,
    ):
        ours, theirs = f"python3.{label_of(gateway.api.url)}", f"python3.{label_of(stock.base_url)}"
        wait_until(lambda: set(server.api.kernelspecs()) == {"python3", ours, theirs})
        session = server.api.open("named.ipynb", name=ours)
        assert session["kernel"]["name"] == ours
        assert server.api.end_session(session).status == HTTPStatus.NO_CONTENT
        check_that_a_notebook_moves(server, theirs)


def test_a_notebook_moves_to_and_from_a_stock_gateway_that_lists_its_sessions(
    person: Person, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lists = ["--JupyterWebsocketPersonality.list_kernels=True"]
    with (
        kernel_gateway_in(tmp_path_factory.mktemp("kernel_gateway"), args=lists) as stock,
        notebook_server_of(person, KG_URL=stock.base_url, KG_AUTH_TOKEN=stock.token) as server,
    ):
        check_that_a_notebook_moves(server, f"python3.{label_of(stock.base_url)}")


def check_that_a_notebook_moves(server: Server, name: str) -> None:
    """To a kernelspec of a kernel_gateway, and from it; it is renamed in between."""
    session = server.api.open("stock.ipynb", name=name)
    renamed = server.api.change(session, path="renamed.ipynb")
    assert renamed["id"] == session["id"]
    assert server.api.sessions()["renamed.ipynb"]["kernel"]["id"] == session["kernel"]["id"]
    moved = server.api.change(session, kernel={"name": "python3"})
    assert (moved["id"], moved["kernel"]["name"]) == (session["id"], "python3")
    assert session["kernel"]["id"] not in server.api.kernels()
    back = server.api.change(session, kernel={"name": name})
    assert (back["id"], back["kernel"]["name"]) == (session["id"], name)
    assert server.api.end_session(session).status == HTTPStatus.NO_CONTENT
    assert not server.api.kernels()


def test_a_kernel_of_a_stock_server_survives_that_a_notebook_leaves_it(
    person: Person, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = ["--ServerApp.jpserver_extensions={'jupyterlab': False, 'notebook': False, 'nbclassic': False}"]
    with (
        jupyter_server_in(tmp_path_factory.mktemp("jupyter_server"), args=alone) as stock,
        notebook_server_of(person, KG_URL=stock.base_url, KG_AUTH_TOKEN=stock.token) as server,
    ):
        there = Api(f"{stock.base_url}/", stock.token)
        name = f"python3.{label_of(stock.base_url)}"
        shared = there.start("python3")
        session = server.api.open("joins.ipynb", id=shared)
        assert session["kernel"]["kernelway"]["ours"] is False
        changed = server.api.change(session, kernel={"name": name})
        assert (changed["id"], changed["path"]) == (session["id"], "joins.ipynb")
        own = changed["kernel"]["id"]
        assert set(there.kernels()) == {shared, own}
        again = server.api.change(changed, kernel={"name": name})
        assert set(there.kernels()) == {shared, again["kernel"]["id"]}
        assert server.api.end_session(again).status == HTTPStatus.NO_CONTENT
        assert set(there.kernels()) == {shared}
        there.end_all()


def test_local_kernels_are_hidden_where_only_remote_ones_are_wanted(person: Person, gateway: Gateway) -> None:
    named = {"JUPYTER_GATEWAY_URL": gateway.api.url, "JUPYTER_GATEWAY_AUTH_TOKEN": gateway.api.token}
    with notebook_server_of(person, KERNELWAY_ONLY_REMOTE="1", **named) as server:
        remote = f"python3.{label_of(gateway.api.url)}"
        listed = server.api.get("api/kernelspecs")
        assert set(listed["kernelspecs"]) == {remote}
        assert server.api.get("api/kernelspecs")["default"] == remote
        kernel_id = server.api.start()
        assert server.api.kernels()[kernel_id]["name"] == remote
        session = server.api.open("default.ipynb")
        assert session["kernel"]["name"] == remote
        assert server.api.ask("POST", "api/kernels", {"name": "python3"}).status >= HTTPStatus.BAD_REQUEST
        server.api.end_all()


def test_a_setting_that_does_not_fit_is_told_and_local_kernels_work(person: Person) -> None:
    with notebook_server_of(person, KG_URL="ftp://nowhere", KERNELWAY_ONLY_REMOTE="perhaps") as server:
        assert set(server.api.kernelspecs()) == {"python3"}
        assert "KG_URL" in server.log
        assert "KERNELWAY_ONLY_REMOTE" in server.log
