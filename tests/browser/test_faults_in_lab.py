"""JupyterLab while its server, a gateway, or the line between them goes away: nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import GPU_BOX, Shoot
from tests.browser.pages import PAGE_DEADLINE, Lab, NotebookPanel, output
from tests.browser.servers import Home, Life, NotebookServer, home_with_places, lab, on

_COUNTING = """
import pathlib, time
go = pathlib.Path.home() / "go"
step = 0
while not go.exists():
    print(f"step {step}")
    step += 1
    time.sleep(0.02)
print("the end")
"""

_ONCE = """
with open({log!r}, "a") as log: log.write("run\\n")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with home_with_places(tmp_path_factory.mktemp("home"), GPU_BOX) as home:
        yield home


@pytest.fixture(scope="module")
def life(home: Home) -> Iterator[Life]:
    with Life(lab(home)) as life:
        yield life


@pytest.fixture(scope="module")
def lab_server(life: Life) -> NotebookServer:
    return life.server


@pytest.fixture
def notebook(desk: Lab) -> NotebookPanel:
    """A notebook on the gateway."""
    return desk.open_notebook(on(GPU_BOX))


def test_what_is_run_while_the_line_is_cut_runs_once(
    notebook: NotebookPanel, home: Home, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with home.places[GPU_BOX].line.broken():
        notebook.until_not_idle()
        cell = notebook.start(_ONCE.format(log=str(log)))
        expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")
    notebook.until_done(cell)
    notebook.until_ready()
    assert log.read_text() == "run\n"


def test_a_cell_outlives_its_gateway_and_has_all_its_output(
    notebook: NotebookPanel, home: Home, shoot: Shoot
) -> None:
    desk, place = Lab(notebook.page), home.places[GPU_BOX]
    go = home.folder.parent / GPU_BOX / "go"
    go.unlink(missing_ok=True)
    cell = notebook.start(_COUNTING)
    expect(output(cell)).to_contain_text("step 3")
    with place.line.broken():
        (gateway,) = place.running.gateways()
        gateway.kill()
        lost = desk.notification(f"{GPU_BOX}: connection lost")
        expect(lost).to_be_visible()
        notebook.until_not_idle()
        expect(lost).not_to_have_class(re.compile("animate"))
        shoot(desk.page, "jupyter-connection-lost")
    expect(desk.notification(f"{GPU_BOX} is back")).to_be_visible()
    go.touch()
    notebook.until_done(cell)
    *steps, end = output(cell).inner_text().strip().split("\n")
    assert steps == [f"step {step}" for step in range(len(steps))]
    assert end == "the end"
    notebook.until_ready()


def test_the_end_of_the_notebook_server_is_not_that_of_kernels_that_others_started(
    desk: Lab, life: Life, home: Home
) -> None:
    place = home.places[GPU_BOX]
    home.kernelway("exec", "--on", GPU_BOX, "--session", "from-the-shell", "answer = 42")
    (shared,) = place.kernels()
    desk.open_notebook(on(GPU_BOX))
    assert len(place.kernels()) == 2
    desk.command("filemenu:shutdown")
    desk.page.locator(".jp-Dialog button.jp-mod-styled", has_text="Shut Down").click()
    expect(desk.page.locator(".jp-Dialog", has_text="You have shut down")).to_be_visible()
    life.end()
    assert [kernel["id"] for kernel in place.kernels()] == [shared["id"]]

    life.start()
    # Otherwise it would open what was open, at any later moment.
    desk.page.goto(life.server.page("lab") + "&reset")
    desk.page.locator(".jp-LauncherCard").first.wait_for(timeout=PAGE_DEADLINE)


def test_a_notebook_server_that_was_killed_finds_its_kernels(notebook: NotebookPanel, life: Life) -> None:
    notebook.run("kept = 40 + 1")
    # JupyterLab tries again after 10 to 30 seconds, by chance.
    notebook.page.evaluate("() => { Math.random = () => 0; }")
    life.kill()
    notebook.until_not_idle()
    life.start()
    expect(notebook.indicator).to_have_attribute("data-status", "idle", timeout=PAGE_DEADLINE)
    Lab(notebook.page).dismiss_all()
    assert output(notebook.run("kept += 1; kept")).inner_text() == "42"

    notebook.page.reload()
    notebook.panel.wait_for(timeout=PAGE_DEADLINE)
    expect(notebook.kernel_name).to_have_text(on(GPU_BOX))
    notebook.until_ready()
    assert notebook.evaluate("kept + 1") == "43"
