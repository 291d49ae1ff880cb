"""Settings: where each value comes from, and what is told of one that does not fit."""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kernelway import settings as settings_module
from kernelway.cli.arguments import add_serve
from kernelway.protocol.errors import ConfigError
from kernelway.settings import (
    SECRETS,
    LogFormat,
    LogLevel,
    Resolved,
    ServeSettings,
    all_settings,
    environment,
    kernel_environment,
    read_config,
    resolve,
)

SAMPLES: dict[str, tuple[str, object]] = {
    # For each setting a value as text, and what it is; none of them is the default.
    "ip": ("0.0.0.0", "0.0.0.0"),
    "port": ("0", 0),
    "port_retries": ("3", 3),
    "socket": ("/run/s", Path("/run/s")),
    "base_url": ("/x/", "/x/"),
    "token": ("s3cret-token", "s3cret-token"),
    "no_auth": ("true", True),
    "insecure": ("1", True),
    "state_dir": ("~/state", Path.home() / "state"),
    "certfile": ("c.pem", Path("c.pem")),
    "keyfile": ("k.pem", Path("k.pem")),
    "client_ca": ("a.pem", Path("a.pem")),
    "allow_origin": ("https://a, http://b:1 ,", ("https://a", "http://b:1")),
    "allow_host": ("a,b", ("a", "b")),
    "max_kernels": ("2", 2),
    "default_kernel": ("ir", "ir"),
    "root_dir": ("/srv", Path("/srv")),
    "cull_idle_timeout": ("3600", 3600.0),
    "cull_interval": ("0.5", 0.5),
    "cull_connected": ("True", True),
    "cull_busy": ("TRUE", True),
    "kernel_start_timeout": ("10", 10.0),
    "kernel_shutdown_wait": ("1e1", 10.0),
    "max_message_size": ("100", 100),
    "ping_interval": ("1", 1.0),
    "ping_timeout": ("2.5", 2.5),
    "journal_size": ("100", 100),
    "journal_total": ("1000", 1000),
    "journal_keep": ("0", 0.0),
    "no_journal": ("true", True),
    "warm": ("3", 3),
    "preload": ("numpy, pandas", ("numpy", "pandas")),
    "no_fork": ("true", True),
    "stop_when_idle": ("60", 60.0),
    "log_level": ("debug", LogLevel.DEBUG),
    "log_format": ("json", LogFormat.JSON),
}


def config_in(folder: Path, text: str) -> Path:
    path = folder / "kernelway.toml"
    path.write_text(text)
    return path


def serve_flags() -> dict[str, argparse.Action]:
    """The flags of ``kernelway serve`` and what they do."""
    commands = argparse.ArgumentParser().add_subparsers()
    add_serve(commands)
    (serve,) = commands.choices.values()
    return {flag: action for action in serve._actions for flag in action.option_strings}


# Every setting, in every place


def test_every_setting_has_a_sample_that_is_not_its_default() -> None:
    assert SAMPLES.keys() == {setting.name for setting in all_settings()}
    for setting in all_settings():
        assert SAMPLES[setting.name][1] != setting.default


@pytest.mark.parametrize("name", SAMPLES)
def test_every_setting_has_a_flag_a_variable_and_a_key(name: str, tmp_path: Path) -> None:
    text, value = SAMPLES[name]
    (setting,) = [each for each in all_settings() if each.name == name]
    flag = text.replace(" ", "").strip(",").split(",") if setting.is_list else text

    by_flag = resolve(flags={name: flag}, environ={}, config=None)
    by_variable = resolve(flags={}, environ={f"KERNELWAY_{name.upper()}": text}, config=None)
    shown = resolve(flags={name: flag}, environ={}, config=None).show().splitlines()
    key = next(line for line in shown if line.startswith(f"{name} = ")).replace('"[hidden]"', f'"{text}"')
    path = config_in(tmp_path, key)
    by_file = resolve(flags={}, environ={}, config=path)

    for resolved in (by_flag, by_variable, by_file):
        assert getattr(resolved.settings, name) == value
        others = {each for each, source in resolved.sources.items() if source != "default"}
        assert others == {name}
    assert by_flag.sources[name] == setting.flag == "--" + name.replace("_", "-")
    assert by_variable.sources[name] == setting.variable
    assert by_file.sources[name] == str(path)


def test_every_setting_is_a_flag_of_serve_and_every_flag_a_setting() -> None:
    flags = serve_flags()
    own = {"-h", "--help", "--config", "--show-config", "--background", "--replace", "--ready-fd"}
    assert flags.keys() - own == {setting.flag for setting in all_settings()}
    for setting in all_settings():
        action = flags[setting.flag]
        assert action.dest == setting.name
        assert setting.help in (action.help or "")
        # What nobody gave must not stand in the way of the file and the environment.
        assert action.default is None


def test_a_flag_of_every_kind_is_parsed() -> None:
    commands = argparse.ArgumentParser().add_subparsers()
    add_serve(commands)
    (serve,) = commands.choices.values()
    given = serve.parse_args(["--no-auth", "--allow-host", "a", "--allow-host", "b", "--max-kernels", "2"])
    flags = {setting.name: getattr(given, setting.name) for setting in all_settings()}
    resolved = resolve(flags=flags, environ={}, config=None)
    assert (resolved.settings.no_auth, resolved.settings.allow_host) == (True, ("a", "b"))
    assert resolved.settings.max_kernels == 2
    assert resolved.sources["no_auth"] == "--no-auth"


def test_nothing_given_is_the_defaults() -> None:
    resolved = resolve(flags=dict.fromkeys(SAMPLES), environ={"PATH": "/bin"}, config=None)
    assert resolved.settings == ServeSettings()
    assert set(resolved.sources.values()) == {"default"}


# Precedence


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    config = config_in(tmp_path, 'port = 1\nip = "1.1.1.1"\nbase-url = "/file/"\nallow_host = ["file"]')
    environ = {"KERNELWAY_PORT": "2", "KERNELWAY_IP": "2.2.2.2", "KERNELWAY_ALLOW_HOST": "variable"}
    resolved = resolve(flags={"port": "3"}, environ=environ, config=config)
    told = {name: (getattr(resolved.settings, name), source) for name, source in resolved.sources.items()}
    assert told["port"] == (3, "--port")
    assert told["ip"] == ("2.2.2.2", "KERNELWAY_IP")
    assert told["base_url"] == ("/file/", str(config))
    assert told["allow_host"] == (("variable",), "KERNELWAY_ALLOW_HOST")
    assert told["port_retries"] == (50, "default")


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_a_list_of_nothing_is_empty(text: str) -> None:
    resolved = resolve(flags={}, environ={"KERNELWAY_ALLOW_ORIGIN": text}, config=None)
    assert resolved.settings.allow_origin == ()
    assert resolved.sources["allow_origin"] == "KERNELWAY_ALLOW_ORIGIN"


def test_a_flag_for_several_values_may_be_repeated_and_may_have_commas() -> None:
    resolved = resolve(flags={"preload": ["numpy,pandas", "scipy"]}, environ={}, config=None)
    assert resolved.settings.preload == ("numpy", "pandas", "scipy")


def test_dashes_in_a_key_do_as_well(tmp_path: Path) -> None:
    assert read_config(config_in(tmp_path, "cull-idle-timeout = 5")) == {"cull_idle_timeout": 5}


# Showing them


def test_what_is_shown_is_a_file_that_says_the_same(tmp_path: Path) -> None:
    environ = {
        f"KERNELWAY_{name.upper()}": text for name, (text, _) in SAMPLES.items() if name not in SECRETS
    }
    resolved = resolve(flags={}, environ=environ, config=None)
    path = config_in(tmp_path, resolved.show())
    assert resolve(flags={}, environ={}, config=path).settings == resolved.settings


@pytest.mark.parametrize("name", SAMPLES)
def test_each_line_tells_the_source(name: str) -> None:
    resolved = resolve(flags={"port": "1"}, environ={"KERNELWAY_IP": "::1"}, config=None)
    sources = {"port": "--port", "ip": "KERNELWAY_IP"}
    (line,) = [each for each in resolved.show().splitlines() if name in each.replace("# ", "").split(" ")[:1]]
    assert line.endswith(f" # {sources.get(name, 'default')}")


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    for resolved in (
        resolve(flags={"token": "s3cret"}, environ={}, config=None),
        resolve(flags={}, environ={"KERNELWAY_TOKEN": "s3cret"}, config=None),
        resolve(flags={}, environ={}, config=config_in(tmp_path, 'token = "s3cret"')),
    ):
        assert resolved.settings.token == "s3cret"
        assert "s3cret" not in resolved.show()
        assert 'token = "[hidden]"' in resolved.show()


def test_strange_values_are_shown_as_toml() -> None:
    ip = 'a"b\\c\né'
    shown = resolve(flags={"ip": ip}, environ={}, config=None).show()
    assert tomllib.loads(shown)["ip"] == ip


# What does not fit


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", "x", "the value 'x' does not fit: Expected `int`"),
        ("port", "", "the value '' does not fit: Expected `int`"),
        ("port", "-1", "Expected `int` >= 0"),
        ("port", "65536", "Expected `int` <= 65535"),
        ("port", "1.5", "Expected `int`"),
        ("port_retries", "-1", "Expected `int` >= 0"),
        ("max_kernels", "-1", "Expected `int` >= 0"),
        ("max_kernels", "many", "Expected `int | null`"),
        ("cull_interval", "0", "Expected `float` > 0.0"),
        ("cull_idle_timeout", "-1", "Expected `float` >= 0.0"),
        ("cull_interval", "nan", "does not fit"),
        ("max_message_size", "0", "Expected `int` >= 1"),
        ("no_auth", "yes", "Expected `bool`"),
        ("log_level", "loud", "Invalid enum value 'loud'"),
        ("socket", "", "Expected a path"),
        ("state_dir", "", "Expected a path"),
        ("state_dir", "a\0b", "Expected a path"),
        ("state_dir", "~no-such-user-here/x", "Expected a user of this machine after `~`"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_place(name: str, value: str, said: str) -> None:
    (setting,) = [each for each in all_settings() if each.name == name]
    for place, given in (
        (setting.flag, {"flags": {name: value}, "environ": {}}),
        (setting.variable, {"flags": {}, "environ": {setting.variable: value}}),
    ):
        with pytest.raises(ConfigError) as caught:
            resolve(**given, config=None)
        assert str(caught.value).startswith(f"{place}: ")
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("port = true", "the value True does not fit: Expected `int`, got `bool`"),
        ("port = [1]", "Expected `int`, got `array`"),
        ("socket = 5", "the value 5 does not fit: Expected a path"),
        ("certfile = ['a']", "Expected a path"),
        ('allow_origin = "http://a"', "Expected `array`, got `str`"),
        ("allow_origin = [1]", "Expected `str`, got `int`"),
        ("cull_interval = -inf", "Expected `float` > 0.0"),
        ("log_format = 'xml'", "Invalid enum value 'xml'"),
        ("ip = 2026-11-20", "Expected `str`"),
        ("[port]\nx = 1", "Expected `int`, got `object`"),
    ],
)
def test_a_value_of_the_file_that_does_not_fit_is_told_with_the_file(
    line: str, said: str, tmp_path: Path
) -> None:
    path = config_in(tmp_path, line)
    with pytest.raises(ConfigError) as caught:
        resolve(flags={}, environ={}, config=path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("value", [5, ["s3cret"], {"s3cret": 1}])
def test_a_token_that_does_not_fit_is_not_repeated(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(flags={"token": value}, environ={}, config=None)
    assert str(caught.value).startswith("--token: the value does not fit")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("prot", "Did you mean 'port'?"),
        ("cull_timeout", "Did you mean 'cull_idle_timeout'?"),
        ("cull-intervall", "Did you mean 'cull_interval'?"),
        ("max_kernel", "Did you mean 'max_kernels'?"),
        ("zzz", "The keys are: ip, port, "),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(key: str, hint: str, tmp_path: Path) -> None:
    path = config_in(tmp_path, f"ip = '::1'\n{key} = 1")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: there is no setting '{key}'. {hint}")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"port =", "is not TOML"), (b"port = 1\nport = 2", "is not TOML"), (b'ip = "\xff"', "cannot be read")],
)
def test_a_file_that_is_none_is_told(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_config(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("place", ["nowhere.toml", "."])
def test_a_file_that_is_not_there_is_told(place: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / place)


# The environment


def test_the_environment_is_a_copy() -> None:
    copy = environment()
    assert copy == dict(os.environ)
    copy["KERNELWAY_TESTS_ONLY"] = "1"
    assert "KERNELWAY_TESTS_ONLY" not in os.environ


def test_a_kernel_sees_nothing_of_the_gateways_own_settings() -> None:
    given = {
        "PATH": "/bin",
        "KERNELWAY_TOKEN": "t",
        "KERNELWAY_X": "",
        "KERNELWAYS": "a",
        "MY_KERNELWAY_": "b",
    }
    assert kernel_environment(given) == {"PATH": "/bin", "KERNELWAYS": "a", "MY_KERNELWAY_": "b"}


def test_no_default_is_read_from_the_environment_while_importing() -> None:
    tree = ast.parse(inspect.getsource(settings_module))
    reading = [
        node
        for node in tree.body
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and each.attr == "environ"
    ]
    assert [node.name for node in reading if isinstance(node, ast.FunctionDef)] == ["environment"]
    assert len(reading) == 1


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Resolved(ServeSettings(), {}).settings.port = 1  # type: ignore[misc]
