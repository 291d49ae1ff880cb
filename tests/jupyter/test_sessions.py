from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from tests.jupyter.notebook_servers import Rig, wait_until

GPU = "python3.gpu-box"


def own_path(rig: Rig, path: str) -> str:
    """What a file of this server is called at a gateway, as its sessions are seen there."""
    (found,) = (each for each in rig.gpu.api.sessions() if each.endswith(f"{rig.person.files}//{path}"))
    return str(found)


def test_a_session_of_a_remote_kernel_is_kept_at_its_gateway_under_a_path_of_its_own(rig: Rig) -> None:
    session = rig.here.open("sub/a.ipynb", name=GPU)
    assert session["path"] == "sub/a.ipynb"
    assert session["name"] == "a.ipynb"
    assert session["type"] == "notebook"
    assert session["notebook"] == {"path": "sub/a.ipynb", "name": "a.ipynb"}
    assert session["kernel"]["name"] == GPU
    there = rig.gpu.api.sessions()[own_path(rig, "sub/a.ipynb")]
    assert there["id"] == session["id"]
    assert there["kernel"]["id"] == session["kernel"]["id"]
    assert set(rig.here.sessions()) == {"sub/a.ipynb"}
    assert rig.here.get(f"api/sessions/{session['id']}")["path"] == "sub/a.ipynb"


def test_opening_a_path_again_joins_its_session(rig: Rig) -> None:
    first = rig.here.open("a.ipynb", name=GPU)
    again = rig.here.open("a.ipynb", name="python3")
    assert again["id"] == first["id"]
    assert again["kernel"]["id"] == first["kernel"]["id"]


def test_a_list_waits_a_moment_for_a_session_that_is_being_made(rig: Rig) -> None:
    for number in range(10):
        path = f"{number}.ipynb"
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": GPU}}
        made, listed = rig.server.ask_at_once(("POST", "api/sessions", body), ("GET", "api/sessions", None))
        assert made.status == HTTPStatus.CREATED
        if path in {session["path"] for session in listed.json}:
            return
        # On a busy machine the kernel may take longer to start than a list waits.
    pytest.fail("No list has the session, which is there a moment later.")


def test_a_local_session_is_as_ever(rig: Rig) -> None:
    session = rig.here.open("local.ipynb", name="python3")
    assert "kernelway" not in session["kernel"]
    assert not rig.gpu.api.sessions()
    renamed = rig.here.change(session, path="other.ipynb", name="other.ipynb")
    assert (renamed["id"], renamed["path"]) == (session["id"], "other.ipynb")
    assert rig.here.end_session(session).status == HTTPStatus.NO_CONTENT
    assert not rig.here.sessions()


def test_what_was_opened_elsewhere_is_shown_under_a_path_that_no_file_has(rig: Rig) -> None:
    elsewhere = rig.gpu.api.open("ada@laptop/home/ada/x.py", type_="file", name="python3")
    shown = "gpu-box://ada@laptop/home/ada/x.py"
    wait_until(lambda: shown in rig.here.sessions())
    session = rig.here.sessions()[shown]
    assert session["type"] == "console"
    assert session["name"] == "x.py"
    assert session["kernel"]["kernelway"] == {"place": "gpu-box", "ours": False}
    joined = rig.here.open(shown, type_="console", name=GPU)
    assert joined["id"] == elsewhere["id"]
    assert joined["kernel"]["id"] == elsewhere["kernel"]["id"]


def test_a_notebook_joins_a_kernel_that_others_have_by_its_id(rig: Rig) -> None:
    elsewhere = rig.gpu.api.open("ada@laptop/home/ada/x.py", type_="file", name="python3")
    kernel_id = elsewhere["kernel"]["id"]
    session = rig.here.open("joined.ipynb", id=kernel_id)
    assert session["kernel"]["id"] == kernel_id
    assert session["path"] == "joined.ipynb"
    assert session["kernel"]["kernelway"] == {"place": "gpu-box", "ours": False}
    assert len(rig.gpu.api.sessions()) == 2
    assert len(rig.gpu.api.kernels()) == 1


def test_a_renamed_notebook_keeps_its_remote_session(rig: Rig) -> None:
    session = rig.here.open("before.ipynb", name=GPU)
    renamed = rig.here.change(session, path="sub/after.ipynb", name="after.ipynb", type="notebook")
    assert renamed["id"] == session["id"]
    assert renamed["kernel"]["id"] == session["kernel"]["id"]
    assert set(rig.here.sessions()) == {"sub/after.ipynb"}
    assert rig.gpu.api.sessions()[own_path(rig, "sub/after.ipynb")]["name"] == "after.ipynb"


def test_others_sessions_keep_their_path(rig: Rig) -> None:
    rig.gpu.api.open("ada@laptop/home/ada/x.py", type_="file", name="python3")
    shown = "gpu-box://ada@laptop/home/ada/x.py"
    wait_until(lambda: shown in rig.here.sessions())
    session = rig.here.sessions()[shown]
    refused = rig.here.ask("PATCH", f"api/sessions/{session['id']}", {"path": "mine.ipynb"})
    assert refused.status == HTTPStatus.CONFLICT
    assert rig.here.change(session, name="of ada", path=shown, type="console")["name"] == "of ada"
    there = rig.gpu.api.sessions()["ada@laptop/home/ada/x.py"]
    assert (there["name"], there["type"]) == ("of ada", "file")


def test_others_sessions_keep_their_kernel(rig: Rig) -> None:
    elsewhere = rig.gpu.api.open("ada@laptop/home/ada/x.py", type_="file", name="python3")
    other = rig.gpu.api.start("python3")
    shown = "gpu-box://ada@laptop/home/ada/x.py"
    wait_until(lambda: shown in rig.here.sessions() and other in rig.here.kernels())
    session = rig.here.sessions()[shown]
    for kernel in ({"name": "python3"}, {"name": GPU}, {"id": other}):
        refused = rig.here.ask("PATCH", f"api/sessions/{session['id']}", {"kernel": kernel})
        assert refused.status >= HTTPStatus.BAD_REQUEST
        assert "was not made here" in refused.message
    assert rig.gpu.api.sessions()["ada@laptop/home/ada/x.py"]["kernel"]["id"] == elsewhere["kernel"]["id"]
    assert set(rig.here.kernels()) == {elsewhere["kernel"]["id"], other}


def test_a_notebook_changes_from_a_local_kernel_to_a_remote_one_and_back(rig: Rig) -> None:
    session = rig.here.open("moves.ipynb", name="python3")
    local = session["kernel"]["id"]

    there = rig.here.change(session, kernel={"name": GPU})
    assert there["id"] == session["id"]
    assert there["kernel"]["name"] == GPU
    assert local not in rig.here.kernels()
    assert own_path(rig, "moves.ipynb")
    assert set(rig.here.sessions()) == {"moves.ipynb"}

    further = rig.here.change(there, kernel={"name": "python3.lab"})
    assert further["id"] == session["id"]
    assert further["kernel"]["name"] == "python3.lab"
    assert not rig.gpu.api.kernels()
    assert len(rig.lab.api.sessions()) == 1

    back = rig.here.change(further, kernel={"name": "python3"})
    assert back["id"] == session["id"]
    assert back["kernel"]["name"] == "python3"
    assert not rig.lab.api.kernels()
    assert set(rig.here.sessions()) == {"moves.ipynb"}
    assert rig.here.get(f"api/sessions/{session['id']}")["kernel"]["id"] == back["kernel"]["id"]


def test_changing_to_another_kernel_of_the_same_gateway_ends_the_old_one(rig: Rig) -> None:
    session = rig.here.open("same.ipynb", name=GPU)
    changed = rig.here.change(session, kernel={"name": GPU})
    assert changed["id"] == session["id"]
    assert changed["kernel"]["id"] != session["kernel"]["id"]
    assert set(rig.gpu.api.kernels()) == {changed["kernel"]["id"]}


def test_a_kernel_that_others_have_survives_that_a_notebook_leaves_it(rig: Rig) -> None:
    elsewhere = rig.gpu.api.open("ada@laptop/home/ada/x.py", type_="file", name="python3")
    shared = elsewhere["kernel"]["id"]
    for other in (GPU, "python3.lab", "python3"):
        session = rig.here.open("leaves.ipynb", id=shared)
        left = rig.here.change(session, kernel={"name": other})
        assert left["id"] == session["id"]
        assert left["kernel"]["name"] == other
        assert shared in rig.gpu.api.kernels()
        assert rig.gpu.api.sessions()["ada@laptop/home/ada/x.py"]["kernel"]["id"] == shared
        shown = {path: each for path, each in rig.here.sessions().items() if path != "leaves.ipynb"}
        assert set(shown) == {"gpu-box://ada@laptop/home/ada/x.py"}
        assert rig.here.end_session(left).status == HTTPStatus.NO_CONTENT
        assert shared in rig.gpu.api.kernels()


def test_a_kernel_without_sessions_that_others_started_survives_that_a_notebook_leaves_it(rig: Rig) -> None:
    shared = rig.gpu.api.start("python3")
    for other in (GPU, "python3"):
        session = rig.here.open("leaves.ipynb", id=shared)
        left = rig.here.change(session, kernel={"name": other})
        assert left["kernel"]["name"] == other
        assert shared in rig.gpu.api.kernels()
        assert rig.here.sessions()["leaves.ipynb"]["kernel"]["id"] == left["kernel"]["id"]
        assert rig.here.kernels()[shared]["kernelway"]["ours"] is False
        assert rig.here.end_session(left).status == HTTPStatus.NO_CONTENT


def test_a_notebook_changes_to_a_kernel_that_runs_by_its_id(rig: Rig) -> None:
    shared = rig.gpu.api.start("python3")
    session = rig.here.open("picks.ipynb", name=GPU)
    old = session["kernel"]["id"]
    wait_until(lambda: shared in rig.here.kernels())
    changed = rig.here.change(session, kernel={"id": shared})
    assert (changed["id"], changed["kernel"]["id"]) == (session["id"], shared)
    assert changed["kernel"]["kernelway"]["ours"] is False
    assert set(rig.gpu.api.kernels()) == {shared}
    assert old not in rig.here.kernels()


def test_ending_a_session_ends_its_kernel(rig: Rig) -> None:
    session = rig.here.open("ends.ipynb", name=GPU)
    assert rig.here.end_session(session).status == HTTPStatus.NO_CONTENT
    assert not rig.gpu.api.kernels()
    assert not rig.here.sessions()
    assert rig.here.ask("GET", f"api/sessions/{session['id']}").status == HTTPStatus.NOT_FOUND


def test_of_all_sessions_at_once_only_this_servers_own_end(rig: Rig) -> None:
    for name in ("x", "y"):
        rig.gpu.api.open(f"ada@laptop/home/ada/{name}.py", type_="file", name="python3")
    joined = rig.lab.api.start("python3")
    rig.here.open("joined.ipynb", id=joined)
    rig.here.open("own.ipynb", name=GPU)
    wait_until(lambda: len(rig.here.sessions()) == 4)
    sessions = rig.here.sessions()
    paths = (f"api/sessions/{session['id']}" for session in sessions.values())
    statuses = dict(zip(sessions, rig.server.delete_at_once(*paths), strict=True))
    assert statuses.pop("own.ipynb") == HTTPStatus.NO_CONTENT
    assert set(statuses.values()) == {HTTPStatus.CONFLICT}
    assert joined in rig.lab.api.kernels()
    assert len(rig.gpu.api.kernels()) == 2


def test_a_refused_start_is_told_in_the_gateways_words(rig: Rig) -> None:
    body: dict[str, Any] = {"path": "no.ipynb", "type": "notebook", "kernel": {"name": "cobol.gpu-box"}}
    refused = rig.here.ask("POST", "api/sessions", body)
    assert refused.status >= HTTPStatus.BAD_REQUEST
    assert "no kernelspec 'cobol'" in refused.message
    assert not rig.here.sessions()


def test_two_notebooks_of_one_name_in_two_folders_have_two_kernels(rig: Rig) -> None:
    first = rig.here.open("one/same.ipynb", name=GPU)
    other = rig.here.open("two/same.ipynb", name=GPU)
    assert first["kernel"]["id"] != other["kernel"]["id"]
