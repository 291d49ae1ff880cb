"""Kernelspecs in folders, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.host.specs import Specs

from kernelway.host.kernelspecs import LocalKernelSpecs
from kernelway.protocol.errors import NotFound


@pytest.fixture
def local(specs: Specs) -> LocalKernelSpecs:
    """Sees the test's folder and no other."""
    local = LocalKernelSpecs()
    local.finder.kernel_dirs = [str(specs.folder)]
    return local


def add_logo(folder: Path, name: str = "logo-64x64.png") -> None:
    (folder / name).write_bytes(b"picture of " + name.encode())


async def test_there_is_always_a_python3(specs: Specs, tmp_path: Path) -> None:
    local = LocalKernelSpecs()
    local.finder.kernel_dirs = [str(tmp_path / "gone")]
    found = await local.all()
    assert set(found.kernelspecs) == {"python3"}
    assert found.default == "python3"
    model = found.kernelspecs["python3"]
    assert model.spec.language == "python"
    assert model.spec.argv[1:3] == ["-m", "ipykernel_launcher"]
    assert model.resources["logo-64x64"] == "/kernelspecs/python3/logo-64x64.png"
    assert (await local.find("python3")).argv == model.spec.argv


async def test_a_spec_is_told_as_it_stands_in_its_file(specs: Specs, local: LocalKernelSpecs) -> None:
    fields = {"interrupt_mode": "message", "env": {"A": "${B}"}, "metadata": {"debugger": True}}
    specs.add("other", ["/bin/other", "{connection_file}"], **fields)
    model = (await local.all()).kernelspecs["other"]
    assert model == await local.one("other")
    assert model.name == "other"
    spec = model.spec
    assert (spec.argv, spec.display_name, spec.language) == (
        ["/bin/other", "{connection_file}"],
        "other",
        "none",
    )
    assert (spec.interrupt_mode, spec.env, spec.metadata) == tuple(fields.values())


BROKEN = [
    "",
    "{",
    "[]",
    "null",
    '"text"',
    '{"argv": [1]}',
    '{"argv": ["x"], "env": {"A": 1}}',
    '{"argv": ["x"], "metadata": []}',
    '{"argv": ["x"], "metadata": {"kernel_provisioner": {"provisioner_name": "not-installed"}}}',
    '{"argv": ["x"], "interrupt_mode": "shout"}',
    '{"argv": ["x"], "display_name": 1}',
]


@pytest.mark.parametrize("text", BROKEN)
async def test_a_broken_spec_hides_no_other(specs: Specs, local: LocalKernelSpecs, text: str) -> None:
    specs.add_text("broken", text)
    assert set((await local.all()).kernelspecs) == {"small", "python3"}
    with pytest.raises(NotFound, match="'broken' cannot be used: "):
        await local.one("broken")


async def test_a_missing_provisioner_is_the_reason(specs: Specs, local: LocalKernelSpecs) -> None:
    specs.add("slurm", ["x"], metadata={"kernel_provisioner": {"provisioner_name": "slurm"}})
    with pytest.raises(NotFound, match="the provisioner it names is not installed here"):
        await local.find("slurm")


async def test_a_file_that_is_no_text_hides_no_other(specs: Specs, local: LocalKernelSpecs) -> None:
    (specs.add_text("broken", "") / "kernel.json").write_bytes(b"\xff\xfe{")
    assert "small" in (await local.all()).kernelspecs
    with pytest.raises(NotFound, match="'broken' cannot be used"):
        await local.find("broken")


@pytest.mark.parametrize(
    "name", ["none", "", ".", "..", "../kernels/small", "small/", "/", "sm\0all", "grüße"]
)
async def test_a_name_that_is_none_is_told_with_those_there_are(
    specs: Specs, local: LocalKernelSpecs, name: str
) -> None:
    for ask in (local.one, local.find):
        with pytest.raises(NotFound, match="here; there are: python3, small"):
            await ask(name)


async def test_specs_may_be_installed_and_removed_meanwhile(specs: Specs, local: LocalKernelSpecs) -> None:
    specs.add("later", ["x"])
    assert "later" in (await local.all()).kernelspecs
    (specs.folder / "later" / "kernel.json").unlink()
    assert "later" not in (await local.all()).kernelspecs


@pytest.mark.parametrize(
    ("setting", "names", "default"),
    [
        (None, ["zeta"], "python3"),
        ("zeta", ["zeta"], "zeta"),
        ("not-there", [], "not-there"),
    ],
)
async def test_the_default(specs: Specs, setting: str | None, names: list[str], default: str) -> None:
    for name in names:
        specs.add(name, ["x"])
    local = LocalKernelSpecs(default=setting)
    local.finder.kernel_dirs = [str(specs.folder)]
    assert await local.default_name() == default
    assert (await local.all()).default == default


@pytest.mark.parametrize(("names", "default"), [(["zeta", "alpha"], "alpha"), ([], "python3")])
async def test_the_default_where_there_is_no_python(tmp_path: Path, names: list[str], default: str) -> None:
    specs = Specs(tmp_path)
    for name in names:
        specs.add(name, ["x"])
    local = LocalKernelSpecs()
    local.finder.ensure_native_kernel = False
    local.finder.kernel_dirs = [str(tmp_path)]
    assert await local.default_name() == default


# Resources


async def test_pictures_and_styles_are_resources(specs: Specs, local: LocalKernelSpecs) -> None:
    folder = specs.add("other", ["x"])
    for name in ("logo-svg.svg", "logo-32x32.PNG", "kernel.js", "kernel.css", "a b#c.png", "notes.txt"):
        add_logo(folder, name)
    (folder / "sub.png").mkdir()
    resources = (await local.one("other")).resources
    base = "/kernelspecs/other"
    assert (
        resources.items()
        >= {
            "logo-svg": f"{base}/logo-svg.svg",
            "logo-32x32": f"{base}/logo-32x32.PNG",
            "kernel.js": f"{base}/kernel.js",
            "kernel.css": f"{base}/kernel.css",
            "a b#c.png": f"{base}/a%20b%23c.png",
        }.items()
    )
    assert "notes.txt" not in resources
    assert (await local.resource("other", "a b#c.png")).read_bytes() == b"picture of a b#c.png"


REFUSED = [
    "kernel.json",
    "notes.txt",
    "gone.png",
    "sub.png",
    "",
    ".",
    "..",
    "../secret.png",
    "../../secret.png",
    "sub.png/../../secret.png",
    "{outside}",
    "out.png",
    "loop.png",
    "a\0b.png",
    "x" * 5000 + ".png",
]


@pytest.mark.parametrize("file", REFUSED)
async def test_nothing_else_of_the_disk_is_a_resource(
    specs: Specs, local: LocalKernelSpecs, tmp_path: Path, file: str
) -> None:
    folder = specs.add("other", ["x"])
    secret = tmp_path / "secret.png"
    for outside in (secret, specs.folder / "secret.png"):
        outside.write_bytes(b"secret")
    (folder / "notes.txt").write_text("notes")
    (folder / "sub.png").mkdir()
    (folder / "out.png").symlink_to(secret)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    with pytest.raises(NotFound, match="'other' has no resource"):
        await local.resource("other", file.format(outside=secret))


async def test_a_resource_of_a_spec_that_is_none_is_not_found(local: LocalKernelSpecs) -> None:
    with pytest.raises(NotFound, match="no kernelspec 'none'"):
        await local.resource("none", "logo-64x64.png")


async def test_a_folder_that_is_a_link_has_its_resources(
    specs: Specs, local: LocalKernelSpecs, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kernel.json").write_text(json.dumps({"argv": ["x"]}))
    add_logo(elsewhere)
    (specs.folder / "linked").symlink_to(elsewhere)
    model = await local.one("linked")
    assert model.resources == {"logo-64x64": "/kernelspecs/linked/logo-64x64.png"}
    assert (await local.resource("linked", "logo-64x64.png")).read_bytes().startswith(b"picture")
