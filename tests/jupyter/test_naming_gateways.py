from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from kernelway.client.options import GatewayOptions
from kernelway.jupyter.naming_gateways import (
    NamedGateway,
    named_by_environment,
    named_by_traits,
    only_remote,
)
from kernelway.protocol.errors import ConfigError

URL = "https://kg-host:9000/deep"


def nb2kg(**variables: str) -> NamedGateway:
    """What nb2kg's variables name, beside the URL."""
    (gateway,) = named_by_environment({"KG_URL": URL, **variables})
    return gateway


def jupyter(**variables: str) -> NamedGateway:
    """What jupyter_server's variables name; the names are given without what all of them begin with."""
    prefixed = {f"JUPYTER_GATEWAY_{name}": value for name, value in variables.items()}
    (gateway,) = named_by_environment({"JUPYTER_GATEWAY_URL": URL, **prefixed})
    return gateway


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_without_a_url_no_gateway_is_named() -> None:
    assert named_by_environment({}) == ()
    assert named_by_environment({"KG_AUTH_TOKEN": "t", "KG_URL": "", "JUPYTER_GATEWAY_AUTH_TOKEN": "t"}) == ()
    assert named_by_traits({"auth_token": "t", "url": None}, {"JUPYTER_GATEWAY_URL": URL}) is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, "kg-host:9000"),
        ("http://kg-host", "kg-host"),
        ("http://kg-host/", "kg-host"),
        ("http://127.0.0.1:8888/x", "127.0.0.1:8888"),
        ("http://[::1]:8888", "[::1]:8888"),
    ],
)
def test_a_gateway_is_called_by_its_host_and_port(url: str, name: str) -> None:
    (gateway,) = named_by_environment({"KG_URL": url})
    assert gateway.name == name
    assert gateway.options == GatewayOptions(base_url=url)


def test_both_kinds_of_variables_can_name_one_each() -> None:
    both = named_by_environment({"KG_URL": "http://one", "JUPYTER_GATEWAY_URL": "http://other"})
    assert [each.name for each in both] == ["one", "other"]


def test_nb2kg_s_variables_are_understood() -> None:
    gateway = nb2kg(
        KG_AUTH_TOKEN="secret",
        KG_HEADERS='{"X-Group": "a"}',
        KG_WS_URL="wss://kg-host:9001/deep",
        KG_CONNECT_TIMEOUT="4",
        KG_REQUEST_TIMEOUT="25.5",
        KG_CLIENT_CERT="/c.pem",
        KG_CLIENT_KEY="/k.pem",
        KG_CLIENT_CA="/ca.pem",
    )
    assert gateway.options == GatewayOptions(
        base_url=URL,
        token="secret",
        request_headers={"X-Group": "a"},
        ws_url="wss://kg-host:9001/deep",
        connect_timeout=4,
        timeout=25.5,
        client_cert="/c.pem",
        client_key="/k.pem",
        ca_file="/ca.pem",
    )


def test_jupyter_server_s_variables_are_understood() -> None:
    gateway = jupyter(
        AUTH_TOKEN="secret",
        HEADERS='{"X-Group": "a"}',
        WS_URL="wss://kg-host:9001/deep",
        CONNECT_TIMEOUT="4",
        REQUEST_TIMEOUT="25.5",
        CLIENT_CERT="/c.pem",
        CLIENT_KEY="/k.pem",
        CA_CERTS="/ca.pem",
        RETRY_INTERVAL="3",
        RETRY_MAX="9",
        ACCEPT_COOKIES="yes",
        KERNELS_ENDPOINT="/api/kernels",
        KERNELSPECS_RESOURCE_ENDPOINT="/kernelspecs",
        TOKEN_RENEWER_CLASS="jupyter_server.gateway.gateway_client.NoOpTokenRenewer",
    )
    assert gateway.options == GatewayOptions(
        base_url=URL,
        token="secret",
        request_headers={"X-Group": "a"},
        ws_url="wss://kg-host:9001/deep",
        connect_timeout=4,
        timeout=25.5,
        client_cert="/c.pem",
        client_key="/k.pem",
        ca_file="/ca.pem",
    )


def test_an_http_user_is_basic_authentication_in_the_place_of_the_token() -> None:
    for gateway in (
        nb2kg(KG_HTTP_USER="ada", KG_HTTP_PASS="pä:ss", KG_AUTH_TOKEN="t"),
        jupyter(HTTP_USER="ada", HTTP_PWD="pä:ss", AUTH_TOKEN="t"),
    ):
        assert gateway.options.request_headers == {"Authorization": basic("ada", "pä:ss")}
        assert gateway.options.token is None
        assert gateway.options.password is None


def test_an_http_password_without_a_user_is_not_sent() -> None:
    assert nb2kg(KG_HTTP_PASS="p").options == GatewayOptions(base_url=URL)


def test_a_token_takes_the_place_of_an_authorization_among_the_headers() -> None:
    headers = '{"authorization": "Bearer x"}'
    assert nb2kg(KG_HEADERS=headers).options.request_headers == {"authorization": "Bearer x"}
    with_token = nb2kg(KG_HEADERS=headers, KG_AUTH_TOKEN="t").options
    assert (with_token.token, with_token.request_headers) == ("t", {})


def test_a_token_may_have_another_scheme_and_another_header() -> None:
    assert jupyter(AUTH_TOKEN="t", AUTH_SCHEME="Bearer").options.request_headers == {
        "Authorization": "Bearer t"
    }
    other = jupyter(AUTH_TOKEN="t", AUTH_HEADER_KEY="X-Key", AUTH_SCHEME="", HTTP_USER="ada").options
    assert other.request_headers == {"X-Key": "t", "Authorization": basic("ada", "")}
    assert other.token is None


@pytest.mark.parametrize("word", ["no", "false", "False", "0"])
def test_certificates_are_not_validated_where_that_was_said(word: str) -> None:
    assert not nb2kg(VALIDATE_KG_CERT=word).options.validate_cert
    assert not jupyter(VALIDATE_CERT=word).options.validate_cert


def test_certificates_are_validated_otherwise() -> None:
    assert nb2kg().options.validate_cert
    assert nb2kg(VALIDATE_KG_CERT="yes").options.validate_cert
    (plain,) = named_by_environment({"KG_URL": "http://h", "VALIDATE_KG_CERT": "no"})
    assert plain.options == GatewayOptions(base_url="http://h")


def test_requests_may_take_as_long_as_a_kernel_to_start() -> None:
    variables = {"JUPYTER_GATEWAY_URL": URL, "KERNEL_LAUNCH_TIMEOUT": "90"}
    (gateway,) = named_by_environment(variables | {"JUPYTER_GATEWAY_REQUEST_TIMEOUT": "20"})
    assert gateway.options.timeout == 92
    (gateway,) = named_by_environment(variables | {"JUPYTER_GATEWAY_REQUEST_TIMEOUT": "200"})
    assert gateway.options.timeout == 200
    assert nb2kg(KERNEL_LAUNCH_TIMEOUT="90", KG_REQUEST_TIMEOUT="20").options.timeout == 20


def test_kernels_get_the_variables_that_are_theirs_or_allowed() -> None:
    environ = {"KERNEL_USERNAME": "ada", "AREA": "51", "HOME": "/home/ada", "KG_ENV_WHITELIST": "AREA, NONE"}
    gateway = nb2kg(**environ)
    assert gateway.env == {"KERNEL_USERNAME": "ada", "AREA": "51"}
    assert jupyter(ALLOWED_ENVS="X").env == {}


def test_no_secret_is_shown() -> None:
    gateway = nb2kg(KG_AUTH_TOKEN="secret", KG_HEADERS='{"X": "secret"}', KERNEL_PASSWORD="secret")
    assert "secret" not in repr(gateway)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KG_URL": "kg-host:9000"}, "KG_URL is 'kg-host:9000'; it must begin with http://"),
        (
            {"KG_URL": "http://ada:secret@h"},
            "KG_URL has a name before an @: set KG_HTTP_USER and KG_HTTP_PASS",
        ),
        ({"KG_URL": "http://h?token=secret"}, "KG_URL must end with its path"),
        ({"KG_WS_URL": "http://h"}, "KG_WS_URL is 'http://h'"),
        ({"KG_HEADERS": "secret"}, "KG_HEADERS is no JSON object of texts"),
        ({"KG_HEADERS": '{"X": 1}'}, "KG_HEADERS is no JSON object of texts"),
        ({"KG_HEADERS": '{"X": "a\\nb"}'}, "KG_HEADERS 'X' holds a line break"),
        ({"KG_AUTH_TOKEN": "sec\nret"}, "KG_AUTH_TOKEN holds a line break"),
        ({"KG_REQUEST_TIMEOUT": "soon"}, "KG_REQUEST_TIMEOUT is 'soon'; it must be a number of seconds"),
        ({"KG_REQUEST_TIMEOUT": "0"}, "KG_REQUEST_TIMEOUT is 0 seconds"),
        ({"KG_CONNECT_TIMEOUT": "nan"}, "KG_CONNECT_TIMEOUT is nan seconds"),
        ({"VALIDATE_KG_CERT": "maybe"}, "VALIDATE_KG_CERT is 'maybe'; it must be yes or no"),
        ({"VALIDATE_KG_CERT": "no", "KG_CLIENT_CA": "/ca"}, "VALIDATE_KG_CERT is off, but KG_CLIENT_CA"),
        ({"KG_CLIENT_KEY": "/k"}, "KG_CLIENT_KEY is given without KG_CLIENT_CERT"),
        ({"KG_URL": "http://h", "KG_CLIENT_CA": "/ca"}, "KG_CLIENT_CA is given, but http://h does not use"),
        ({"KG_KERNELS_ENDPOINT": "/x/api/kernels"}, "KG_KERNELS_ENDPOINT is not /api/kernels"),
    ],
)
def test_what_does_not_fit_is_named_as_it_was_given(variables: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as met:
        nb2kg(**variables)
    assert words in str(met.value)
    assert "secret" not in str(met.value)


def test_a_class_that_renews_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"JUPYTER_GATEWAY_TOKEN_RENEWER_CLASS names a class"):
        jupyter(TOKEN_RENEWER_CLASS="my.Renewer")


def test_configured_traits_win_over_their_variables() -> None:
    values: dict[str, Any] = {"url": URL, "auth_token": "configured", "request_timeout": 30.0}
    environ = {"JUPYTER_GATEWAY_AUTH_TOKEN": "variable", "JUPYTER_GATEWAY_HEADERS": json.dumps({"X": "1"})}
    gateway = named_by_traits(values, environ)
    assert gateway == NamedGateway(
        "kg-host:9000",
        GatewayOptions(base_url=URL, token="configured", timeout=30, request_headers={"X": "1"}),
    )


def test_what_the_gateway_client_makes_of_its_url_is_no_other_url() -> None:
    upper = "https://KG-host:9000/Deep"
    gateway = named_by_traits({"url": upper, "ws_url": "wss://kg-host:9000/deep", "validate_cert": False}, {})
    assert gateway is not None
    assert gateway.options == GatewayOptions(base_url=upper, validate_cert=False)


def test_a_trait_that_does_not_fit_is_named_so() -> None:
    with pytest.raises(ConfigError, match=r"GatewayClient\.url is 'ftp://h'"):
        named_by_traits({"url": "ftp://h"}, {})
    with pytest.raises(ConfigError, match=r"JUPYTER_GATEWAY_CONNECT_TIMEOUT is 'x'"):
        named_by_traits({"url": URL}, {"JUPYTER_GATEWAY_CONNECT_TIMEOUT": "x"})


def test_local_kernels_are_hidden_on_request() -> None:
    assert not only_remote({})
    assert not only_remote({"KERNELWAY_ONLY_REMOTE": "0"})
    assert only_remote({"KERNELWAY_ONLY_REMOTE": "1"})
    with pytest.raises(ConfigError, match="KERNELWAY_ONLY_REMOTE is 'perhaps'; it must be yes or no"):
        only_remote({"KERNELWAY_ONLY_REMOTE": "perhaps"})
