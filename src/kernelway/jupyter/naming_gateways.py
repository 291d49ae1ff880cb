"""The gateway that nb2kg's or jupyter_server's own settings name.

nb2kg read ``KG_URL`` and variables beside it; jupyter_server reads ``JUPYTER_GATEWAY_URL`` and its
relatives, or the traits of its ``GatewayClient``, of which ``--gateway-url`` is one. What they say is
understood as it was there, but:

- A token that is not given is not sent, and then an ``Authorization`` among the headers counts. With an HTTP
  user both sent HTTP basic authentication in its place, and so does this.
- Certificates of authorities count without a certificate of ours.
- How often and after which pauses they tried again (``…_RETRY_…``) does not matter: a gateway is tried for
  as long as it is wanted. Cookies are always accepted.
- Another path than ``/api/kernels`` and a class that renews tokens cannot be had: they are a
  :class:`ConfigError`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from yarl import URL

from kernelway.client.options import CONNECT_TIMEOUT, DEFAULT_TIMEOUT, GatewayOptions
from kernelway.protocol.errors import ConfigError


@dataclass(frozen=True, slots=True)
class NamedGateway:
    """A gateway that is saved nowhere: the variables, or the command line, of this server name it."""

    name: str
    """The host of its URL, with the port where one is given."""
    options: GatewayOptions
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What is added to the environment of each kernel that is started there: this server's own ``KERNEL_…``
    variables, and those that were allowed by name."""


@dataclass(frozen=True, slots=True)
class _Settings:
    """What was set, by the names of ``GatewayClient``'s traits, and how messages call each."""

    values: Mapping[str, object]
    names: Mapping[str, str]

    def text(self, trait: str) -> str | None:
        """The text that was set; None where there is none, or an empty one."""
        value = self.values.get(trait)
        return None if value is None or value == "" else str(value)

    def seconds(self, trait: str) -> float | None:
        """The number that was set."""
        text = self.text(trait)
        if text is None:
            return None
        try:
            return float(text)
        except ValueError:
            raise self.error(trait, f"is {text!r}; it must be a number of seconds") from None

    def truth(self, trait: str, *, default: bool) -> bool:
        """Yes or no, in the words in which people say it."""
        text = self.text(trait)
        said = default if text is None else _truth(text)
        if said is None:
            raise self.error(trait, f"is {text!r}; it must be yes or no")
        return said

    def error(self, trait: str, words: str) -> ConfigError:
        """The error that names the setting."""
        return ConfigError(f"{self.names[trait]} {words}.")


_NB2KG: Final = {
    "url": "KG_URL",
    "ws_url": "KG_WS_URL",
    "auth_token": "KG_AUTH_TOKEN",
    "headers": "KG_HEADERS",
    "http_user": "KG_HTTP_USER",
    "http_pwd": "KG_HTTP_PASS",
    "connect_timeout": "KG_CONNECT_TIMEOUT",
    "request_timeout": "KG_REQUEST_TIMEOUT",
    "validate_cert": "VALIDATE_KG_CERT",
    "client_cert": "KG_CLIENT_CERT",
    "client_key": "KG_CLIENT_KEY",
    "ca_certs": "KG_CLIENT_CA",
    "allowed_envs": "KG_ENV_WHITELIST",
    "kernels_endpoint": "KG_KERNELS_ENDPOINT",
    "kernelspecs_endpoint": "KG_KERNELSPECS_ENDPOINT",
}
"""nb2kg's variables, by the names that the traits of ``GatewayClient`` have."""

_TRAITS: Final = (
    *("url", "ws_url", "auth_token", "auth_scheme", "auth_header_key", "headers", "http_user", "http_pwd"),
    *(
        "connect_timeout",
        "request_timeout",
        "launch_timeout_pad",
        "validate_cert",
        "client_cert",
        "client_key",
    ),
    *("ca_certs", "allowed_envs", "kernels_endpoint", "kernelspecs_endpoint"),
)
_JUPYTER_SERVER: Final = {name: f"JUPYTER_GATEWAY_{name.upper()}" for name in _TRAITS} | {
    "gateway_token_renewer_class": "JUPYTER_GATEWAY_TOKEN_RENEWER_CLASS"
}

_OURS: Final = {
    "base_url": "url",
    "ws_url": "ws_url",
    "request_headers": "headers",
    "token": "auth_token",
    "timeout": "request_timeout",
    "connect_timeout": "connect_timeout",
    "client_cert": "client_cert",
    "client_key": "client_key",
    "ca_file": "ca_certs",
    "validate_cert": "validate_cert",
}
"""Our names of options to those of the traits, for messages."""

_FIXED: Final = {"kernels_endpoint": "/api/kernels", "kernelspecs_endpoint": "/api/kernelspecs"}

_KERNEL_LAUNCH: Final = "KERNEL_LAUNCH_TIMEOUT"
_LAUNCH_PAD: Final = 2.0


def named_by_environment(environ: Mapping[str, str]) -> tuple[NamedGateway, ...]:
    """The gateways of ``KG_URL`` and ``JUPYTER_GATEWAY_URL`` and their relatives: none, one or two.

    :class:`ConfigError` names the variable that does not fit.
    """
    found = (_named(_from_variables(names, environ), environ) for names in (_NB2KG, _JUPYTER_SERVER))
    return tuple(gateway for gateway in found if gateway is not None)


def named_by_traits(values: Mapping[str, object], environ: Mapping[str, str]) -> NamedGateway | None:
    """The gateway of jupyter_server's ``GatewayClient``, by the names of its traits (``url``, …).

    ``values`` holds those that were configured (``--gateway-url`` sets ``url``); the others are as their
    variables say, which is how ``GatewayClient`` has it. None where no URL is configured: see
    :func:`named_by_environment`.
    """
    given = {name: value for name, value in values.items() if value not in (None, "")}
    if "url" not in given:
        return None
    variables = _from_variables(_JUPYTER_SERVER, environ)
    names = {**variables.names, **{name: f"GatewayClient.{name}" for name in given}}
    return _named(_Settings({**variables.values, **given}, names), environ)


def only_remote(environ: Mapping[str, str]) -> bool:
    """Whether ``KERNELWAY_ONLY_REMOTE`` hides the local kernels; it is yes or no, or :class:`ConfigError`."""
    variable = "KERNELWAY_ONLY_REMOTE"
    return _from_variables({variable: variable}, environ).truth(variable, default=False)


def _from_variables(names: Mapping[str, str], environ: Mapping[str, str]) -> _Settings:
    return _Settings({trait: environ.get(variable) for trait, variable in names.items()}, names)


def _truth(text: str) -> bool | None:
    word = text.strip().lower()
    if word in ("1", "yes", "true", "on"):
        return True
    return False if word in ("0", "no", "false", "off") else None


def _named(settings: _Settings, environ: Mapping[str, str]) -> NamedGateway | None:
    url = settings.text("url")
    if url is None:
        return None
    _check(settings, url)
    try:
        options = _options(settings, url, environ)
    except ConfigError as error:
        raise ConfigError(_in_their_words(str(error), settings)) from error
    parts = URL(url)
    host = parts.host_subcomponent or ""
    port = "" if parts.explicit_port is None else f":{parts.explicit_port}"
    return NamedGateway(host + port, options, _kernel_env(settings, environ))


def _check(settings: _Settings, url: str) -> None:
    """What would be another gateway, or another caller, where it was not heeded."""
    for trait, usual in _FIXED.items():
        if (settings.text(trait) or usual).strip("/") != usual.strip("/"):
            raise settings.error(
                trait, f"is not {usual}, which every gateway here has: a path before it belongs to the URL"
            )
    renewer = settings.text("gateway_token_renewer_class") or ""
    if renewer and "NoOpTokenRenewer" not in renewer:
        raise settings.error(
            "gateway_token_renewer_class", "names a class that renews tokens, which is not supported"
        )
    if "@" in url.partition("://")[2].partition("/")[0]:
        # The URL is not shown: a password is in it.
        raise settings.error(
            "url",
            f"has a name before an @: set {settings.names['http_user']} and {settings.names['http_pwd']}",
        )


def _options(settings: _Settings, url: str, environ: Mapping[str, str]) -> GatewayOptions:
    ws_url = settings.text("ws_url")
    if ws_url == url.lower().replace("http", "ws"):
        # That is what GatewayClient makes of the URL by itself; ours keeps its capitals.
        ws_url = None
    token, headers = _credentials(settings)
    secure = url.lower().startswith("https:") or (ws_url or "").lower().startswith("wss:")
    connect_timeout = settings.seconds("connect_timeout")
    return GatewayOptions(
        base_url=url,
        ws_url=ws_url,
        token=token,
        request_headers=headers,
        timeout=_timeout(settings, environ),
        connect_timeout=CONNECT_TIMEOUT if connect_timeout is None else connect_timeout,
        # Where nothing has a certificate it does not matter whether that would be looked at.
        validate_cert=settings.truth("validate_cert", default=True) or not secure,
        ca_file=_file(settings, "ca_certs"),
        client_cert=_file(settings, "client_cert"),
        client_key=_file(settings, "client_key"),
    )


def _credentials(settings: _Settings) -> tuple[str | None, dict[str, str]]:
    """The token, where it is sent as Jupyter's own, and the headers with everything else that is sent."""
    headers = _headers(settings)
    user, token = settings.text("http_user"), settings.text("auth_token")
    if token is not None:
        key = settings.text("auth_header_key") or "Authorization"
        scheme = settings.values.get("auth_scheme")
        scheme = "token" if scheme is None else str(scheme)
        headers = _without(headers, key)
        if user is None and key.lower() == "authorization" and scheme == "token":
            return token, headers
        headers[key] = token if scheme in ("", "None") else f"{scheme} {token}"
    if user is not None:
        pair = f"{user}:{settings.text('http_pwd') or ''}".encode()
        headers = _without(headers, "Authorization")
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
    return None, headers


def _headers(settings: _Settings) -> dict[str, str]:
    text = settings.text("headers")
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, str])
    except msgspec.DecodeError:
        # What stands there is not shown: it may be a token.
        raise settings.error("headers", 'is no JSON object of texts, as in {"X-Group": "a"}') from None


def _without(headers: Mapping[str, str], key: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != key.lower()}


def _timeout(settings: _Settings, environ: Mapping[str, str]) -> float:
    """Seconds for a request; jupyter_server gives each what a kernel may take to start, and a bit."""
    given = settings.seconds("request_timeout")
    timeout = DEFAULT_TIMEOUT if given is None else given
    launch = _from_variables({_KERNEL_LAUNCH: _KERNEL_LAUNCH}, environ).seconds(_KERNEL_LAUNCH)
    if launch is None or "launch_timeout_pad" not in settings.names:
        return timeout
    pad = settings.seconds("launch_timeout_pad")
    return max(timeout, launch + (_LAUNCH_PAD if pad is None else pad))


def _file(settings: _Settings, trait: str) -> str | None:
    text = settings.text(trait)
    return None if text is None else str(Path(text).expanduser())


def _kernel_env(settings: _Settings, environ: Mapping[str, str]) -> dict[str, str]:
    allowed = {name.strip() for name in (settings.text("allowed_envs") or "").split(",")}
    return {name: value for name, value in environ.items() if name.startswith("KERNEL_") or name in allowed}


def _in_their_words(text: str, settings: _Settings) -> str:
    """An error about our options in the names that the person gave."""
    known = {ours: settings.names[trait] for ours, trait in _OURS.items() if trait in settings.names}
    words = re.sub(r"\b[a-z]+_[a-z_]+\b", lambda word: known.get(word[0], word[0]), text)
    first, blank, rest = words.partition(" ")
    return known.get(first, first) + blank + rest
