from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from kernelway.client.entries import SavedGateway, read_entry
from kernelway.client.options import GatewayOptions
from kernelway.protocol.errors import ConfigError

FOLDER = Path("/home/me/.jupyter")


def box(**options: Any) -> SavedGateway:
    return read_entry({"name": "box", "options": {"baseUrl": "https://h", **options}})


def test_every_key_arrives() -> None:
    pin = "0A" * 32
    saved = box(
        wsUrl="wss://h/ws",
        requestHeaders={"X-Group": "a"},
        user="me",
        password="p",
        withCredentials=True,
        timeout=2500,
        pingAfter=3000,
        pongWithin=4000,
        reconnectFor=60000,
        caFile="ca.pem",
        clientCert="/etc/cert.pem",
        clientKey="~/key.pem",
        fingerprint=pin,
    )
    assert saved.resolve(environ={}, folder=FOLDER) == GatewayOptions(
        base_url="https://h",
        ws_url="wss://h/ws",
        request_headers={"X-Group": "a"},
        user="me",
        password="p",
        timeout=2.5,
        ping_after=3.0,
        pong_within=4.0,
        reconnect_for=60.0,
        ca_file=str(FOLDER / "ca.pem"),
        client_cert="/etc/cert.pem",
        client_key=str(Path("~/key.pem").expanduser()),
        fingerprint=pin,
    )
    assert box(ssh="me@host").resolve(environ={}, folder=FOLDER).ssh == "me@host"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseURL": "http://h"}, "'box' has the key 'baseURL', .* did you mean 'baseUrl'"),
        ({"tokn": "x"}, "did you mean 'token'"),
        ({"request_headers": {}}, "did you mean 'requestHeaders'"),
        ({"qqqqqq": 1}, "'qqqqqq', which is not known: Known: baseUrl"),
        ({"token": 7}, r"'box' do not fit: Expected `str \| null`, got `int` - at `\$.token`"),
        ({"requestHeaders": {"X": 1}}, "'box' do not fit: Expected `str`"),
        ({"baseUrl": "h:8888"}, "'box': baseUrl is 'h:8888'; it must begin"),
        ({"clientKey": "k"}, "'box': clientKey is given without clientCert"),
        ({"timeout": -1}, "'box': timeout"),
        ({"pingAfter": 0}, "'box': pingAfter"),
        ({"token": "a", "tokenEnv": "B"}, "both token and tokenEnv"),
        ({"token": "a", "passwordEnv": "B"}, "token and password exclude"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        box(**options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"nam": "box", "options": {}}', "needs a name"),
        ('{"name": 1, "options": {}}', "needs a name"),
        ('{"name": "box", "option": {}}', "'box' has the key 'option', .* did you mean 'options'"),
        ('{"name": "box"}', "'box' needs options"),
        ('{"name": "box", "options": []}', "'box' needs options"),
        ('{"name": "box", "options": {}}', "'box' do not fit: .*baseUrl"),
        ('"box"', "one is a text"),
        ("null", "one is null"),
        ("[]", "one is a list"),
        ("1", "one is a number"),
    ],
)
def test_an_entry_that_is_none_is_told(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_entry(json.loads(text))


def test_secrets_are_not_in_the_repr() -> None:
    assert "s3" not in repr(box(token="s3"))


@pytest.mark.parametrize("secret", ["token", "password"])
def test_a_secret_comes_from_the_environment(secret: str) -> None:
    saved = box(**{f"{secret}Env": "MY_SECRET"})
    options = saved.resolve(environ={"MY_SECRET": "s3"}, folder=FOLDER)
    assert getattr(options, secret) == "s3"
    for environ in ({}, {"MY_SECRET": ""}):
        with pytest.raises(ConfigError, match=f"'box' takes its {secret} from .* MY_SECRET"):
            saved.resolve(environ=environ, folder=FOLDER)


class OneSecret(keyring.backend.KeyringBackend):
    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return "s3" if (service, username) == ("jupyter", "box") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


def test_a_secret_comes_from_the_keyring() -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(OneSecret())
    try:
        assert box(tokenKeyring="jupyter").resolve(environ={}, folder=FOLDER).token == "s3"
        with pytest.raises(ConfigError, match="which has none: `keyring set 'other' 'box'`"):
            box(tokenKeyring="other").resolve(environ={}, folder=FOLDER)
    finally:
        keyring.set_keyring(before)


def test_a_keyring_that_cannot_be_read_is_told() -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    try:
        with pytest.raises(ConfigError, match="'jupyter', which cannot be read"):
            box(passwordKeyring="jupyter").resolve(environ={}, folder=FOLDER)
    finally:
        keyring.set_keyring(before)


def test_a_keyring_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"install keyring, for example as kernelway\[keyring\]"):
        box(tokenKeyring="jupyter").resolve(environ={}, folder=FOLDER)
