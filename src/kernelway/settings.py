"""The settings of ``kernelway serve``: their names, defaults and meanings, and where each value came from.

Each has a flag (``--cull-interval``), a variable (``KERNELWAY_CULL_INTERVAL``) and a key of the TOML file
(``cull_interval``; dashes do as well). A flag wins over a variable, a variable over the file, the file over
the default. This is the only module that reads the environment.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from kernelway.protocol.errors import ConfigError

PREFIX = "KERNELWAY_"

SECRETS = frozenset({"token"})
"""Settings whose value is never shown."""


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """From which severity on log lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _about(text: str) -> Meta:
    return Meta(description=text)


Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Size: TypeAlias = Annotated[int, Meta(gt=0)]
Duration: TypeAlias = Annotated[float, Meta(gt=0)]
DurationOrNever: TypeAlias = Annotated[float, Meta(ge=0)]


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``kernelway serve`` is told. Times are in seconds, sizes in bytes."""

    ip: Annotated[str, _about("Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, _about("Port to listen on; 0 takes any free one.")] = 8888
    port_retries: Annotated[Count, _about("How many following ports to try when it is taken.")] = 50
    socket: Annotated[Path | None, _about("Listen on this Unix socket instead of a port.")] = None
    base_url: Annotated[str, _about("Path under which everything is served.")] = "/"
    token: Annotated[str | None, _about("What clients must show; made and kept when not given.")] = None
    no_auth: Annotated[bool, _about("Let everybody in who can reach the address.")] = False
    insecure: Annotated[bool, _about("Permit --no-auth on an address that other machines can reach.")] = False
    state_dir: Annotated[Path | None, _about("Folder for the token, the lock and the log.")] = None
    certfile: Annotated[Path | None, _about("TLS certificate chain, PEM: serve https.")] = None
    keyfile: Annotated[Path | None, _about("The certificate's private key, PEM.")] = None
    client_ca: Annotated[Path | None, _about("Admit only clients with a certificate of this CA, PEM.")] = None
    allow_origin: Annotated[
        tuple[str, ...], _about("Origins of web pages that may call this gateway; * for all.")
    ] = ()
    allow_host: Annotated[
        tuple[str, ...], _about("Host names to answer to on loopback, beside its own.")
    ] = ()
    max_kernels: Annotated[Count | None, _about("Most kernels at a time.")] = None
    warm: Annotated[Count, _about("Kernels of each kernelspec that wait, ready to be asked for; 0 none.")] = 1
    preload: Annotated[
        tuple[str, ...], _about("Modules that Python kernels share, imported before they start.")
    ] = ()
    no_fork: Annotated[bool, _about("Start each kernel by its command, sharing nothing.")] = False
    default_kernel: Annotated[str | None, _about("Kernelspec for requests that name none.")] = None
    root_dir: Annotated[Path | None, _about("Folder in which kernels work when the client names none.")] = (
        None
    )
    cull_idle_timeout: Annotated[
        DurationOrNever, _about("End kernels idle for longer than this; 0 never.")
    ] = 0.0
    cull_interval: Annotated[Duration, _about("How often to look for idle kernels.")] = 300.0
    cull_connected: Annotated[bool, _about("Cull kernels that have clients, too.")] = False
    cull_busy: Annotated[bool, _about("Cull kernels that are executing, too.")] = False
    kernel_start_timeout: Annotated[Duration, _about("How long a kernel may take to answer.")] = 300.0
    kernel_shutdown_wait: Annotated[Duration, _about("How long a kernel may take to end by itself.")] = 5.0
    max_message_size: Annotated[Size, _about("Largest message taken from a client.")] = 512 << 20
    ping_interval: Annotated[Duration, _about("How often to ask whether the other side is there.")] = 10.0
    ping_timeout: Annotated[Duration, _about("How long it may take to answer that.")] = 20.0
    journal_size: Annotated[Size, _about("Most that is kept of one kernel's messages.")] = 256 << 20
    journal_total: Annotated[Size, _about("Most that is kept of all kernels' messages on disk.")] = 4 << 30
    journal_keep: Annotated[
        DurationOrNever, _about("How long a kernel's messages are kept after its end.")
    ] = 86400.0
    no_journal: Annotated[bool, _about("Keep kernels' messages in memory only, and no longer than them.")] = (
        False
    )
    stop_when_idle: Annotated[
        DurationOrNever, _about("Stop this long after the last kernel and the last client; 0 never.")
    ] = 0.0
    log_level: Annotated[LogLevel, _about("Least severity to log.")] = LogLevel.INFO
    log_format: Annotated[LogFormat, _about("How to write log lines.")] = LogFormat.TEXT


class Setting(msgspec.Struct, frozen=True):
    """One setting as a front shows it."""

    name: str
    kind: Any
    """The annotated type: what msgspec converts a value to, with its limits."""
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """As on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """As in the environment."""
        return PREFIX + self.name.upper()

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return isinstance(self.default, bool)

    @property
    def is_list(self) -> bool:
        """Whether there may be several values: commas separate them, and the flag may be repeated."""
        return isinstance(self.default, tuple)


def all_settings() -> list[Setting]:
    """Every setting, in the order of the help."""
    hints = typing.get_type_hints(ServeSettings, include_extras=True)
    fields = msgspec.structs.fields(ServeSettings)
    return [
        Setting(field.name, hints[field.name], field.default, hints[field.name].__metadata__[-1].description)
        for field in fields
    ]


class Resolved(msgspec.Struct, frozen=True):
    """Settings, and for each of them where it came from: ``default``, a file, a variable or a flag."""

    settings: ServeSettings
    sources: dict[str, str]

    def show(self) -> str:
        """The settings as a TOML file would hold them, each with its source; secrets are hidden."""
        lines = []
        for setting in all_settings():
            value = getattr(self.settings, setting.name)
            shown = '"[hidden]"' if setting.name in SECRETS and value is not None else _toml(value)
            line = f"{setting.name} = {shown}" if value is not None else f"# {setting.name} is not set"
            lines.append(f"{line:<44} # {self.sources[setting.name]}")
        return "\n".join(lines)


def resolve(*, flags: Mapping[str, Any], environ: Mapping[str, str], config: Path | None) -> Resolved:
    """Settle every setting; :class:`ConfigError` names what does not fit and where it stands.

    ``flags`` holds what was given on the command line, by setting name, as strings or already of their type.
    """
    layers = [
        *([(str(config), read_config(config))] if config is not None else []),
        ("environment", _from_environ(environ)),
        ("flag", _from_flags(flags)),
    ]
    values: dict[str, Any] = {}
    sources = {setting.name: "default" for setting in all_settings()}
    for source, layer in layers:
        for setting in all_settings():
            if setting.name in layer:
                values[setting.name] = _convert(setting, layer[setting.name], source)
                sources[setting.name] = _source(source, setting)
    return Resolved(ServeSettings(**values), sources)


def _source(source: str, setting: Setting) -> str:
    return {"environment": setting.variable, "flag": setting.flag}.get(source, source)


def _convert(setting: Setting, value: object, source: str) -> object:
    try:
        return msgspec.convert(value, setting.kind, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        shown = "" if setting.name in SECRETS else f" {value!r}"
        raise ConfigError(f"{_source(source, setting)}: the value{shown} does not fit: {error}.") from error


def _decode_path(_: type, value: object) -> Path:
    # A path is the only type here that msgspec does not know; what a ValueError says becomes the reason.
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("Expected a path")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError("Expected a user of this machine after `~`") from None


def _from_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in flags.items() if value is not None}
    for name in _lists() & found.keys():
        found[name] = [part for value in found[name] for part in _split(value)]
    return found


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    found = {each.name: environ[each.variable] for each in all_settings() if each.variable in environ}
    return {name: _split(value) if name in _lists() else value for name, value in found.items()}


def _lists() -> set[str]:
    return {each.name for each in all_settings() if each.is_list}


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def read_config(path: Path) -> dict[str, Any]:
    """The keys of a TOML file; :class:`ConfigError` names an unknown key and the nearest known one."""
    # For who has such a file: every command imports this module, and most have none.
    import difflib
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file {str(path)!r} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The configuration file {str(path)!r} is not TOML: {error}.") from error
    known = [setting.name for setting in all_settings()]
    for key in content:
        if key.replace("-", "_") not in known:
            near = difflib.get_close_matches(key.replace("-", "_"), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" The keys are: {', '.join(known)}."
            raise ConfigError(f"{path}: there is no setting {key!r}.{hint}")
    return {key.replace("-", "_"): value for key, value in content.items()}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return msgspec.json.encode(str(value)).decode()


def environment() -> dict[str, str]:
    """This process's environment, as it is now."""
    return dict(os.environ)


def kernel_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a kernel may see of a gateway's environment: everything but Kernelway's own variables."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
