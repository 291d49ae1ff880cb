"""JupyterLab and the kernels that others started: joined on purpose, and ended on purpose alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import GPU_BOX, Shoot
from tests.browser.pages import Lab, output
from tests.browser.servers import LOCAL, TOKEN, Home, on
from tests.faults.serving import Serving

SHARED = "from-the-shell"


@pytest.fixture
def shared(home: Home, desk: Lab) -> Iterator[str]:
    """The id of a kernel that the command line started, in a session that goes on; the panel shows it."""
    home.kernelway("exec", "--on", GPU_BOX, "--session", SHARED, "answer = 42")
    (kernel,) = home.places[GPU_BOX].kernels()
    desk.open_running()
    desk.page.locator("[title='Refresh List']").click()
    # That of the test before has the same name, and may still be shown.
    expect(desk.running(short(kernel["id"]))).to_have_count(1)
    yield kernel["id"]
    if kernel["id"] in ids(home):
        home.kernelway("shutdown", SHARED, "--on", GPU_BOX)


def short(kernel_id: str) -> str:
    """What the Running panel shows of an id."""
    return kernel_id[:8]


def ids(home: Home) -> set[str]:
    return {kernel["id"] for kernel in home.places[GPU_BOX].kernels()}


def test_a_notebook_joins_a_kernel_that_the_command_line_started(
    desk: Lab, home: Home, shared: str, shoot: Shoot
) -> None:
    notebook = desk.open_notebook(LOCAL)
    notebook.kernel_name.click()
    expect(desk.page.locator(".jp-Dialog option", has_text=SHARED)).to_have_count(1)
    # A picture has no list in it that is opened as usual.
    desk.page.locator(".jp-Dialog select").evaluate(
        "select => { for (const each of [select, select.parentElement]) each.style.height = 'auto';"
        " select.size = 9; select.style.overflow = 'hidden'; }"
    )
    shoot(desk.page, "jupyter-kernel-picker")
    desk.dismiss()
    desk.choose_kernel(notebook, short(shared))
    expect(notebook.kernel_name).to_have_text(on(GPU_BOX))
    notebook.until_ready()
    assert notebook.evaluate("answer") == "42"
    notebook.run("answer += 1")
    assert home.kernelway("exec", "--on", GPU_BOX, "--session", SHARED, "answer").strip() == "43"

    desk.choose_kernel(notebook, LOCAL)
    expect(notebook.kernel_name).to_have_text(LOCAL)
    notebook.until_ready()
    assert notebook.evaluate("'answer' in globals()") == "False"
    assert ids(home) == {shared}


def test_of_all_kernels_at_once_only_those_end_that_this_server_started(
    desk: Lab, home: Home, shared: str, shoot: Shoot
) -> None:
    desk.open_notebook(LOCAL)
    desk.open_launcher()
    desk.open_notebook(on(GPU_BOX))
    expect(desk.running()).to_have_count(3)
    shoot(desk.page, "jupyter-running")
    desk.press_of_kernels("Shut Down All")
    expect(desk.notification("1 kernel that others started was left running")).to_be_visible()
    expect(desk.running()).to_have_count(1)
    assert ids(home) == {shared}


def test_unused_kernels_that_others_started_are_left_alone(desk: Lab, home: Home, shared: str) -> None:
    desk.press_of_kernels("Shut Down Unused")
    expect(desk.notification("1 kernel that others started was left running")).to_be_visible()
    assert ids(home) == {shared}


def test_a_single_kernel_ends_whoever_started_it(desk: Lab, home: Home, shared: str) -> None:
    desk.shut_down(desk.running(short(shared)))
    expect(desk.running()).to_have_count(0)
    assert shared not in ids(home)


def test_a_gateway_is_there_once_it_is_saved_and_gone_once_it_is_not(desk: Lab, home: Home) -> None:
    folder = home.folder.parent / "workshop"
    folder.mkdir()
    with Serving(folder).running() as running:
        home.kernelway("gateways", "add", "workshop", running.base_url, "--token", TOKEN)
        notebook = desk.open_notebook(on("workshop"))
        assert output(notebook.run("6 * 7")).inner_text() == "42"
        desk.close_everything()
    home.kernelway("gateways", "remove", "workshop")
    expect(desk.card(on("workshop"))).to_have_count(0)
    expect(desk.card(LOCAL)).to_have_count(1)
