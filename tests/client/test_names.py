from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.client.names import (
    RemoteKernelspec,
    check_gateway_names,
    find_remote,
    gateway_label,
    remote_name,
)
from kernelway.protocol.errors import ConfigError

JUPYTER_NAME = re.compile(r"[A-Za-z0-9._-]+")
KERNELSPECS = st.from_regex(r"[A-Za-z0-9._-]+", fullmatch=True)


@pytest.mark.parametrize(
    ("gateway", "label"),
    [
        ("Remote notebook", "remote-notebook"),
        ("gpu.example.com:8888", "gpu-example-com-8888"),
        ("GPU_box", "gpu_box"),
        ("  Büro  (Raum 3) ", "buro-raum-3"),
        ("a/b%2Fc?d#e", "a-b-2fc-d-e"),
    ],
)
def test_a_label_is_readable(gateway: str, label: str) -> None:
    assert gateway_label(gateway) == label


def test_a_name_without_latin_letters_has_a_label_of_its_own() -> None:
    labels = {gateway_label(name) for name in ("服务器", "сервер", "—")}
    assert len(labels) == 3
    assert all(re.fullmatch(r"gateway-[0-9a-f]{8}", label) for label in labels)


@given(kernelspec=KERNELSPECS, gateway=st.text(), others=st.lists(st.text(), max_size=4))
def test_a_name_leads_back_to_what_it_was_made_of(kernelspec: str, gateway: str, others: list[str]) -> None:
    others = [other for other in others if gateway_label(other) != gateway_label(gateway)]
    name = remote_name(kernelspec, gateway)
    assert JUPYTER_NAME.fullmatch(name)
    assert find_remote(name, [*others, gateway]) == RemoteKernelspec(kernelspec, gateway)
    assert find_remote(name.upper(), [gateway]) == RemoteKernelspec(kernelspec.upper(), gateway)
    assert find_remote(name, others) is None
    assert str(RemoteKernelspec(kernelspec, gateway)) == name


@pytest.mark.parametrize("name", ["python3", "python3.", ".remote-notebook", "python3.other", ""])
def test_a_local_name_is_nobodys(name: str) -> None:
    assert find_remote(name, ["Remote notebook"]) is None


@pytest.mark.parametrize(
    ("gateways", "words"),
    [
        (["GPU box", "gpu-box"], "'GPU box' and 'gpu-box'"),
        (["a", "b", "a"], "Two gateways are both called 'a'"),
        (["a", "  "], "'  ' cannot be"),
        (["a\nb"], r"'a\\nb' cannot be"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(gateways: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_gateway_names(gateways)


def test_names_that_differ_are_accepted() -> None:
    check_gateway_names(["GPU box", "GPU box 2", "gpu_box", "服务器", "сервер"])
