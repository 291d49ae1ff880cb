"""Where code runs, and on which kernelspec."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelway.cli.places import (
    LOCAL,
    SavedPlaces,
    kernelspec_for,
    language_of_kernel,
    languages,
    without_gateway,
)
from kernelway.client.saved import GatewaysFile
from kernelway.protocol.errors import NotFound
from kernelway.protocol.models import KernelSpecModel, KernelSpecs, Spec


def specs(default: str, **kernelspecs: str) -> KernelSpecs:
    """Kernelspecs by name, with their languages."""
    models = {
        name: KernelSpecModel(name=name, spec=Spec(language=language))
        for name, language in kernelspecs.items()
    }
    return KernelSpecs(default=default, kernelspecs=models)


MANY = specs("torch", python3="python", ir="R", torch="Python", xcpp17="C++17", odd="")


@pytest.mark.parametrize(
    ("kernel", "language", "found"),
    [
        (None, None, "torch"),
        (None, "python", "torch"),
        (None, "r", "ir"),
        (None, "c++", "xcpp17"),
        ("python3", "r", "python3"),
        ("odd", None, "odd"),
    ],
)
def test_the_kernelspec_of_a_language(kernel: str | None, language: str | None, found: str) -> None:
    assert kernelspec_for(MANY, kernel=kernel, language=language, where="here") == found


def test_the_first_of_the_language_where_the_default_is_of_another() -> None:
    assert (
        kernelspec_for(specs("ir", a="python", b="python", ir="R"), kernel=None, language="python", where="")
        == "a"
    )


@pytest.mark.parametrize(
    ("kernel", "language", "sentence"),
    [
        (
            "pyton3",
            None,
            "There is no kernelspec 'pyton3' on gpu. Did you mean 'python3'? There are: python3 (python)",
        ),
        ("zzz", None, "There is no kernelspec 'zzz' on gpu. There are: python3 (python), ir (R)"),
        (None, "julia", "No kernelspec on gpu is for julia; --kernel names one to use all the same."),
        (None, "julia", "odd (no language)"),
    ],
)
def test_none_lists_those_there_are(kernel: str | None, language: str | None, sentence: str) -> None:
    with pytest.raises(NotFound) as caught:
        kernelspec_for(MANY, kernel=kernel, language=language, where="on gpu")
    assert sentence in str(caught.value)


def test_languages_are_called_as_everywhere() -> None:
    assert languages(MANY)[:4] == ["python", "r", "python", "c++"]
    assert language_of_kernel(MANY, "xcpp17") == "c++"
    assert language_of_kernel(MANY, "odd") is None
    assert language_of_kernel(MANY, "gone") is None


@pytest.mark.parametrize(
    ("kernel", "own"),
    [
        ("python3.my-gpu", "python3"),
        ("python3", "python3"),
        ("python3.11", "python3.11"),
        ("named.my-gpu", "named.my-gpu"),
        ("python3.11.my-gpu", "python3.11"),
    ],
)
def test_a_kernelspec_by_its_own_name(kernel: str, own: str) -> None:
    assert without_gateway(kernel, "My GPU", {"named.my-gpu"}) == own


@pytest.fixture
def places(tmp_path: Path, runtime: Path) -> SavedPlaces:
    file = GatewaysFile(tmp_path / "gateways.json")
    file.add("My GPU", {"baseUrl": "http://gpu:8888"})
    return SavedPlaces({"XDG_RUNTIME_DIR": str(runtime)}, file=file)


def test_saved_gateways_by_name(places: SavedPlaces) -> None:
    assert places.names == ("My GPU",)
    assert places.options("My GPU").base_url == "http://gpu:8888"


@pytest.mark.parametrize(("name", "meant"), [("my gpu", "My GPU"), ("locl", LOCAL)])
def test_a_name_that_is_nearly_right(places: SavedPlaces, name: str, meant: str) -> None:
    with pytest.raises(NotFound, match=f"Did you mean '{meant}'"):
        places.options(name)


@pytest.mark.parametrize(
    ("kernelspec", "found"),
    [
        ("python3.my-gpu", ("python3", "My GPU")),
        ("python3.local", ("python3", LOCAL)),
        ("python3", None),
        ("python3.11", None),
    ],
)
def test_a_single_name_carries_both(
    places: SavedPlaces, kernelspec: str, found: tuple[str, str] | None
) -> None:
    assert places.named(kernelspec) == found


def test_the_gateway_of_this_machine_is_not_started_to_look(places: SavedPlaces) -> None:
    assert places.running_local() is None


async def test_a_private_gateway_ends_with_the_command(tmp_path: Path) -> None:
    places = SavedPlaces({"PATH": "/usr/bin:/bin"}, file=GatewaysFile(tmp_path / "gateways.json"))
    async with places.open(None) as place:
        assert place.is_private
        assert place.where == "here"
        assert "python3" in (await place.gateway.kernelspecs()).kernelspecs
        path = place.gateway.options.unix_path
        assert path is not None
        assert Path(path).exists()
    assert not Path(path).parent.exists()
