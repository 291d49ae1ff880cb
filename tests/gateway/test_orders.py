"""What a host tells its gateway: whole, in one line, and understood by a neighbour of another version."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.test_settings import SAMPLES

from kernelway.gateway.orders import Orders, decode_orders, encode_orders
from kernelway.settings import ServeSettings


def orders(**settings: object) -> Orders:
    return Orders(settings=ServeSettings(**settings), token="t\n", listener=7, host_socket=Path("/run/h"))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_setting_arrives(name: str) -> None:
    value = SAMPLES[name][1]
    arrived = decode_orders(encode_orders(orders(**{name: value})))
    expected = value.absolute() if isinstance(value, Path) else value
    assert arrived == orders(**{name: expected})


def test_they_are_one_line() -> None:
    assert b"\n" not in encode_orders(orders(token="s3cret"))


def test_a_path_means_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = encode_orders(orders(certfile=Path("c.pem")))
    monkeypatch.chdir("/")
    assert decode_orders(line).settings.certfile == tmp_path / "c.pem"


def test_a_neighbour_of_another_version_is_understood() -> None:
    line = b'{"settings": {"port": 1, "not_yet": true}, "token": null, "listener": 3, '
    line += b'"host_socket": "/run/h", "neither": [1]}'
    assert decode_orders(line) == Orders(
        settings=ServeSettings(port=1), token=None, listener=3, host_socket=Path("/run/h")
    )


@pytest.mark.parametrize("line", [b"", b"{}", b'{"settings": {}, "token": null, "listener": "x"}'])
def test_what_are_no_orders_is_an_error(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_orders(line)
