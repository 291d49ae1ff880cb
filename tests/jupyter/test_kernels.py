from __future__ import annotations

from http import HTTPStatus
from uuid import uuid4

from tests.jupyter.notebook_servers import Rig, process_of, wait_until

from kernelway.client import Gateway, Stream


def test_a_remote_kernel_runs_at_its_gateway_and_is_listed(rig: Rig) -> None:
    kernel_id = rig.here.start("python3.gpu-box")
    assert set(rig.gpu.api.kernels()) == {kernel_id}
    assert not rig.lab.api.kernels()
    listed = rig.here.kernels()[kernel_id]
    assert listed["name"] == "python3.gpu-box"
    assert listed["kernelway"] == {"place": "gpu-box", "ours": True}
    assert {"last_activity", "execution_state", "connections"} <= set(listed)
    alone = rig.here.get(f"api/kernels/{kernel_id}")
    assert {**alone, "last_activity": ""} == {**listed, "last_activity": ""}


def test_a_kernel_without_a_name_is_local_as_ever(rig: Rig) -> None:
    kernel_id = rig.here.start()
    model = rig.here.kernels()[kernel_id]
    assert model["name"] == "python3"
    assert "kernelway" not in model
    assert not rig.gpu.api.kernels()
    assert rig.here.end_kernel(kernel_id).status == HTTPStatus.NO_CONTENT


def test_what_was_started_elsewhere_is_listed_and_not_ours(rig: Rig) -> None:
    kernel_id = rig.lab.api.start("python3")
    wait_until(lambda: kernel_id in rig.here.kernels())
    assert rig.here.kernels()[kernel_id]["kernelway"] == {"place": "lab", "ours": False}


def test_a_kernel_that_was_started_a_moment_ago_elsewhere_is_found_by_its_id(rig: Rig) -> None:
    kernel_id = rig.lab.api.start("python3")
    assert rig.here.get(f"api/kernels/{kernel_id}")["name"] == "python3.lab"


def test_a_remote_kernel_is_interrupted_restarted_and_ended(rig: Rig) -> None:
    kernel_id = rig.here.start("python3.gpu-box")
    assert rig.here.ask("POST", f"api/kernels/{kernel_id}/interrupt").status == HTTPStatus.NO_CONTENT
    restarted = rig.here.ask("POST", f"api/kernels/{kernel_id}/restart")
    assert restarted.status == HTTPStatus.OK
    assert restarted.json["id"] == kernel_id
    assert restarted.json["name"] == "python3.gpu-box"
    assert rig.here.end_kernel(kernel_id).status == HTTPStatus.NO_CONTENT
    assert kernel_id not in rig.here.kernels()
    assert not rig.gpu.api.kernels()


def test_a_kernel_that_is_nowhere_is_not_found(rig: Rig) -> None:
    nowhere = f"api/kernels/{uuid4()}"
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/interrupt")):
        assert rig.here.ask(method, nowhere + path).status == HTTPStatus.NOT_FOUND


def test_a_kernel_that_ended_elsewhere_is_gone_here(rig: Rig) -> None:
    kernel_id = rig.here.start("python3.lab")
    rig.lab.api.end_kernel(kernel_id)
    answer = rig.here.ask("GET", f"api/kernels/{kernel_id}")
    assert answer.status == HTTPStatus.NOT_FOUND
    assert kernel_id not in rig.here.kernels()


def test_a_gateways_refusal_is_told_in_its_own_words(rig: Rig) -> None:
    here = rig.here.ask("POST", "api/kernels", {"name": "cobol.gpu-box"})
    there = rig.gpu.api.ask("POST", "api/kernels", {"name": "cobol"})
    assert here.status == there.status
    assert there.message in here.message


def test_a_single_kernel_that_others_started_is_ended_on_purpose(rig: Rig) -> None:
    kernel_id = rig.gpu.api.start("python3")
    assert rig.here.end_kernel(kernel_id).status == HTTPStatus.NO_CONTENT
    assert kernel_id not in rig.gpu.api.kernels()


def test_of_all_kernels_at_once_only_those_end_that_this_server_started(rig: Rig) -> None:
    foreign = {rig.gpu.api.start("python3"), rig.gpu.api.start("python3"), rig.lab.api.start("python3")}
    ours = {rig.here.start("python3.gpu-box"), rig.here.start("python3")}
    wait_until(lambda: foreign | ours <= set(rig.here.kernels()))
    everything = [*foreign, *ours]
    statuses = dict(
        zip(
            everything,
            rig.server.delete_at_once(*(f"api/kernels/{each}" for each in everything)),
            strict=True,
        )
    )
    assert {statuses[kernel_id] for kernel_id in ours} == {HTTPStatus.NO_CONTENT}
    assert {statuses[kernel_id] for kernel_id in foreign} == {HTTPStatus.CONFLICT}
    wait_until(lambda: set(rig.here.kernels()) == foreign)


def test_the_variables_that_mean_something_elsewhere_reach_a_remote_kernel(rig: Rig) -> None:
    session = rig.here.open("sub/env.ipynb", name="python3.gpu-box")
    kernel_id = session["kernel"]["id"]
    environ = process_of(kernel_id).environ()
    assert environ["JPY_SESSION_NAME"].endswith("env.ipynb")
    assert environ["KERNEL_COLOUR"] == "green"
    assert "MINE_ALONE" not in environ


async def test_code_runs_on_a_remote_kernel_and_on_a_local_one(rig: Rig) -> None:
    async with Gateway(rig.here.url, token=rig.here.token) as through:
        for name in ("python3.gpu-box", "python3"):
            kernel = await through.start_kernel(name)
            outputs = [output async for output in kernel.execute("print(6 * 7)", timeout=30)]
            assert [output.text for output in outputs if isinstance(output, Stream)] == ["42\n"]
            await kernel.shutdown()
