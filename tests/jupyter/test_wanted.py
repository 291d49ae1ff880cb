from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.jupyter.saving import environ_of_tests, save

from kernelway.client.local import local_place
from kernelway.client.options import GatewayOptions
from kernelway.client.saved import GatewaysFile
from kernelway.jupyter.naming_gateways import NamedGateway
from kernelway.jupyter.wanted import WantedPlaces
from kernelway.protocol.errors import ConfigError


def named(url: str, name: str = "host", **options: Any) -> NamedGateway:
    return NamedGateway(name, GatewayOptions(base_url=url, **options), {"KERNEL_X": "1"})


def wanted_in(file: GatewaysFile, *more: NamedGateway) -> WantedPlaces:
    return WantedPlaces(environ_of_tests(), file=file, named=more)


def test_saved_gateways_come_first_and_in_their_order(tmp_path: Path) -> None:
    file = save(tmp_path, {"gpu": {"baseUrl": "http://gpu"}, "Alpha": {"baseUrl": "unix:/s"}})
    places = wanted_in(file, named("http://host")).look()
    assert [each.name for each in places] == ["gpu", "Alpha", "host"]
    assert [each.is_here for each in places] == [False, True, False]
    assert [dict(each.env) for each in places] == [{}, {}, {"KERNEL_X": "1"}]
    assert places[0].options() == GatewayOptions(base_url="http://gpu")


def test_a_socket_behind_ssh_is_not_here(tmp_path: Path) -> None:
    file = save(tmp_path, {"gpu": {"baseUrl": "unix:/s", "ssh": "gpu-box"}})
    (place,) = wanted_in(file).look()
    assert not place.is_here


def test_a_change_of_the_file_shows_at_the_next_look(tmp_path: Path) -> None:
    wanted = wanted_in(save(tmp_path, {"gpu": {"baseUrl": "http://gpu"}}))
    first = wanted.look()
    assert wanted.look() == first
    save(tmp_path, {"gpu": {"baseUrl": "http://gpu"}, "b": {"baseUrl": "http://b"}})
    second = wanted.look()
    assert second[0] == first[0]
    assert [each.name for each in second] == ["gpu", "b"]
    save(tmp_path, {"b": {"baseUrl": "http://c"}})
    assert [each.name for each in wanted.look()] == ["b"]
    assert wanted.look()[0] != second[1]
    (tmp_path / "gateways.json").unlink()
    assert wanted.look() == ()


def test_a_file_that_does_not_fit_keeps_the_last_good_list(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = save(tmp_path, {"gpu": {"baseUrl": "http://gpu"}})
    wanted = wanted_in(file)
    good = wanted.look()
    file.path.write_text("[{]")
    assert wanted.look() == good
    assert wanted.look() == good
    (record,) = caplog.records
    assert "is no JSON" in record.message
    assert str(file.path) in record.message
    save(tmp_path, {"b": {"baseUrl": "http://b"}})
    assert [each.name for each in wanted.look()] == ["b"]


def test_a_file_that_others_may_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = save(tmp_path, {"gpu": {"baseUrl": "http://gpu"}})
    file.path.chmod(0o644)
    wanted = wanted_in(file)
    assert wanted.look() == wanted.look()
    (record,) = caplog.records
    assert "has mode 0644" in record.message


def test_a_named_gateway_that_is_saved_too_is_one(tmp_path: Path) -> None:
    file = save(tmp_path, {"gpu": {"baseUrl": "http://gpu:1/"}})
    places = wanted_in(file, named("http://gpu:1"), named("http://gpu:2"), named("http://gpu:2/"))
    assert [each.name for each in places.look()] == ["gpu", "host"]


def test_no_two_places_have_the_same_label(tmp_path: Path) -> None:
    file = save(tmp_path, {"KG host": {"baseUrl": "http://a"}})
    places = wanted_in(file, named("http://b", "kg.host"), named("http://c", "kg-host"))
    assert [each.name for each in places.look()] == ["KG host", "kg.host (2)", "kg-host (3)"]


def test_this_machine_s_own_gateway_is_there_while_its_socket_is(tmp_path: Path) -> None:
    file = save(tmp_path, {})
    wanted = wanted_in(file)
    assert wanted.look() == ()
    socket = local_place(environ_of_tests()).socket
    socket.touch()
    (local,) = wanted.look()
    assert (local.name, local.is_local, local.is_here) == ("local", True, True)
    assert local.options() == GatewayOptions(base_url=f"unix:{socket}")
    for entry in ({"local": {"baseUrl": "http://other"}}, {"mine": {"baseUrl": f"unix:{socket}"}}):
        save(tmp_path, entry)
        (saved,) = wanted.look()
        assert not saved.is_local
    save(tmp_path, {})
    socket.unlink()
    assert wanted.look() == ()


def test_a_secret_is_looked_up_when_the_place_is_used(tmp_path: Path) -> None:
    file = save(tmp_path, {"gpu": {"baseUrl": "http://gpu", "tokenEnv": "GPU_TOKEN"}})
    environ = environ_of_tests()
    (place,) = WantedPlaces(environ | {"GPU_TOKEN": "t"}, file=file, named=()).look()
    assert place.options().token == "t"
    (place,) = WantedPlaces(environ, file=file, named=()).look()
    with pytest.raises(ConfigError, match="GPU_TOKEN, which is not set"):
        place.options()


def test_certificates_that_are_not_looked_at_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted_in(save(tmp_path, {}), named("https://a", validate_cert=False), named("https://b"))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "the certificate of host is not to be looked at" in record.message


def test_a_file_that_cannot_be_read_keeps_the_last_good_list(tmp_path: Path) -> None:
    file = save(tmp_path, {"gpu": {"baseUrl": "http://gpu"}})
    wanted = wanted_in(file)
    good = wanted.look()
    file.path.unlink()
    file.path.mkdir()
    assert wanted.look() == good
