from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from tests.jupyter.notebook_servers import Rig


def test_local_and_remote_kernelspecs_are_in_one_list(rig: Rig) -> None:
    answer = rig.here.get("api/kernelspecs")
    assert answer["default"] == "python3"
    specs = answer["kernelspecs"]
    assert set(specs) == {"python3", "python3.gpu-box", "python3.lab"}
    remote = specs["python3.gpu-box"]
    assert remote["name"] == "python3.gpu-box"
    assert remote["spec"]["display_name"] == "Python 3 (ipykernel) · gpu-box"
    assert remote["spec"]["language"] == "python"
    assert isinstance(remote["spec"]["argv"], list)
    assert remote["spec"]["metadata"]["kernelway"] == {"place": "gpu-box"}


def test_one_remote_kernelspec_is_told_alone_as_in_the_list(rig: Rig) -> None:
    listed = rig.here.kernelspecs()
    for name in ("python3.lab", "python3"):
        assert rig.here.get(f"api/kernelspecs/{name}") == listed[name]


def test_a_kernelspec_that_is_nowhere_is_not_found(rig: Rig) -> None:
    assert rig.here.ask("GET", "api/kernelspecs/cobol.gpu-box").status == HTTPStatus.NOT_FOUND
    assert rig.here.ask("GET", "api/kernelspecs/cobol").status == HTTPStatus.NOT_FOUND


def test_a_remote_logo_is_the_gateways_own(rig: Rig) -> None:
    (path,) = (
        url
        for name, url in rig.here.kernelspecs()["python3.gpu-box"]["resources"].items()
        if name == "logo-64x64"
    )
    assert "/kernelspecs/" in path
    shown = rig.here.ask("GET", path.lstrip("/"))
    assert shown.status == HTTPStatus.OK
    assert shown.headers["Content-Type"] == "image/png"
    assert shown.body == rig.gpu.api.ask("GET", "kernelspecs/python3/logo-64x64.png").body


def test_a_local_logo_comes_from_its_file_as_ever(rig: Rig) -> None:
    shown = rig.here.ask("GET", "kernelspecs/python3/logo-64x64.png")
    assert shown.status == HTTPStatus.OK
    assert "Last-Modified" in shown.headers
    assert "logo-64x64" not in rig.server.log


def test_only_logos_are_fetched_from_a_gateway(rig: Rig) -> None:
    for file in ("kernel.js", "../../api", "..%2f..%2fapi", "logo-64x64.png/../kernel.json", ""):
        assert rig.here.ask("GET", f"kernelspecs/python3.gpu-box/{file}").status == HTTPStatus.NOT_FOUND
    assert rig.here.ask("GET", "kernelspecs/cobol.gpu-box/logo-64x64.png").status == HTTPStatus.NOT_FOUND


@pytest.fixture
def local_kernelspec(rig: Rig) -> Iterator[Callable[..., None]]:
    """Makes a kernelspec of this machine that is called ``python3.gpu-box``, too."""
    folder = Path(rig.person.environ["JUPYTER_DATA_DIR"]) / "kernels" / "python3.gpu-box"

    def make(**fields: object) -> None:
        folder.mkdir(parents=True)
        spec = {"argv": ["false"], "display_name": "Mine", "language": "python", **fields}
        (folder / "kernel.json").write_text(json.dumps(spec))

    yield make
    shutil.rmtree(folder)


def test_a_local_kernelspec_comes_before_a_remote_one_of_its_name(
    rig: Rig, local_kernelspec: Callable[..., None]
) -> None:
    local_kernelspec()
    assert rig.here.kernelspecs()["python3.gpu-box"]["spec"]["display_name"] == "Mine"
    assert rig.here.get("api/kernelspecs/python3.gpu-box")["spec"]["display_name"] == "Mine"


def test_the_way_to_a_gateway_for_other_programs_is_not_taken_where_there_is_a_shorter_one(
    rig: Rig, local_kernelspec: Callable[..., None]
) -> None:
    local_kernelspec(metadata={"kernelway": {"place": "gpu-box", "kernel": "python3"}})
    spec = rig.here.kernelspecs()["python3.gpu-box"]["spec"]
    assert spec["display_name"] == "Python 3 (ipykernel) · gpu-box"
    kernel_id = rig.here.start("python3.gpu-box")
    assert kernel_id in rig.gpu.api.kernels()
