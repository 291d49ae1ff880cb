from __future__ import annotations

from typing import Any

import pytest

from kernelway.client.address import address_of, remote_end, shown, tunnelled
from kernelway.client.options import GatewayOptions


def options(base_url: str, **more: Any) -> GatewayOptions:
    return GatewayOptions(base_url=base_url, **more)


@pytest.mark.parametrize(
    ("given", "rest", "websocket"),
    [
        ({"base_url": "http://h:1"}, "http://h:1/api/x", "ws://h:1/api/x"),
        ({"base_url": "https://h/deep/base"}, "https://h/deep/base/api/x", "wss://h/deep/base/api/x"),
        ({"base_url": "https://h/a%20b/"}, "https://h/a%20b/api/x", "wss://h/a%20b/api/x"),
        ({"base_url": "http://h", "ws_url": "ws://W:2/CaSe"}, "http://h/api/x", "ws://w:2/CaSe/api/x"),
        ({"base_url": "http://[::1]:1"}, "http://[::1]:1/api/x", "ws://[::1]:1/api/x"),
        ({"base_url": "unix:/s"}, "http://localhost/api/x", "ws://localhost/api/x"),
    ],
)
def test_paths_are_below_the_base_url(given: dict[str, Any], rest: str, websocket: str) -> None:
    address = address_of(GatewayOptions(**given))
    assert str(address.request_url("api/x", {})) == rest
    assert str(address.websocket_url("api/x", {})) == websocket


def test_what_a_path_and_a_query_hold_is_encoded() -> None:
    url = address_of(options("http://h/b")).request_url("api/a b?c#d/%2F", {"q": "1&2"})
    assert str(url) == "http://h/b/api/a%20b%3Fc%23d/%252F?q=1%262"


def test_a_path_cannot_name_another_host() -> None:
    address = address_of(options("http://h/b"))
    for path in ("http://evil/x", "//evil/x", "@evil/x"):
        assert address.request_url(path, {}).host == "h"


@pytest.mark.parametrize(
    ("base_url", "remote"),
    [
        ("http://h:8888/x", "h:8888"),
        ("https://h", "h:443"),
        ("http://h", "h:80"),
        ("http://[::1]:1", "[::1]:1"),
        ("unix:/run/a b.sock", "/run/a b.sock"),
    ],
)
def test_what_a_tunnel_leads_to(base_url: str, remote: str) -> None:
    assert remote_end(address_of(options(base_url))) == remote


def test_a_tunnel_to_a_port_changes_where_to_connect_and_not_who_is_asked() -> None:
    address = tunnelled(address_of(options("https://h:8443/b")), unix_path=None, port=5)
    assert str(address.request_url("api", {})) == "https://127.0.0.1:5/b/api"
    assert str(address.websocket_url("api", {})) == "wss://127.0.0.1:5/b/api"
    assert address.server_hostname == "h"
    assert address.headers == {"Host": "h:8443"}


def test_a_tunnel_to_a_socket_keeps_the_url() -> None:
    address = tunnelled(address_of(options("http://h:1")), unix_path="/s", port=None)
    assert str(address.request_url("api", {})) == "http://h:1/api"
    assert (address.unix_path, address.server_hostname, address.headers) == ("/s", None, {})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base_url": "http://h:1/b"}, "http://h:1/b"),
        ({"base_url": "unix:/s"}, "/s"),
        ({"base_url": "http://h:1", "ssh": "me@box"}, "http://h:1 (through ssh to me@box)"),
    ],
)
def test_how_messages_name_an_address(given: dict[str, Any], words: str) -> None:
    assert shown(GatewayOptions(**given)) == words
