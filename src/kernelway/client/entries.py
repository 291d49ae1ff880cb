"""The entries of ``gateways.json``: which keys there are, and the options that they make.

An entry is ``{"name": …, "options": {"baseUrl": …, …}}``, as Hydrogen had them. A secret need not stand in
the file: ``tokenEnv`` and ``passwordEnv`` name an environment variable, ``tokenKeyring`` and
``passwordKeyring`` a service of the system's keyring, where the gateway's name is the user's (``keyring set
SERVICE NAME`` stores it). They are looked up when the gateway is used, not when the file is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from kernelway.client.options import DEFAULT_TIMEOUT, PING_AFTER, PONG_WITHIN, GatewayOptions
from kernelway.protocol.errors import ConfigError


class _Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    base_url: str
    ws_url: str | None = None
    token: str | None = None
    token_env: str | None = None
    token_keyring: str | None = None
    request_headers: dict[str, str] = msgspec.field(default_factory=dict)
    user: str | None = None
    password: str | None = None
    password_env: str | None = None
    password_keyring: str | None = None
    with_credentials: bool | None = None
    """Taken and not used: it told browsers to send cookies to other hosts, and this is no browser."""
    timeout: float | None = None
    """Milliseconds, as in Hydrogen, and so are the other times."""
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    fingerprint: str | None = None
    ssh: str | None = None
    ping_after: float = PING_AFTER * 1000
    pong_within: float = PONG_WITHIN * 1000
    reconnect_for: float | None = None


_KEYS: Final = {field.name: field.encode_name for field in msgspec.structs.fields(_Options)}
"""Our names of the options to those in the file."""

_SECRETS: Final = ("token", "password")
_FILES: Final = ("ca_file", "client_cert", "client_key")


@dataclass(frozen=True, slots=True)
class SavedGateway:
    """A checked entry; ``options`` is what stands in the file."""

    name: str
    options: Mapping[str, Any] = field(repr=False)

    def resolve(self, *, environ: Mapping[str, str], folder: Path) -> GatewayOptions:
        """The options to connect with, secrets included.

        ``folder`` is what relative paths of certificates start from: the one of the file. Reading the keyring
        may wait for a person to unlock it, and blocks the thread meanwhile.
        """
        options = _decoded(self.name, self.options)
        secrets = {name: _secret(self.name, options, name, environ) for name in _SECRETS}
        return _made(self.name, options, folder, secrets)


def read_entry(entry: object) -> SavedGateway:
    """Check an entry; :class:`ConfigError` names what does not fit, and the key that was meant."""
    if not isinstance(entry, dict):
        raise ConfigError(
            f"Every gateway must be an object with name and options, and one is {_kind(entry)}."
        )
    name = entry.get("name")
    if not isinstance(name, str):
        raise ConfigError("Every gateway needs a name, and one has none.")
    _check_keys(f"The gateway {name!r}", entry, ("name", "options"))
    options = entry.get("options")
    if not isinstance(options, dict):
        raise ConfigError(f"The gateway {name!r} needs options, an object with at least baseUrl.")
    decoded = _decoded(name, options)
    # Secrets are not looked up here: that one is missing now must not hide all other gateways.
    present = {secret: "x" if _places(decoded, secret) else None for secret in _SECRETS}
    _made(name, decoded, Path(), present)
    return SavedGateway(name, options)


def _decoded(name: str, options: Mapping[str, Any]) -> _Options:
    _check_keys(f"The gateway {name!r}", options, tuple(_KEYS.values()))
    try:
        decoded = msgspec.convert(options, _Options)
    except msgspec.ValidationError as error:
        raise ConfigError(f"The options of the gateway {name!r} do not fit: {error}.") from error
    for secret in _SECRETS:
        places = _places(decoded, secret)
        if len(places) > 1:
            raise ConfigError(
                f"The gateway {name!r} has both {places[0]} and {places[1]}: leave one of them."
            )
    return decoded


def _check_keys(whose: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            import difflib

            lower = {name.lower(): name for name in known}
            close = difflib.get_close_matches(key.lower(), lower, n=1, cutoff=0.5)
            meant = f"did you mean {lower[close[0]]!r}? " if close else ""
            raise ConfigError(
                f"{whose} has the key {key!r}, which is not known: {meant}Known: {', '.join(known)}."
            )


def _places(options: _Options, secret: str) -> list[str]:
    """The keys that give a secret."""
    keys = (secret, f"{secret}_env", f"{secret}_keyring")
    return [_KEYS[key] for key in keys if getattr(options, key) is not None]


def _made(name: str, options: _Options, folder: Path, secrets: Mapping[str, str | None]) -> GatewayOptions:
    files = {key: _path(folder, getattr(options, key)) for key in _FILES}
    try:
        return GatewayOptions(
            base_url=options.base_url,
            ws_url=options.ws_url,
            request_headers=options.request_headers,
            user=options.user,
            timeout=DEFAULT_TIMEOUT if options.timeout is None else options.timeout / 1000,
            fingerprint=options.fingerprint,
            ssh=options.ssh,
            ping_after=options.ping_after / 1000,
            pong_within=options.pong_within / 1000,
            reconnect_for=None if options.reconnect_for is None else options.reconnect_for / 1000,
            ca_file=files["ca_file"],
            client_cert=files["client_cert"],
            client_key=files["client_key"],
            token=secrets["token"],
            password=secrets["password"],
        )
    except ConfigError as error:
        words = re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda word: _KEYS.get(word[0], word[0]), str(error))
        raise ConfigError(f"The gateway {name!r}: {words}") from error


def _path(folder: Path, text: str | None) -> str | None:
    return None if text is None else str(folder / Path(text).expanduser())


def _secret(name: str, options: _Options, secret: str, environ: Mapping[str, str]) -> str | None:
    variable: str | None = getattr(options, f"{secret}_env")
    service: str | None = getattr(options, f"{secret}_keyring")
    if variable is not None:
        if not environ.get(variable):
            raise ConfigError(
                f"The gateway {name!r} takes its {secret} from the environment variable {variable}, which is "
                "not set."
            )
        return environ[variable]
    if service is not None:
        return _from_keyring(name, secret, service)
    found: str | None = getattr(options, secret)
    return found


def _from_keyring(name: str, secret: str, service: str) -> str:
    where = f"The gateway {name!r} takes its {secret} from the keyring's service {service!r}"
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise ConfigError(f"{where}: install keyring, for example as kernelway[keyring].") from error
    try:
        found = keyring.get_password(service, name)
    except keyring.errors.KeyringError as error:
        raise ConfigError(f"{where}, which cannot be read: {error}.") from error
    if not found:
        raise ConfigError(f"{where}, which has none: `keyring set {service!r} {name!r}` stores it.")
    return found


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), "a number or a truth value")
