from __future__ import annotations

import math
from typing import Any

import pytest

from kernelway.client.options import GatewayOptions, SshDestination, parse_destination
from kernelway.protocol.errors import ConfigError

HTTP, HTTPS = "http://h:1", "https://h:1"
PIN = ":".join(["0a"] * 32)


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": HTTP},
        {"base_url": "HTTPS://Example.com/deep/path/", "fingerprint": PIN, "ca_file": "ca.pem"},
        {"base_url": "http://[::1]:8888", "ws_url": "ws://[::1]:8889/x"},
        {"base_url": "unix:/run/user/1000/k.sock", "ssh": "me@host:2222"},
        {"base_url": HTTP, "ws_url": "wss://h", "ca_file": "ca.pem"},
        {"base_url": HTTP, "user": "me", "password": "p"},
        {"base_url": HTTP, "token": "t", "request_headers": {"X-Group": "a"}},
        {"base_url": HTTPS, "validate_cert": False, "client_cert": "c.pem", "connect_timeout": 3},
    ],
)
def test_options_that_fit(options: dict[str, Any]) -> None:
    assert GatewayOptions(**options).base_url == options["base_url"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base_url": "example.com:8888"}, "base_url is 'example.com:8888'; it must begin with http://"),
        ({"base_url": "ws://h"}, "must begin with http://"),
        ({"base_url": "http://"}, "and a host"),
        ({"base_url": "http://h:port"}, "base_url is no URL"),
        ({"base_url": ""}, "base_url is empty"),
        ({"base_url": "unix:relative"}, "must begin with a slash"),
        ({"base_url": "unix:/s", "ws_url": "ws://h"}, "leave ws_url out"),
        ({"base_url": HTTP, "ws_url": "http://h"}, "ws_url is 'http://h'; it must begin with ws://"),
        ({"base_url": HTTP, "ws_url": "ws://h", "ssh": "h"}, "ws_url and ssh exclude"),
        ({"base_url": HTTP, "token": ""}, "token is empty"),
        ({"base_url": HTTP, "token": "t", "password": "p"}, "token and password exclude"),
        ({"base_url": HTTP, "token": "t", "request_headers": {"authorization": "x"}}, "exclude each other"),
        ({"base_url": HTTP, "request_headers": {"X-A": "b\r\nX-C: d"}}, "request_headers 'X-A' holds a line"),
        ({"base_url": HTTP, "request_headers": {"X\n": "b"}}, "holds a line break"),
        ({"base_url": HTTP, "user": "me"}, "user is given without password"),
        ({"base_url": HTTP, "fingerprint": PIN}, "does not use TLS"),
        ({"base_url": HTTP, "ws_url": "wss://h", "fingerprint": PIN}, "does not use TLS"),
        ({"base_url": HTTPS, "ws_url": "ws://h", "fingerprint": PIN}, "ws://h does not use TLS"),
        ({"base_url": HTTP, "ca_file": "ca.pem"}, "ca_file is given, but http://h:1 does not use TLS"),
        ({"base_url": "unix:/s", "client_cert": "c.pem"}, "does not use TLS"),
        ({"base_url": HTTPS, "fingerprint": "0a0b"}, "64 hexadecimal digits"),
        ({"base_url": HTTPS, "client_key": "k.pem"}, "client_key is given without client_cert"),
        ({"base_url": HTTPS, "validate_cert": False, "ca_file": "ca.pem"}, "validate_cert is off, but"),
        ({"base_url": HTTPS, "validate_cert": False, "fingerprint": PIN}, "validate_cert is off, but"),
        ({"base_url": HTTP, "connect_timeout": 0}, "connect_timeout"),
        ({"base_url": HTTP, "timeout": 0}, "above zero"),
        ({"base_url": HTTP, "timeout": math.inf}, "above zero"),
        ({"base_url": HTTP, "ping_after": 0}, "ping_after"),
        ({"base_url": HTTP, "pong_within": -1}, "pong_within"),
        ({"base_url": HTTP, "reconnect_for": 0}, "reconnect_for"),
        ({"base_url": HTTP, "timeout": math.nan}, "above zero"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        GatewayOptions(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://h:8888/?token=secret"},
        {"base_url": "http://h:8888/#secret"},
        {"base_url": "http://me:secret@h:8888"},
        {"base_url": "http://secret@h:8888"},
        {"base_url": HTTP, "ws_url": "ws://h/?token=secret"},
        {"base_url": HTTP, "token": "secret\n"},
        {"base_url": HTTP, "request_headers": {"X-Key": "secret\n"}},
    ],
)
def test_a_refusal_does_not_repeat_a_secret(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        GatewayOptions(**options)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_in_the_repr() -> None:
    headers = {"X-Key": "secret"}
    assert "secret" not in repr(GatewayOptions(base_url=HTTP, token="secret", request_headers=headers))
    assert "secret" not in repr(GatewayOptions(base_url=HTTP, password="secret"))


@pytest.mark.parametrize(
    ("base_url", "path"),
    [("unix:/a/b c", "/a/b c"), ("unix:///a/b", "/a/b"), ("http://h/unix:/a", None)],
)
def test_the_path_of_a_socket(base_url: str, path: str | None) -> None:
    assert GatewayOptions(base_url=base_url).unix_path == path


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("host", SshDestination("host")),
        ("me@host", SshDestination("host", "me")),
        ("me@host:2222", SshDestination("host", "me", 2222)),
        ("me@example.com@host.example.com", SshDestination("host.example.com", "me@example.com")),
        ("me@[fe80::1%eth0]:22", SshDestination("fe80::1%eth0", "me", 22)),
        ("[::1]", SshDestination("::1")),
        ("10.0.0.1", SshDestination("10.0.0.1")),
    ],
)
def test_a_destination_is_taken_apart(text: str, destination: SshDestination) -> None:
    assert parse_destination(text) == destination
    assert str(destination) == text


@pytest.mark.parametrize(
    "text",
    [
        "-oProxyCommand=touch /tmp/x",
        "me@-oProxyCommand=x",
        "-me@host",
        "@host",
        "me@",
        "host name",
        "host;reboot",
        "me@$(reboot)",
        "`reboot`@host",
        "me@host:0",
        "me@host:65536",
        "me@host:22:23",
        "host\n",
        "::1",
        "ssh://host",
    ],
)
def test_a_destination_that_ssh_or_a_shell_could_misread_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="it must be a host, user@host"):
        parse_destination(text)
